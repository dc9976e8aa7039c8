//! Where a queue is stored, and its values.

use kv_core::queue::Partition;
use kv_core::{Bytes, Condition, Entry, Error, ErrorKind, KeyValueStore, Result, Write};
use kv_queue_machine::MemTables;

/// How often opening tries again when others open or remove the queue at the same time.
const ATTEMPTS: usize = 8;

/// The text before the number of partitions in a queue's settings.
const SETTINGS: &str = "kv-queue/1 ";

pub(super) fn key(partition: &Partition) -> String {
    format!("{}:{}:index", partition.queue, partition.number)
}

/// The key of a queue's settings.
pub(super) fn settings(queue: &str) -> String {
    format!("{queue}:meta")
}

/// The index, and the condition that it is unchanged.
pub(super) async fn read(store: &dyn KeyValueStore, key: &str) -> Result<(MemTables, Condition)> {
    match store.get(key).await? {
        Some(entry) => Ok((decode(&entry, key)?, Condition::Version(entry.version))),
        None => Ok((MemTables::default(), Condition::Absent)),
    }
}

/// The indices of several partitions, in the order of the partitions.
pub(super) async fn read_many(
    store: &dyn KeyValueStore,
    partitions: &[Partition],
) -> Result<Vec<MemTables>> {
    let keys: Vec<String> = partitions.iter().map(key).collect();
    let names: Vec<&str> = keys.iter().map(String::as_str).collect();
    let entries = store.get_many(&names).await?;
    let tables = entries.iter().zip(&names).map(|(entry, key)| match entry {
        Some(entry) => decode(entry, key),
        None => Ok(MemTables::default()),
    });
    tables.collect()
}

fn decode(entry: &Entry, key: &str) -> Result<MemTables> {
    MemTables::decode(&entry.value).map_err(|error| error.key(key))
}

/// Stores the number of partitions, or checks it.
pub(super) async fn open(store: &dyn KeyValueStore, queue: &str, partitions: u32) -> Result<()> {
    let key = settings(queue);
    for _ in 0..ATTEMPTS {
        if let Some(entry) = store.get(&key).await? {
            return check(&entry.value, partitions).map_err(|e| e.operation("open").key(queue));
        }
        let settings = Bytes::from(format!("{SETTINGS}{partitions}"));
        let new = Write::ALWAYS.condition(Condition::Absent);
        if store.set(&key, settings, new).await?.is_written() {
            return Ok(());
        }
    }
    let message = format!("others changed the queue during each of {ATTEMPTS} attempts");
    Err(Error::new(ErrorKind::Conflict, message).operation("open").key(queue))
}

fn check(stored: &[u8], partitions: u32) -> Result<()> {
    let text = std::str::from_utf8(stored).ok().and_then(|text| text.strip_prefix(SETTINGS));
    let Some(known) = text.and_then(|number| number.parse::<u32>().ok()) else {
        let message = "the queue is stored in a format that this version does not know";
        return Err(Error::new(ErrorKind::Config, message));
    };
    if known == partitions {
        return Ok(());
    }
    let message = format!("{partitions} partitions; the queue has {known}");
    Err(Error::new(ErrorKind::Config, message))
}
