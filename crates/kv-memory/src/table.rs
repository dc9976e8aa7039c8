//! The shards, how a key finds its own, and what all of them count together.
//!
//! # Locks
//! A shard's lock covers everything about its records. No call holds the locks of two shards, and
//! none takes another lock while it holds one, so there is no lock order to keep.

use std::hash::{BuildHasher, Hasher};
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use ahash::RandomState;
use fastrand::Rng;
use kv_core::{Error, Result, Stats};

use crate::contents::Contents;
use crate::slots::MAX_RECORDS;
use crate::time::NEVER;
use crate::time::Time;

/// The most shards: enough that threads seldom meet.
const MAX_SHARDS: usize = 64;

/// A bounded table has one shard for this many records, so that an eviction, which examines one
/// shard, chooses among enough records.
const MIN_RECORDS_A_SHARD: usize = 128;

/// Sharded records with lifetimes and a bound.
pub(crate) struct Table {
    shards: Box<[Shard]>,
    hasher: RandomState,
    pub(crate) time: Time,
    pub(crate) limit: usize,
    closed: AtomicBool,
    /// Held while sweeping or evicting, and always taken before a shard's lock. Chooses the records
    /// to evict.
    cleaning: Mutex<Rng>,
    pub(crate) tally: Tally,
}

/// One shard, on cache lines of its own. It fills two cache lines; a get reads both, so a third
/// would cost time.
#[derive(Default)]
#[repr(align(128))]
struct Shard {
    contents: RwLock<Contents>,
    hits: AtomicU64,
    misses: AtomicU64,
}

/// What the whole table counts, on cache lines that readers do not touch.
#[repr(align(128))]
pub(crate) struct Tally {
    /// Records in all shards, expired ones included.
    pub(crate) records: AtomicUsize,
    /// No record expires before this time; nothing expires at all if it is [`NEVER`].
    pub(crate) next_due: AtomicU64,
    pub(crate) expired: AtomicU64,
    pub(crate) evicted: AtomicU64,
}

/// A key's hash and the shard that it is in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) hash: u64,
    pub(crate) shard: usize,
}

impl Table {
    /// The right to sweep and evict.
    pub(crate) fn cleaning(&self) -> MutexGuard<'_, Rng> {
        self.cleaning.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn new(limit: Option<usize>, seed: Option<u64>, time: Time) -> Self {
        let limit = limit.unwrap_or(usize::MAX).min(MAX_RECORDS);
        let shards = (limit / MIN_RECORDS_A_SHARD).clamp(1, MAX_SHARDS);
        // The largest power of two that is not above it, for a mask.
        let shards = 1 << shards.ilog2();
        let mut random = seed.map_or_else(Rng::new, Rng::with_seed);
        let mut next = || random.u64(..);
        let hasher = RandomState::with_seeds(next(), next(), next(), next());
        Self {
            hasher,
            shards: (0..shards).map(|_| Shard::default()).collect(),
            time,
            limit,
            closed: AtomicBool::new(false),
            cleaning: Mutex::new(random),
            tally: Tally {
                records: AtomicUsize::new(0),
                next_due: AtomicU64::new(NEVER),
                expired: AtomicU64::new(0),
                evicted: AtomicU64::new(0),
            },
        }
    }

    #[inline]
    pub(crate) fn place(&self, key: &str) -> Place {
        let mut hasher = self.hasher.build_hasher();
        // The bytes alone: what `Hash` adds keeps apart parts of a larger key.
        hasher.write(key.as_bytes());
        let hash = hasher.finish();
        // The map within a shard uses the lowest and the highest bits.
        let bits = usize::try_from((hash >> 32) & 0xFFFF).unwrap_or_default();
        Place { hash, shard: bits & (self.shards.len() - 1) }
    }

    pub(crate) fn shards(&self) -> usize {
        self.shards.len()
    }

    /// Refuses a closed table. A caller that checks under a shard's lock adds nothing after a
    /// close.
    pub(crate) fn check_open(&self) -> Result<()> {
        if self.closed.load(Ordering::Acquire) { Err(Error::closed()) } else { Ok(()) }
    }

