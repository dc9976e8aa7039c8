//! Bodies and checkpoints as separate values, and the tables that name them.

use std::collections::HashSet;
use std::sync::atomic::Ordering;

use kv_core::queue::{BATCH_BYTES, MAX_BATCH, Partition};
use kv_core::{Bytes, Effect, Error, ErrorKind, Lifetime, Result};
use kv_queue_machine::{Counter, Map, MemTables, Member, Set, Tables};

use super::GenericEngine;

/// Bytes of a blob's name: the engine's number and the blob's number, which together name the blob
/// in the store.
const NAME_BYTES: usize = 16;

/// Bytes after a blob's name in the index: the blob's length, so that a claim can be bounded
/// without reading the blob.
const LENGTH_BYTES: usize = 4;

/// The length that counts for a blob without a length in the index, written by an older version: a
/// whole reply, so that such blobs come one by one.
const UNKNOWN: usize = BATCH_BYTES;

/// The store's key of a blob.
pub(super) fn key(partition: &Partition, name: &[u8]) -> Result<String> {
    let Some((name, _)) = name.split_first_chunk::<NAME_BYTES>() else {
        let message = "the queue's stored data is corrupt: a blob's name cannot be read";
        return Err(Error::new(ErrorKind::Backend, message).key(&partition.queue));
    };
    let name = u128::from_be_bytes(*name);
    Ok(format!("{}:{}:body:{name:032x}", partition.queue, partition.number))
}

/// The length of the blob.
fn length(name: &[u8]) -> usize {
    let length = name.get(NAME_BYTES..).and_then(|rest| <[u8; LENGTH_BYTES]>::try_from(rest).ok());
    length.map_or(UNKNOWN, |length| usize::try_from(u32::from_be_bytes(length)).unwrap_or(UNKNOWN))
}

impl GenericEngine {
    /// A new name, with the length of the blob that gets it.
    pub(super) fn fresh_name(&self, length: usize) -> Bytes {
        let own = self.names.fetch_add(1, Ordering::Relaxed);
        let name = (u128::from(self.nonce) << 64) | u128::from(own);
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        [&name.to_be_bytes()[..], &length.to_be_bytes()].concat().into()
    }

    /// Writes new blobs. After an error the queue is unchanged, although some blobs may be written.
    pub(super) async fn write(
        &self,
        partition: &Partition,
        blobs: &[(Bytes, Bytes)],
    ) -> Result<()> {
        if blobs.is_empty() {
            return Ok(());
        }
        let entry = |(name, blob): &(Bytes, Bytes)| Ok((key(partition, name)?, blob.clone()));
        let entries = blobs.iter().map(entry).collect::<Result<Vec<_>>>()?;
        let written = self.store().set_many(entries, Lifetime::Never).await;
        let Err(error) = written else { return Ok(()) };
        self.discard(partition, blobs.iter().map(|(name, _)| name)).await;
        match error.effect() {
            Effect::NotApplied => Err(error),
            Effect::MaybeApplied => {
                let message = "the jobs' bodies or checkpoints could not be written";
                Err(Error::new(error.kind(), message).because(error))
            }
        }
    }

    /// Reads blobs, in order; `None` for a blob that is gone, or whose name cannot be read.
    pub(super) async fn read(
        &self,
        partition: &Partition,
        names: impl Iterator<Item = &Bytes> + Send,
    ) -> Result<Vec<Option<Bytes>>> {
        let keys: Vec<_> = names.map(|name| key(partition, name).ok()).collect();
        let known: Vec<_> = keys.iter().flatten().map(String::as_str).collect();
        if known.is_empty() {
            return Ok(vec![None; keys.len()]);
        }
        let mut found = self.store().get_many(&known).await?.into_iter();
        let mut blob = |key: &Option<String>| {
            if key.is_some() { found.next().flatten().map(|entry| entry.value) } else { None }
        };
        Ok(keys.iter().map(&mut blob).collect())
    }

    /// Deletes blobs that no index names. A blob that cannot be deleted only takes room.
    pub(super) async fn discard(
        &self,
        partition: &Partition,
        names: impl Iterator<Item = &Bytes> + Send,
    ) {
        let keys: Vec<_> = names.filter_map(|name| key(partition, name).ok()).collect();
        for keys in keys.chunks(MAX_BATCH) {
            let keys: Vec<_> = keys.iter().map(String::as_str).collect();
            if let Err(error) = self.store().delete_many(&keys).await {
                tracing::warn!(
                    queue = &*partition.queue, blobs = keys.len(), %error,
                    "blobs that the queue no longer needs could not be deleted"
                );
            }
        }
    }
}

