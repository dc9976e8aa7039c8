//! The provided methods of the contract, built from the five required ones.
//!
//! An atomic verb uses conditional writes or is refused; it is never a get followed by a set.

use bytes::Bytes;

use crate::{
    Capabilities, Command, Condition, Entry, Error, ErrorKind, KeyValueStore, Lifetime, Outcome,
    Reply, Result, Write,
};

/// How often a conditional write is tried before the call gives up.
///
/// Each lost attempt means that another writer won, so a caller loses this often only if about as
/// many writers compete for the key.
pub(crate) const ATTEMPTS: usize = 128;

pub(crate) fn conflict() -> Error {
    let message = format!("others changed the key during each of {ATTEMPTS} attempts");
    Error::new(ErrorKind::Conflict, message)
}

fn require<S: KeyValueStore + ?Sized>(
    store: &S,
    needed: Capabilities,
    what: &'static str,
) -> Result<()> {
    let declared = store.capabilities();
    if declared.contains(needed) { Ok(()) } else { Err(declared.unsupported(what)) }
}

pub(crate) async fn set_many<S: KeyValueStore + ?Sized>(
    store: &S,
    entries: Vec<(String, Bytes)>,
    lifetime: Lifetime,
) -> Result<()> {
    lifetime.as_millis()?;
    for (done, (key, value)) in entries.into_iter().enumerate() {
        let write = Write::ALWAYS.lifetime(lifetime);
        let outcome = store.set(&key, value, write).await;
        outcome.map_err(|error| partly(error.key(&key), done))?;
    }
    Ok(())
}

pub(crate) async fn delete_many<S: KeyValueStore + ?Sized>(
    store: &S,
    keys: &[&str],
) -> Result<u64> {
    let mut deleted = 0;
    for (done, key) in keys.iter().enumerate() {
        let removed = store.delete(key, Condition::Always).await;
        deleted += u64::from(removed.map_err(|error| partly(error.key(key), done))?);
    }
    Ok(deleted)
}

/// Once a part is done, the whole call counts as `MaybeApplied`.
fn partly(error: Error, done: usize) -> Error {
    if done == 0 { error } else { error.maybe_applied() }
}

pub(crate) async fn increment<S: KeyValueStore + ?Sized>(
    store: &S,
    key: &str,
    by: i64,
    lifetime: Lifetime,
) -> Result<i64> {
    require(store, Capabilities::CONDITIONS, "counters")?;
    lifetime.as_millis()?;
    for _ in 0..ATTEMPTS {
        let (sum, write) = match store.get(key).await? {
            None => (by, Write { lifetime, condition: Condition::Absent }),
            Some(entry) => (
                add_to_counter(&entry.value, by)?,
                Write { lifetime: Lifetime::Keep, condition: Condition::Version(entry.version) },
            ),
        };
        if store.set(key, Bytes::from(sum.to_string()), write).await?.is_written() {
            return Ok(sum);
        }
    }
    Err(conflict())
}

/// The sum of a stored decimal integer and a number, as Redis's INCRBY counts.
///
/// # Errors
/// `WrongType` if the text is not an integer, or the sum overflows.
///
/// ```
/// assert_eq!(kv_core::add_to_counter(b"41", 1).unwrap(), 42);
/// assert!(kv_core::add_to_counter(b"forty", 1).is_err());
/// assert!(kv_core::add_to_counter(i64::MAX.to_string().as_bytes(), 1).is_err());
/// ```
pub fn add_to_counter(stored: &[u8], by: i64) -> Result<i64> {
    parse_counter(stored)?.checked_add(by).ok_or_else(|| {
        Error::new(ErrorKind::WrongType, "the counter would leave the range of 64-bit integers")
    })
}

/// The number in a counter's text, in the one spelling that Redis accepts.
pub(crate) fn parse_counter(stored: &[u8]) -> Result<i64> {
    let number = std::str::from_utf8(stored).ok().and_then(|text| {
        let number: i64 = text.parse().ok()?;
        (number.to_string() == text).then_some(number)
    });
    number.ok_or_else(|| {
        Error::new(ErrorKind::WrongType, "the key holds no counter; expected a 64-bit integer")
    })
}

pub(crate) async fn take<S: KeyValueStore + ?Sized>(store: &S, key: &str) -> Result<Option<Entry>> {
    require(store, Capabilities::CONDITIONS, "take")?;
    for _ in 0..ATTEMPTS {
        let Some(entry) = store.get(key).await? else { return Ok(None) };
        if store.delete(key, Condition::Version(entry.version.clone())).await? {
            return Ok(Some(entry));
        }
    }
    Err(conflict())
}

pub(crate) async fn touch<S: KeyValueStore + ?Sized>(
    store: &S,
    key: &str,
    lifetime: Lifetime,
) -> Result<bool> {
    require(store, Capabilities::CONDITIONS | Capabilities::TTL, "touch")?;
    lifetime.as_millis()?;
    if lifetime == Lifetime::Keep {
        return store.exists(key).await;
    }
    for _ in 0..ATTEMPTS {
        let Some(entry) = store.get(key).await? else { return Ok(false) };
        let write = Write { lifetime, condition: Condition::Version(entry.version) };
        if store.set(key, entry.value, write).await?.is_written() {
            return Ok(true);
        }
    }
    Err(conflict())
}

/// Runs one command with the method of the same name.
pub(crate) async fn run<S: KeyValueStore + ?Sized>(store: &S, command: Command) -> Result<Reply> {
    Ok(match command {
        Command::Get { key } => Reply::Entry(store.get(&key).await?),
        Command::Set { key, value, write } => {
            let outcome: Outcome = store.set(&key, value, write).await?;
            Reply::Outcome(outcome)
        }
        Command::Delete { key, condition } => Reply::Flag(store.delete(&key, condition).await?),
        Command::Exists { key } => Reply::Flag(store.exists(&key).await?),
        Command::Ttl { key } => Reply::Remaining(store.ttl(&key).await?),
        Command::Touch { key, lifetime } => Reply::Flag(store.touch(&key, lifetime).await?),
        Command::Take { key } => Reply::Entry(store.take(&key).await?),
        Command::Increment { key, by, lifetime } => {
            Reply::Number(store.increment(&key, by, lifetime).await?)
        }
    })
}