    #[inline]
    pub(crate) fn read(&self, shard: usize) -> Result<RwLockReadGuard<'_, Contents>> {
        let contents = self.shards[shard].contents.read().unwrap_or_else(PoisonError::into_inner);
        self.check_open()?;
        Ok(contents)
    }

    pub(crate) fn write(&self, shard: usize) -> Result<Writing<'_>> {
        let writing = self.lock(shard);
        self.check_open()?;
        Ok(writing)
    }

    fn lock(&self, shard: usize) -> Writing<'_> {
        let contents = self.shards[shard].contents.write().unwrap_or_else(PoisonError::into_inner);
        Writing { before: contents.slots.len(), contents, tally: &self.tally }
    }

    pub(crate) fn count_read(&self, shard: usize, hit: bool) {
        let shard = &self.shards[shard];
        let counter = if hit { &shard.hits } else { &shard.misses };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn stats(&self) -> Result<Stats> {
        let (mut hits, mut misses, mut bytes) = (0_u64, 0_u64, 0_u64);
        for (index, shard) in self.shards.iter().enumerate() {
            hits = hits.saturating_add(shard.hits.load(Ordering::Relaxed));
            misses = misses.saturating_add(shard.misses.load(Ordering::Relaxed));
            bytes = bytes.saturating_add(self.read(index)?.bytes());
        }
        let mut stats = Stats::default();
        stats.keys = u64::try_from(self.tally.records.load(Ordering::Relaxed)).ok();
        stats.hits = Some(hits);
        stats.misses = Some(misses);
        stats.expired = Some(self.tally.expired.load(Ordering::Relaxed));
        stats.evicted = Some(self.tally.evicted.load(Ordering::Relaxed));
        stats.bytes = Some(bytes);
        Ok(stats)
    }

    /// Refuses all later calls and frees the records.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        for shard in 0..self.shards.len() {
            let records = self.lock(shard).clear();
            drop(records);
        }
    }
}

/// A locked shard. Before it is unlocked, it updates the counts of the whole table.
pub(crate) struct Writing<'a> {
    contents: RwLockWriteGuard<'a, Contents>,
    before: usize,
    tally: &'a Tally,
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        let (before, after) = (self.before, self.contents.slots.len());
        if after > before {
            self.tally.records.fetch_add(after - before, Ordering::Relaxed);
        } else if after < before {
            self.tally.records.fetch_sub(before - after, Ordering::Relaxed);
        }
        let due = self.contents.next_due();
        if due < self.tally.next_due.load(Ordering::Relaxed) {
            self.tally.next_due.fetch_min(due, Ordering::Relaxed);
        }
    }
}

impl Deref for Writing<'_> {
    type Target = Contents;

    fn deref(&self) -> &Contents {
        &self.contents
    }
}

impl DerefMut for Writing<'_> {
    fn deref_mut(&mut self) -> &mut Contents {
        &mut self.contents
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use bytes::Bytes;
    use kv_core::{Condition, Lifetime, Write};

    use super::*;
    use crate::slots::Slot;
    use crate::time::Frozen;

    /// Compares the counts with the records.
    fn check(table: &Table) {
        let (mut records, mut bytes, mut next_due) = (0, 0, NEVER);
        for shard in 0..table.shards() {
            let contents = table.read(shard).unwrap();
            records += contents.slots.len();
            bytes += contents.slots.iter().map(Slot::size).sum::<u64>();
            let deadlines = contents.slots.iter().map(|slot| slot.record.expires);
            let first = deadlines.min().unwrap_or(NEVER);
            assert_eq!(contents.next_due(), first);
            next_due = next_due.min(first);
        }
        let stats = table.stats().unwrap();
        assert_eq!((stats.keys, stats.bytes), (Some(records as u64), Some(bytes)));
        assert!(records <= table.limit);
        assert!(table.tally.next_due.load(Ordering::Relaxed) <= next_due);
    }

    fn one_change(table: &Table, random: &mut Rng) {
        let key = random.u32(0..500).to_string();
        let lifetime = Lifetime::In(Duration::from_millis(random.u64(1..100)));
        let write = Write::ALWAYS.lifetime(lifetime);
        let value = Bytes::from(vec![0; random.usize(0..20)]);
        match random.u32(0..8) {
            0 => drop(table.delete(&key, &Condition::Always).unwrap()),
            1 => drop(table.take(&key).unwrap()),
            2 => drop(table.touch(&key, Lifetime::Never).unwrap()),
            3 => drop(table.touch(&key, lifetime).unwrap()),
            4 => drop(table.set(&key, value, &Write::ALWAYS).unwrap()),
            _ => drop(table.set(&key, value, &write).unwrap()),
        }
    }

    #[test]
    fn what_is_counted_is_what_is_there_after_concurrent_changes() {
        for limit in [None, Some(300)] {
            let table = Table::new(limit, Some(1), Time::of(Arc::new(Frozen(Duration::ZERO))));
            std::thread::scope(|scope| {
                for seed in 0..4 {
                    let (table, mut random) = (&table, Rng::with_seed(seed));
                    scope.spawn(move || {
                        (0..5_000).for_each(|_| one_change(table, &mut random));
                        table.sweep_chunk(random.u64(0..100_000_000)).unwrap();
                    });
                }
            });
            check(&table);
            table.sweep_chunk(NEVER - 1).unwrap();
            check(&table);
        }
    }
}