/// Tables that record which blobs a step began to name and no longer names.
pub(super) struct NotedTables {
    pub(super) tables: MemTables,
    named: HashSet<Bytes>,
    dropped: Vec<Bytes>,
}

impl NotedTables {
    pub(super) fn new(tables: MemTables) -> Self {
        Self { tables, named: HashSet::new(), dropped: Vec::new() }
    }

    /// The blobs to delete once the tables are stored: blobs that the tables no longer name, and
    /// blobs of `written` that they never named.
    pub(super) fn garbage(self, written: &[(Bytes, Bytes)]) -> Vec<Bytes> {
        let unused =
            written.iter().map(|(name, _)| name).filter(|name| !self.named.contains(*name));
        unused.cloned().collect::<Vec<_>>().into_iter().chain(self.dropped).collect()
    }

    fn note_drop(&mut self, map: Map, key: &str) -> Result<()> {
        if is_of_blobs(map) {
            self.dropped.extend(self.tables.get(map, key)?);
        }
        Ok(())
    }
}

const fn is_of_blobs(map: Map) -> bool {
    matches!(map, Map::Body | Map::Checkpoint)
}

impl Tables for NotedTables {
    fn insert(&mut self, set: Set, score: u64, name: &str) -> Result<()> {
        self.tables.insert(set, score, name)
    }

    fn remove(&mut self, set: Set, name: &str) -> Result<bool> {
        self.tables.remove(set, name)
    }

    fn score(&self, set: Set, name: &str) -> Result<Option<u64>> {
        self.tables.score(set, name)
    }

    fn first(&self, set: Set, limit: usize) -> Result<Vec<Member>> {
        self.tables.first(set, limit)
    }

    fn first_until(&self, set: Set, score: u64, limit: usize) -> Result<Vec<Member>> {
        self.tables.first_until(set, score, limit)
    }

    fn first_after(&self, set: Set, name: &str, limit: usize) -> Result<Vec<Member>> {
        self.tables.first_after(set, name, limit)
    }

    fn first_beyond(&self, set: Set, member: &Member, limit: usize) -> Result<Vec<Member>> {
        self.tables.first_beyond(set, member, limit)
    }

    fn find(&self, set: Set, prefix: &str) -> Result<Option<Member>> {
        self.tables.find(set, prefix)
    }

    fn first_under(&self, set: Set, prefix: &str, limit: usize) -> Result<Vec<Member>> {
        self.tables.first_under(set, prefix, limit)
    }

    fn len_under(&self, set: Set, prefix: &str) -> Result<u64> {
        self.tables.len_under(set, prefix)
    }

    fn len(&self, set: Set) -> Result<u64> {
        self.tables.len(set)
    }

    fn get(&self, map: Map, key: &str) -> Result<Option<Bytes>> {
        self.tables.get(map, key)
    }

    fn size(&self, map: Map, key: &str) -> Result<Option<usize>> {
        let stored = self.tables.get(map, key)?;
        Ok(stored.map(|stored| if is_of_blobs(map) { length(&stored) } else { stored.len() }))
    }

    fn put(&mut self, map: Map, key: &str, value: Bytes) -> Result<()> {
        self.note_drop(map, key)?;
        if is_of_blobs(map) {
            self.named.insert(value.clone());
        }
        self.tables.put(map, key, value)
    }

    fn delete(&mut self, map: Map, key: &str) -> Result<bool> {
        self.note_drop(map, key)?;
        self.tables.delete(map, key)
    }

    fn clear(&mut self) -> Result<()> {
        for map in Map::ALL.into_iter().filter(|map| is_of_blobs(*map)) {
            self.dropped.extend(self.tables.entries(map).map(|(_, name)| name.clone()));
        }
        self.tables.clear()
    }

    fn counter(&self, counter: Counter) -> Result<u64> {
        self.tables.counter(counter)
    }

    fn set_counter(&mut self, counter: Counter, value: u64) -> Result<()> {
        self.tables.set_counter(counter, value)
    }
}
