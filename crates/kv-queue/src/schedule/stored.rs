//! Where schedules are stored: a value for each, and a list of their names.
//!
//! The list has a revision, which rises when a schedule is made, changed or removed: a scheduler
//! reads the schedules again when it sees another revision.

use std::collections::BTreeSet;

use kv_core::{
    Bytes, Capabilities, Condition, Entry, Error, ErrorKind, Lifetime, Result, Serializer, Version,
    Write,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::record::{Record, millis};
use crate::requests::Connection;

/// How many schedules a queue may have.
const MAX_SCHEDULES: usize = 1_000;

/// The longest name of a schedule in bytes.
const MAX_NAME: usize = 128;

/// How many times a change is tried that others are ahead of.
const MOST_TRIES: usize = 32;

/// The names of a queue's schedules.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Names {
    pub(super) revision: u64,
    pub(super) names: BTreeSet<String>,
}

/// The store's time in milliseconds.
pub(super) async fn now(connection: &Connection) -> Result<u64> {
    connection.now().await.map(millis)
}

pub(super) async fn names(connection: &Connection) -> Result<Names> {
    let found = read(connection, &names_key(connection)?).await?;
    Ok(found.map(|(names, _)| names).unwrap_or_default())
}

/// A schedule, with its version for a change.
pub(super) async fn record(
    connection: &Connection,
    name: &str,
) -> Result<Option<(Record, Version)>> {
    read(connection, &record_key(connection, name)?).await
}

/// The schedules of these names that exist. One that cannot be read is left out, with a warning: it
/// harms no other.
pub(super) async fn records<'a>(
    connection: &Connection,
    names: impl Iterator<Item = &'a String>,
) -> Result<Vec<(&'a str, Record)>> {
    let mut found = Vec::new();
    let (names, keys): (Vec<_>, Vec<_>) = names
        .map(|name| Ok((name.as_str(), record_key(connection, name)?)))
        .collect::<Result<Vec<_>>>()?
        .into_iter()
        .unzip();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let entries = connection.read(|| connection.store().inner().get_many(&keys)).await?;
    for ((name, key), entry) in names.into_iter().zip(&keys).zip(entries) {
        match entry.map(|entry| decode(&entry, key)).transpose() {
            Ok(record) => found.extend(record.map(|record| (name, record))),
            Err(error) => warn(connection, name, &error),
        }
    }
    Ok(found)
}

/// Logs that a schedule is left out.
pub(super) fn warn(connection: &Connection, name: &str, error: &Error) {
    let queue = connection.queue();
    tracing::warn!(queue, schedule = name, %error, "a schedule cannot be read");
}

/// Writes a changed schedule, if it is still the version that was read. Returns whether it was.
pub(super) async fn replace(
    connection: &Connection,
    name: &str,
    mut record: Record,
    version: Option<Version>,
) -> Result<bool> {
    record.revision = record.revision.saturating_add(1);
    write(connection, &record_key(connection, name)?, &record, version).await
}

/// Changes a schedule. Returns what the change returned, or `None` if there is no such schedule. The
/// change may be called several times.
pub(super) async fn change<R>(
    connection: &Connection,
    name: &str,
    change: impl Fn(&mut Record) -> Result<R>,
) -> Result<Option<R>> {
    for _ in 0..MOST_TRIES {
        let Some((mut record, version)) = self::record(connection, name).await? else {
            return Ok(None);
        };
        let answer = change(&mut record)?;
        if replace(connection, name, record, Some(version)).await? {
            return Ok(Some(answer));
        }
    }
    Err(overtaken())
}

/// Removes a schedule. Returns whether there was one.
pub(super) async fn remove(connection: &Connection, name: &str) -> Result<bool> {
    let key = record_key(connection, name)?;
    let delete = connection.store().inner().delete(&key, Condition::Always);
    let was_there = connection.once(delete).await?;
    list(connection, name, false).await?;
    // Made anew meanwhile: then the list must have it.
    if record(connection, name).await?.is_some() {
        list(connection, name, true).await?;
    }
    Ok(was_there)
}

