//! Where a queue is stored: the one place that knows its names.
//!
//! Each begins with the prefix and [`RESERVED`]. A service in Python that shares the server reads,
//! by its `range_get`, every key under the prefix whose rest sorts at or after a name of its own;
//! an exclamation mark sorts before all letters and digits, so it never meets what is no string.

use std::sync::Arc;

use bytes::Bytes;
use kv_core::RESERVED;

/// The parts of a partition, in the order in which the scripts name them.
const PARTS: [&str; 14] = [
    "control", "jobs", "records", "ready", "timed", "leases", "dead", "unique", "windows", "lanes",
    "grouped", "groups", "wake", "done",
];

/// The keys of a partition.
pub(super) type Keys = Arc<[Bytes; PARTS.len()]>;

/// The places, among a partition's keys, of the keys that a glance reads.
pub(super) const GLANCE: [usize; 5] = [0, 3, 4, 5, 10];

/// The place, among a partition's keys, of the list on which a waiting process blocks.
pub(super) const WAKE: usize = PARTS.len() - 2;

/// The keys of one partition: `PREFIX!kv:{REST:NUMBER}:PART`, of a queue that is stored as
/// `PREFIX` and `REST`.
///
/// All keys have the same hash tag, so they are in one slot of a Cluster; other partitions are in
/// other slots. Neither a prefix nor a queue's name has braces.
pub(super) fn of_partition(prefix: &str, queue: &str, number: u32) -> Keys {
    let (prefix, rest) = split(prefix, queue);
    let base = format!("{prefix}{RESERVED}{{{rest}:{number}}}:");
    Arc::new(PARTS.map(|part| Bytes::from([&*base, part].concat())))
}

/// The key of a partition's counters, beside its list of wake-ups.
pub(super) fn counters_beside(wake: &Bytes) -> Bytes {
    let [counters, .., wakes, _] = PARTS;
    let base = wake.len().saturating_sub(wakes.len());
    [wake.slice(..base), Bytes::from_static(counters.as_bytes())].concat().into()
}

/// An empty key in a partition's slot, written only for a WAIT that follows.
pub(super) fn marker(prefix: &str, queue: &str, number: u32) -> Bytes {
    let (prefix, rest) = split(prefix, queue);
    Bytes::from(format!("{prefix}{RESERVED}{{{rest}:{number}}}:copied"))
}

/// Everything that is stored for one partition.
pub(super) fn all_of_partition(prefix: &str, queue: &str, number: u32) -> Arc<[Bytes]> {
    let keys = of_partition(prefix, queue, number);
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
        let keys = of_partition("app:", "app:!kv:queue:fetch", 3);
        assert_eq!(keys[0], "app:!kv:{!kv:queue:fetch:3}:control");
        assert_eq!(keys[WAKE], "app:!kv:{!kv:queue:fetch:3}:wake");
        assert_eq!(counters_beside(&keys[WAKE]), keys[0]);
        assert_eq!(of_queue("app:", "app:!kv:queue:fetch"), "app:!kv:{!kv:queue:fetch}:queue");
    }

    /// What a reader in Python compares is the name without the prefix.
    #[test]
    fn all_keys_sort_before_every_name_that_begins_with_a_letter_or_a_digit() {
        let (prefix, queue) = ("app:", "app:!kv:queue:fetch");
        let described = [of_queue(prefix, queue), marker(prefix, queue, 0)];
        for key in of_partition(prefix, queue, 0).iter().chain(&described) {
            let rest = key.strip_prefix(prefix.as_bytes()).unwrap();
            assert!(rest.starts_with(RESERVED.as_bytes()) && rest < &b"0"[..], "{key:?}");
        }
    }
}
