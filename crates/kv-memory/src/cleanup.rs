//! Removing records that nobody deleted: sweeps, and evictions from a full table.

use std::sync::atomic::Ordering;

use fastrand::Rng;
use kv_core::Result;

use crate::eviction::Victims;
use crate::shard::Removed;
use crate::table::Table;
use crate::time::NEVER;

/// The most records that a sweep removes before it unlocks the shards, and the most that a write
/// removes on its behalf.
const CHUNK: usize = 256;

impl Table {
    /// Removes the records that have expired by now, and returns how many. Its cost is proportional
    /// to that number.
    pub(crate) fn sweep(&self) -> usize {
        let started = self.time.moment();
        let now = started.nanos();
        let mut removed = 0;
        // Ends, because records added meanwhile expire later than `now`.
        while let Ok(chunk @ 1..) = self.sweep_chunk(now) {
            removed += chunk;
        }
        if removed > 0 {
            let micros = self.time.moment().nanos().saturating_sub(now) / 1_000;
            tracing::debug!(removed, micros, "swept expired keys");
        }
        removed
    }

    /// Removes at most [`CHUNK`] records that have expired.
    pub(crate) fn sweep_chunk(&self, now: u64) -> Result<usize> {
        let mut removed = Vec::new();
        let alone = self.cleaning();
        let done = self.pop_expired(now, &mut removed);
        // Dropping a value runs the caller's code, which may come back here.
        drop(alone);
        self.tell_removed(&removed);
        done.map(|()| removed.len())
    }

    /// Takes out at most [`CHUNK`] expired records. Only one thread at a time may do this, since
    /// `next_due` is wrong until a pass has ended.
    fn pop_expired(&self, now: u64, removed: &mut Vec<Removed>) -> Result<()> {
        if self.tally.next_due.load(Ordering::Relaxed) > now {
            return Ok(());
        }
        // Unlocking a shard lowers it again to what that shard has next, so that after a whole
        // pass it is right, whatever others added before or behind it.
        self.tally.next_due.store(NEVER, Ordering::Relaxed);
        for shard in 0..self.shards() {
            let mut writing = self.write(shard)?;
            // Also of the shards behind the last that the chunk had room for.
            writing.tell_next_due();
            while removed.len() < CHUNK
                && let Some(record) = writing.pop_due(now)
            {
                removed.push(record);
            }
        }
        self.tally.count_expired(removed.len());
        Ok(())
    }

    /// Brings a table that a write made too large back to its limit, but spares the record of that
    /// write.
    ///
    /// Every write that adds a record calls this once it is unlocked. So there are never more
    /// records above the limit than writes running.
    pub(crate) fn make_room(&self, shard: usize, version: u64) {
        if !self.is_too_large() {
            return;
        }
        let mut removed = Vec::new();
        // One at a time, or two writers would each evict for the other's record too.
        let mut alone = self.cleaning();
        let moment = self.time.moment();
        // Mostly nothing is due, and the exact time, which costs as much as the eviction, is not
        // needed to know that.
        if self.is_too_large() && !moment.is_before(self.tally.next_due.load(Ordering::Relaxed)) {
            let _ = self.pop_expired(moment.nanos(), &mut removed);
        }
        while self.is_too_large()
            && let Some(record) = self.evict_one(shard, version, &mut alone)
        {
            removed.push(record);
        }
        drop(alone);
        self.tell_removed(&removed);
    }

    fn tell_removed(&self, removed: &[Removed]) {
        removed.iter().for_each(|(key, _)| self.watchers.changed(key));
    }

    fn is_too_large(&self) -> bool {
        self.tally.records.load(Ordering::Relaxed) > self.limit
    }

    /// Evicts a plain record if there is one anywhere, else any other.
    fn evict_one(&self, first: usize, version: u64, random: &mut Rng) -> Option<Removed> {
        let mut evict = |who| self.evict_from(who, first, version, random);
        evict(Victims::Plain).or_else(|| evict(Victims::All))
    }

    /// Evicts from the shard that was written to, or from the next one that has such a record.
    fn evict_from(
        &self,
        who: Victims,
        first: usize,
        version: u64,
        random: &mut Rng,
    ) -> Option<Removed> {
        for step in 0..self.shards() {
            let shard = (first + step) % self.shards();
            let mut writing = self.write(shard).ok()?;
            let spare = (step == 0).then_some(version);
            if let Some(record) = writing.evict(who, spare, random) {
                drop(writing);
                self.report_eviction();
                return Some(record);
            }
        }
        None
    }

    /// Logs the first eviction, the second, the fourth and so on: a full store evicts at every
    /// write, but must not log at every write.
    fn report_eviction(&self) {
        let evicted = self.tally.evicted.fetch_add(1, Ordering::Relaxed) + 1;
        if evicted.is_power_of_two() {
            tracing::debug!(evicted, max_entries = self.limit, "evicting keys from a full store");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use bytes::Bytes;
    use kv_core::{Lifetime, Write};

    use super::*;
    use crate::time::{Frozen, Time};

    fn filled(limit: Option<usize>, keys: usize) -> Table {
        let table = Table::new(limit, Some(1), Time::of(Arc::new(Frozen(Duration::ZERO))));
        for key in 0..keys {
            let hour = Lifetime::In(Duration::from_secs(3_600 + key as u64));
            table.set(&key.to_string(), Bytes::new(), &Write::ALWAYS.lifetime(hour)).unwrap();
        }
        table
    }

    fn examined(table: &Table) -> usize {
        (0..table.shards()).map(|shard| table.side(shard).examined.load(Ordering::Relaxed)).sum()
    }

    #[test]
    fn a_sweep_costs_by_what_expires_and_not_by_what_is_stored() {
        let table = filled(None, 20_000);
        let before = examined(&table);
        let hour_and_9_s = 3_609 * 1_000_000_000;
        let removed = table.sweep_chunk(hour_and_9_s).unwrap();
        assert_eq!(removed, 10);
        let examined = examined(&table) - before;
        assert!(examined <= 10 * removed, "examined {examined} to remove {removed} of 20,000");
    }

    #[test]
    fn a_sweep_lets_go_after_each_chunk_and_comes_back_for_the_rest() {
        let table = filled(None, 1_000);
        assert_eq!(table.sweep_chunk(NEVER - 1).unwrap(), CHUNK);
        assert_ne!(table.tally.next_due.load(Ordering::Relaxed), NEVER);
        for left in [1_000 - CHUNK, 1_000 - 2 * CHUNK, 1_000 - 3 * CHUNK] {
            assert_eq!(table.sweep_chunk(NEVER - 1).unwrap(), left.min(CHUNK));
        }
        assert_eq!(table.tally.next_due.load(Ordering::Relaxed), NEVER);
        assert_eq!(table.tally.records.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_write_to_a_full_store_examines_a_few_records() {
        let table = filled(Some(20_000), 20_000);
        let before = examined(&table);
        table.set("one more", Bytes::new(), &Write::ALWAYS).unwrap();
        assert_eq!(table.tally.evicted.load(Ordering::Relaxed), 1);
        let examined = examined(&table) - before;
        assert!(examined <= 20, "examined {examined}");
    }
}
