//! The map of all records, and what stands beside it.
//!
//! A read goes to the map alone: its record has the value, the version, the deadline and the stamp
//! of the last use.
//!
//! # Locks
//! The lock of a map's shard covers everything about its records. Whoever holds it for writing, or
//! walks over the keys, then takes the lock of the shard's order, and nobody takes another lock
//! while holding that one. No call holds the locks of two shards.

use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use ahash::RandomState;
use dashmap::{DashMap, RwLockReadGuard};
use fastrand::Rng;
use kv_core::{Error, Result, Stats, Watchers};

use crate::order::MAX_RECORDS;
use crate::reads::Reads;
use crate::record::Record;
use crate::records::{Place, Records};
use crate::shard::Writing;
use crate::side::{Side, Tally};
use crate::time::Time;

/// The most shards: enough that threads seldom meet.
const MAX_SHARDS: usize = 64;

/// The map has no fewer shards; a table of one shard leaves the other empty.
const MIN_SHARDS_OF_MAP: usize = 2;

/// A bounded table has one shard for this many records, so that an eviction, which examines one
/// shard, chooses among enough records.
const MIN_RECORDS_A_SHARD: usize = 128;

/// Sharded records with lifetimes and a bound.
pub(crate) struct Table {
    /// Used by hash and shard, so that a key is hashed once, before its future is allocated.
    map: DashMap<Box<str>, Record, RandomState>,
    /// What stands beside each shard of the map that is in use.
    sides: Box<[Side]>,
    pub(crate) reads: Reads,
    pub(crate) time: Time,
    pub(crate) limit: usize,
    closed: AtomicBool,
    /// Held while sweeping or evicting, and always taken before a shard's lock. Chooses the records
    /// to evict.
    cleaning: Mutex<Rng>,
    pub(crate) tally: Tally,
    /// Told once a shard is unlocked, since they may come back here.
    pub(crate) watchers: Watchers,
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
        let shards: usize = 1 << shards.ilog2();
        let mut random = seed.map_or_else(Rng::new, Rng::with_seed);
        let mut next = || random.u64(..);
        let hasher = RandomState::with_seeds(next(), next(), next(), next());
        let of_map = shards.max(MIN_SHARDS_OF_MAP);
        Self {
            map: DashMap::with_hasher_and_shard_amount(hasher, of_map),
            sides: (0..shards).map(|_| Side::default()).collect(),
            reads: Reads::new(),
            time,
            limit,
            closed: AtomicBool::new(false),
            cleaning: Mutex::new(random),
            tally: Tally::default(),
            watchers: Watchers::default(),
        }
    }

    #[inline(always)]
    pub(crate) fn place(&self, key: &str) -> Place {
        let mut hasher = self.map.hasher().build_hasher();
        // The bytes alone: what `Hash` adds keeps apart parts of a larger key.
        hasher.write(key.as_bytes());
        let hash = hasher.finish();
        // The map within a shard uses the lowest and the highest bits.
        let bits = usize::try_from((hash >> 32) & 0xFFFF).unwrap_or_default();
        Place { hash, shard: bits & (self.sides.len() - 1) }
    }

    pub(crate) fn shards(&self) -> usize {
        self.sides.len()
    }

    /// Refuses a closed table. A caller that checks under a shard's lock adds nothing after a
    /// close.
    pub(crate) fn check_open(&self) -> Result<()> {
        if self.closed.load(Ordering::Acquire) { Err(Error::closed()) } else { Ok(()) }
    }

    #[inline]
    pub(crate) fn side(&self, shard: usize) -> &Side {
        &self.sides[shard]
    }

    /// Locks a shard's records, of a closed table too: it has none.
    #[inline]
    pub(crate) fn records(&self, shard: usize) -> RwLockReadGuard<'_, Records> {
        self.map.shards()[shard].read()
    }

    pub(crate) fn read(&self, shard: usize) -> Result<RwLockReadGuard<'_, Records>> {
        let records = self.records(shard);
        self.check_open()?;
        Ok(records)
    }

    #[inline]
    pub(crate) fn write(&self, shard: usize) -> Result<Writing<'_>> {
        let writing = self.lock(shard);
        self.check_open()?;
        Ok(writing)
    }

    #[inline]
    fn lock(&self, shard: usize) -> Writing<'_> {
        let records = self.map.shards()[shard].write();
        Writing::new(records, self.side(shard), &self.tally)
    }

    pub(crate) fn stats(&self) -> Result<Stats> {
        self.check_open()?;
        let (hits, misses) = self.reads.sums();
        let bytes = self.sides.iter().map(|side| side.bytes.load(Ordering::Relaxed));
        let mut stats = Stats::default();
        stats.keys = u64::try_from(self.tally.records.load(Ordering::Relaxed)).ok();
        stats.hits = Some(hits);
        stats.misses = Some(misses);
        stats.expired = Some(self.tally.expired.load(Ordering::Relaxed));
        stats.evicted = Some(self.tally.evicted.load(Ordering::Relaxed));
        stats.bytes = Some(bytes.fold(0, u64::saturating_add));
        Ok(stats)
    }

    /// Refuses all later calls and frees the records.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        for shard in 0..self.shards() {
            let records = self.lock(shard).clear();
            drop(records);
        }
        self.watchers.lost(Error::closed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use bytes::Bytes;
    use kv_core::{Condition, Lifetime, Write};

    use super::*;
    use crate::records::find_at;
    use crate::time::{Frozen, NEVER};

    /// Compares the counts with the records.
    fn check(table: &Table) {
        let (mut records, mut bytes, mut next_due) = (0, 0, NEVER);
        for shard in 0..table.shards() {
            let (held, order) = (table.read(shard).unwrap(), table.side(shard).order());
            assert_eq!(held.len(), order.len());
            let mut first = NEVER;
            for (at, hash) in order.range(0, order.len()) {
                let (key, record) = find_at(&held, hash, at).expect("a slot has its record");
                bytes += (key.len() + record.value.len()) as u64;
                first = first.min(record.expires);
            }
            records += held.len();
            assert_eq!(order.expiry.next(), first);
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
