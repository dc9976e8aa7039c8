//! One stored value, with its version, deadline and last use.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use kv_core::{Entry, Remaining, Version};

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
}

impl Record {
    pub(crate) fn new(value: Bytes, version: u64, expires: u64) -> Self {
        Self { value, version, expires, used: AtomicU64::new(version) }
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

    /// How stale the record is after `writes` writes to the shard; eviction takes the highest.
    pub(crate) fn staleness(&self, writes: u64) -> u64 {
        let used = self.used.load(Ordering::Relaxed);
        let age = writes.saturating_sub(used);
        let reused = used > self.version;
        if reused { age } else { age.saturating_add(1).saturating_mul(REUSED_IS_YOUNGER) }
    }

    pub(crate) fn entry(&self) -> Entry {
        Entry { value: self.value.clone(), version: Version::from_number(self.version) }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reused_record_is_a_worse_victim_than_an_equally_old_one() {
        let (once, again) =
            (Record::new(Bytes::new(), 1, NEVER), Record::new(Bytes::new(), 1, NEVER));
        again.touch(1);
        assert!(again.staleness(100) < once.staleness(100));
    }

    #[test]
    fn a_reused_record_ages_all_the_same() {
        let (old, young) =
            (Record::new(Bytes::new(), 1, NEVER), Record::new(Bytes::new(), 990, NEVER));
        old.touch(1);
        assert!(old.staleness(1_000) > young.staleness(1_000));
    }
}
