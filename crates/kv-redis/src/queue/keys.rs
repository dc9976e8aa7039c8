//! Where a queue is stored.

use std::sync::Arc;

use bytes::Bytes;

/// The parts of a partition, in the order in which the scripts name them.
const PARTS: [&str; 11] = [
    "control", "jobs", "records", "ready", "timed", "leases", "dead", "unique", "windows", "lanes",
    "wake",
];

/// The keys of a partition.
pub(super) type Keys = Arc<[Bytes; PARTS.len()]>;

/// The places, among a partition's keys, of the keys that a glance reads.
pub(super) const GLANCE: [usize; 4] = [0, 3, 4, 5];

/// The place, among a partition's keys, of the list on which a waiting process blocks.
pub(super) const WAKE: usize = PARTS.len() - 1;

/// The keys of one partition: `PREFIX{REST:NUMBER}:PART`, of a queue that is stored as
/// `PREFIX` and `REST`.
///
/// All keys have the same hash tag, so they are in one slot of a Cluster; other partitions are in
/// other slots. Neither a prefix nor a queue's name has braces.
pub(super) fn of_partition(prefix: &str, queue: &str, number: u32) -> Keys {
    let (prefix, rest) = split(prefix, queue);
    Arc::new(PARTS.map(|part| Bytes::from(format!("{prefix}{{{rest}:{number}}}:{part}"))))
}

/// An empty key in a partition's slot, written only for a WAIT that follows.
pub(super) fn marker(prefix: &str, queue: &str, number: u32) -> Bytes {
    let (prefix, rest) = split(prefix, queue);
    Bytes::from(format!("{prefix}{{{rest}:{number}}}:copied"))
}

/// Everything that is stored for one partition.
pub(super) fn all_of_partition(prefix: &str, queue: &str, number: u32) -> Arc<[Bytes]> {
    let keys = of_partition(prefix, queue, number);
    keys.iter().cloned().chain([marker(prefix, queue, number)]).collect()
}

/// The key of the queue's description.
pub(super) fn of_queue(prefix: &str, queue: &str) -> Bytes {
    let (prefix, rest) = split(prefix, queue);
    Bytes::from(format!("{prefix}{{{rest}}}:queue"))
}

fn split<'a>(prefix: &'a str, queue: &'a str) -> (&'a str, &'a str) {
    queue.strip_prefix(prefix).map_or(("", queue), |rest| (prefix, rest))
}

/// A lane's name as its field and its member.
pub(super) fn lane(name: &str) -> Bytes {
    Bytes::from(["lane:", name].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_keys_of_a_partition_have_its_hash_tag_and_the_prefix() {
        let keys = of_partition("app:", "app:!kv:queue:fetch", 3);
        assert_eq!(keys[0], "app:{!kv:queue:fetch:3}:control");
        assert_eq!(keys[WAKE], "app:{!kv:queue:fetch:3}:wake");
        assert_eq!(of_queue("app:", "app:!kv:queue:fetch"), "app:{!kv:queue:fetch}:queue");
    }
}
