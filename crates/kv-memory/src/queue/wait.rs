//! Waiting for a claimable job in any of several partitions.

use std::time::Duration;

use kv_core::queue::Partition;

use super::partitions::Partitions;

/// Returns the partitions of a queue with a claimable job as soon as there is one; returns none
/// when `ended` says so or the queue is removed. A job that is due by `now`, at the beginning,
/// counts as well.
///
/// No wake-up is lost: the wait listens before it reads the partitions.
pub(super) async fn until(
    queue: &Partitions,
    waited: &[Partition],
    now: Duration,
    ended: impl Fn() -> bool,
) -> Vec<u32> {
    loop {
        let woken = queue.woken();
        let numbers = waited.iter().map(|partition| partition.number);
        let ready: Vec<u32> = numbers.filter(|number| queue.has_work(*number, now)).collect();
        if ended() || queue.is_removed() || !ready.is_empty() {
            return ready;
        }
        woken.await;
    }
}
