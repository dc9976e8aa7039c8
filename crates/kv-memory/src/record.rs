//! One stored value, with its version, deadline and last use.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use kv_core::Remaining;

use crate::expiry::Deadline;
use crate::time::{Moment, NEVER};

/// A record that was used again counts as this many times younger, so that a scan over keys that
/// nobody reads again evicts its own keys first.
const REUSED_IS_YOUNGER: u64 = 8;

const NANOS_PER_MILLI: u64 = 1_000_000;

/// A stored value.
pub(crate) struct Record {
    pub(crate) value: Bytes,
    /// The number of the write in its shard: unique in the shard, and so for the key.
    pub(crate) version: u64,
    /// The clock's time in nanoseconds from which the record is invisible, or [`NEVER`].
    pub(crate) expires: u64,
    /// The shard's number of writes at the record's last use; above `version` after a second use.
    used: AtomicU64,
    /// Its place in the shard's order.
    pub(crate) at: u32,
    /// Whether it is evicted only when no plain record is left.
    pub(crate) is_guarded: bool,
}

impl Record {
    /// A record of its first use.
    pub(crate) fn new(value: Bytes, version: u64, expires: u64, at: u32, is_guarded: bool) -> Self {
        Self { value, version, expires, used: AtomicU64::new(version), at, is_guarded }
    }

    /// Whether the record is visible. Reads no clock for a record that does not expire.
    #[inline]
    pub(crate) fn is_live(&self, moment: &Moment<'_>) -> bool {
        self.expires == NEVER || moment.is_before(self.expires)
    }

    /// Notes a use after `writes` writes to the shard.
    #[inline]
    pub(crate) fn touch(&self, writes: u64) {
        let stamp = writes.saturating_add(1);
        // Most reads find the stamp of an earlier read and do not write the cache line.
        if self.used.load(Ordering::Relaxed) < stamp {
            self.used.store(stamp, Ordering::Relaxed);
        }
    }

    /// The shard's number of writes at the last use, and whether that was not the first.
    pub(crate) fn last_use(&self) -> (u64, bool) {
        let used = self.used.load(Ordering::Relaxed);
        (used, used > self.version)
    }

    /// Where the record of a key with this hash stands in the order of expiry.
    pub(crate) fn deadline(&self, hash: u64) -> Deadline {
        Deadline { expires: self.expires, version: self.version, hash }
    }

    /// The time left of a live record, in whole milliseconds, rounded up.
    pub(crate) fn remaining(&self, moment: &Moment<'_>) -> Remaining {
        if self.expires == NEVER {
            return Remaining::Forever;
        }
        let left = self.expires.saturating_sub(moment.nanos());
        Remaining::Expires(Duration::from_millis(left.div_ceil(NANOS_PER_MILLI)))
    }
}

/// How stale a record is so many writes after its last use; eviction takes the highest.
pub(crate) fn staleness(age: u64, is_reused: bool) -> u64 {
    if is_reused { age } else { age.saturating_add(1).saturating_mul(REUSED_IS_YOUNGER) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(version: u64) -> Record {
        Record::new(Bytes::new(), version, NEVER, 0, false)
    }

    fn stale(record: &Record, writes: u64) -> u64 {
        let (used, is_reused) = record.last_use();
        staleness(writes - used, is_reused)
    }

    #[test]
    fn a_reused_record_is_a_worse_victim_than_an_equally_old_one() {
        let (once, again) = (written(1), written(1));
        again.touch(1);
        assert!(stale(&again, 100) < stale(&once, 100));
    }

    #[test]
    fn a_reused_record_ages_all_the_same() {
        let (old, young) = (written(1), written(990));
        old.touch(1);
        assert!(stale(&old, 1_000) > stale(&young, 1_000));
    }
}
