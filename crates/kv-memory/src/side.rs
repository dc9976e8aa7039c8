//! What stands beside the map: for each of its shards, and what all of them count together.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::order::Order;
use crate::time::NEVER;

/// What stands beside one shard of the map, on cache lines of its own. The numbers change only
/// under the shard's lock for writing.
#[derive(Default)]
#[repr(align(128))]
pub(crate) struct Side {
    /// Writes so far: the source of versions, and the clock by which records age.
    writes: AtomicU64,
    /// Bytes of keys and values.
    pub(crate) bytes: AtomicU64,
    order: Mutex<Order>,
    /// How often a record was examined, for tests of what an operation costs.
    #[cfg(test)]
    pub(crate) examined: AtomicUsize,
}

impl Side {
    #[inline]
    pub(crate) fn writes(&self) -> u64 {
        self.writes.load(Ordering::Relaxed)
    }

    /// The number of a new write. Two threads never count at once.
    pub(crate) fn count_write(&self) -> u64 {
        let writes = self.writes().saturating_add(1);
        self.writes.store(writes, Ordering::Relaxed);
        writes
    }

    /// Less of what was, more of what is now.
    pub(crate) fn change_bytes(&self, was: usize, is: usize) {
        let bytes = self.bytes.load(Ordering::Relaxed);
        let bytes = bytes.saturating_sub(was as u64).saturating_add(is as u64);
        self.bytes.store(bytes, Ordering::Relaxed);
    }

    pub(crate) fn order(&self) -> MutexGuard<'_, Order> {
        self.order.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn count_examined(&self) {
        #[cfg(test)]
        self.examined.fetch_add(1, Ordering::Relaxed);
    }
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

impl Default for Tally {
    fn default() -> Self {
        Self {
            records: AtomicUsize::new(0),
            next_due: AtomicU64::new(NEVER),
            expired: AtomicU64::new(0),
            evicted: AtomicU64::new(0),
        }
    }
}

impl Tally {
    pub(crate) fn count_expired(&self, records: usize) {
        let records = u64::try_from(records).unwrap_or(u64::MAX);
        self.expired.fetch_add(records, Ordering::Relaxed);
    }
}
