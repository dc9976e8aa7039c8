//! Where a queue is stored: the one place that knows its names.
//!
//! Each begins with the prefix and [`RESERVED`]. A service in Python that shares the server reads,
//! by its `range_get`, every key under the prefix whose rest sorts at or after a name of its own;
//! an exclamation mark sorts before all letters and digits, so it never meets what is no string.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use kv_core::RESERVED;

/// The parts of a partition, in the order in which the scripts name them; last those of groups.
const PARTS: [&str; 13] = [
    "control", "jobs", "records", "ready", "timed", "leases", "dead", "unique", "windows", "lanes",
    "wake", "grouped", "groups",
];

/// The part that counts.
const CONTROL: usize = 0;

/// The part on which a waiting process blocks.
const WAKE: usize = 10;

/// The first part of groups.
const GROUPED: usize = 11;

/// The parts that a glance reads.
const GLANCE: [usize; 5] = [CONTROL, 3, 4, 5, GROUPED];

/// The keys of one partition: `PREFIX!kv:{REST:NUMBER}:PART`, of a queue that is stored as
/// `PREFIX` and `REST`.
///
/// All keys have the same hash tag, so they are in one slot of a Cluster; other partitions are in
/// other slots. Neither a prefix nor a queue's name has braces.
pub(super) struct PartitionKeys {
    all: Arc<[Bytes]>,
    /// All but those of groups: each key that a request declares costs it time.
    without_groups: Arc<[Bytes]>,
    has_groups: AtomicBool,
}

/// The keys of a partition, for all that use them.
pub(super) type Keys = Arc<PartitionKeys>;

impl PartitionKeys {
    pub(super) fn new(prefix: &str, queue: &str, number: u32) -> Self {
        let (prefix, rest) = split(prefix, queue);
        let base = format!("{prefix}{RESERVED}{{{rest}:{number}}}:");
        let all = PARTS.map(|part| Bytes::from([&*base, part].concat()));
        let without_groups = all[..GROUPED].into();
        Self { all: all.into(), without_groups, has_groups: AtomicBool::new(false) }
    }

    /// All keys.
    pub(super) fn all(&self) -> Arc<[Bytes]> {
        Arc::clone(&self.all)
    }

    /// All keys but those of groups.
    pub(super) fn without_groups(&self) -> Arc<[Bytes]> {
        Arc::clone(&self.without_groups)
    }

    /// Whether a request was told that the partition has groups.
    pub(super) fn has_groups(&self) -> bool {
        self.has_groups.load(Ordering::Relaxed)
    }

    pub(super) fn learn_of_groups(&self) {
        self.has_groups.store(true, Ordering::Relaxed);
    }

    /// The list on which a waiting process blocks.
    pub(super) fn wake(&self) -> &Bytes {
        &self.all[WAKE]
    }

    /// The keys that a glance reads.
    pub(super) fn glance(&self) -> [Bytes; GLANCE.len()] {
        GLANCE.map(|part| self.all[part].clone())
    }
}

/// The key of a partition's counters, beside its list of wake-ups.
pub(super) fn counters_beside(wake: &Bytes) -> Bytes {
    let base = wake.len().saturating_sub(PARTS[WAKE].len());
    [wake.slice(..base), Bytes::from_static(PARTS[CONTROL].as_bytes())].concat().into()
}

/// An empty key in a partition's slot, written only for a WAIT that follows.
pub(super) fn marker(prefix: &str, queue: &str, number: u32) -> Bytes {
    let (prefix, rest) = split(prefix, queue);
    Bytes::from(format!("{prefix}{RESERVED}{{{rest}:{number}}}:copied"))
}

/// Everything that is stored for one partition.
pub(super) fn all_of_partition(prefix: &str, queue: &str, number: u32) -> Arc<[Bytes]> {
    let keys = PartitionKeys::new(prefix, queue, number).all;
    keys.iter().cloned().chain([marker(prefix, queue, number)]).collect()
}

/// The key of the queue's description.
pub(super) fn of_queue(prefix: &str, queue: &str) -> Bytes {
    let (prefix, rest) = split(prefix, queue);
    Bytes::from(format!("{prefix}{RESERVED}{{{rest}}}:queue"))
}

/// Where builds before format 3 kept what [`of_queue`] names, in the same slot.
pub(super) fn former_of_queue(prefix: &str, queue: &str) -> Bytes {
    let (prefix, rest) = split(prefix, queue);
    Bytes::from(format!("{prefix}{{{rest}}}:queue"))
}

/// Where builds before format 3 kept the jobs of a partition.
pub(super) fn former_of_partition(prefix: &str, queue: &str, number: u32) -> Arc<[Bytes]> {
    let (prefix, rest) = split(prefix, queue);
    let parts = ["ready", "timed", "leases", "dead"];
    parts.map(|part| Bytes::from(format!("{prefix}{{{rest}:{number}}}:{part}"))).into()
}

fn split<'a>(prefix: &'a str, queue: &'a str) -> (&'a str, &'a str) {
    queue.strip_prefix(prefix).map_or(("", queue), |rest| (prefix, rest))
}

/// A session's name as its field and its member.
pub(super) fn session(name: &str) -> Bytes {
    Bytes::from(["lane:", name].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_keys_of_a_partition_have_its_hash_tag_and_the_prefix() {
        let keys = PartitionKeys::new("app:", "app:!kv:queue:fetch", 3);
        assert_eq!(keys.all[CONTROL], "app:!kv:{!kv:queue:fetch:3}:control");
        assert_eq!(keys.wake(), "app:!kv:{!kv:queue:fetch:3}:wake");
        assert_eq!(counters_beside(keys.wake()), keys.all[CONTROL]);
        assert_eq!(*keys.without_groups, keys.all[..GROUPED]);
        assert_eq!(of_queue("app:", "app:!kv:queue:fetch"), "app:!kv:{!kv:queue:fetch}:queue");
    }

    /// What a reader in Python compares is the name without the prefix.
    #[test]
    fn all_keys_sort_before_every_name_that_begins_with_a_letter_or_a_digit() {
        let (prefix, queue) = ("app:", "app:!kv:queue:fetch");
        let described = [of_queue(prefix, queue), marker(prefix, queue, 0)];
        for key in PartitionKeys::new(prefix, queue, 0).all.iter().chain(&described) {
            let rest = key.strip_prefix(prefix.as_bytes()).unwrap();
            assert!(rest.starts_with(RESERVED.as_bytes()) && rest < &b"0"[..], "{key:?}");
        }
    }
}
