//! Waiting for a claimable job in any of several partitions.

use std::time::Duration;

use kv_core::queue::Partition;

use super::partitions::Partitions;

/// Returns in which partitions of a queue a job is claimable, as soon as it is one, or none when
/// `ended` says so or the queue is removed. What is due by `now`, at the beginning, counts as well.
///
/// No wake-up is lost: it is listened for before the partitions are looked at.
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