/// Puts a name on the list or takes it off, and raises the list's revision.
pub(super) async fn list(connection: &Connection, name: &str, is_there: bool) -> Result<()> {
    let key = names_key(connection)?;
    for _ in 0..MOST_TRIES {
        let found = read::<Names>(connection, &key).await?;
        let (mut names, version) = found.map_or((Names::default(), None), |(it, v)| (it, Some(v)));
        match is_there {
            true => names.names.insert(name.to_owned()),
            false => names.names.remove(name),
        };
        if names.names.len() > MAX_SCHEDULES {
            let message = format!("the queue has {MAX_SCHEDULES} schedules, the most it can have");
            return Err(Error::new(ErrorKind::Backpressure, message));
        }
        names.revision = names.revision.saturating_add(1);
        if write(connection, &key, &names, version).await? {
            return Ok(());
        }
    }
    Err(overtaken())
}

/// Removes all schedules of a queue that is deleted.
pub(crate) async fn forget(connection: &Connection) -> Result<()> {
    let store = connection.store().inner();
    let list = names_key(connection)?;
    let Some((Names { names, .. }, _)) = read::<Names>(connection, &list).await? else {
        return Ok(());
    };
    for name in names {
        store.delete(&record_key(connection, &name)?, Condition::Always).await?;
    }
    store.delete(&list, Condition::Always).await.map(drop)
}

/// Whether schedules can be kept on this store.
pub(super) fn check(connection: &Connection, name: &str) -> Result<()> {
    let wrong = |kind, what: String| Err(Error::new(kind, what));
    if name.trim().is_empty() || name.contains(char::is_control) || name.len() > MAX_NAME {
        let what = format!(
            "a schedule's name that is blank, has a control character or is too long; expected \
             1 to {MAX_NAME} bytes"
        );
        return wrong(ErrorKind::InvalidKey, what);
    }
    if !connection.store().inner().capabilities().contains(Capabilities::CONDITIONS) {
        return Err(Error::unsupported("schedules, which need conditional writes"));
    }
    connection.check_open()
}

async fn read<V: DeserializeOwned>(
    connection: &Connection,
    key: &str,
) -> Result<Option<(V, Version)>> {
    let entry = connection.read(|| connection.store().inner().get(key)).await?;
    entry.map(|entry| Ok((decode(&entry, key)?, entry.version))).transpose()
}

fn decode<V: DeserializeOwned>(entry: &Entry, key: &str) -> Result<V> {
    Serializer::MessagePack.decode(&entry.value).map_err(|error| error.key(key))
}

/// Writes a value if the key is in this state, `None` for absent. A conditional write is sent once:
/// a repeat would find its own value.
async fn write<V: Serialize>(
    connection: &Connection,
    key: &str,
    value: &V,
    version: Option<Version>,
) -> Result<bool> {
    let value: Bytes = Serializer::MessagePack.encode(value)?;
    let condition = version.map_or(Condition::Absent, Condition::Version);
    let write = Write { lifetime: Lifetime::Never, condition };
    let written = connection.once(connection.store().inner().set(key, value, write)).await?;
    Ok(written.is_written())
}

fn names_key(connection: &Connection) -> Result<String> {
    connection.store().reserved_key("queue-schedules", connection.queue())
}

/// The length keeps apart what the names of queues and schedules may look like together.
fn record_key(connection: &Connection, name: &str) -> Result<String> {
    let queue = connection.queue();
    connection.store().reserved_key("queue-schedule", &format!("{}:{queue}:{name}", queue.len()))
}

fn overtaken() -> Error {
    let message = format!("others changed the schedule {MOST_TRIES} times at the same moment");
    Error::new(ErrorKind::Conflict, message)
}
