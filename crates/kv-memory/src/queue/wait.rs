//! Waiting for a claimable job in any of several partitions.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::futures::Notified;

use super::partitions::Partitions;

/// Returns the partitions with a claimable job as soon as there is one; returns none when `ended`
/// says so or a queue is removed. A job that is due by `now`, at the beginning, counts as well.
///
/// No wake-up is lost: the wait listens before it reads the tables.
pub(super) async fn until(
    waited: &[(Arc<Partitions>, u32)],
    now: Duration,
    ended: impl Fn() -> bool,
) -> Vec<u32> {
    loop {
        let mut wakes: Vec<_> = waited.iter().map(|(queue, _)| Box::pin(queue.woken())).collect();
        let ready = waited.iter().filter(|(queue, number)| queue.has_work(*number, now));
        let ready: Vec<u32> = ready.map(|(_, number)| *number).collect();
        let is_removed = waited.iter().any(|(queue, _)| queue.is_removed());
        if ended() || is_removed || !ready.is_empty() {
            return ready;
        }
        poll_fn(|context| any(&mut wakes, context)).await;
    }
}

fn any(wakes: &mut [Pin<Box<Notified<'_>>>], context: &mut Context<'_>) -> Poll<()> {
    let woken = |wake: &mut Pin<Box<Notified<'_>>>| wake.as_mut().poll(context).is_ready();
    if wakes.iter_mut().any(woken) { Poll::Ready(()) } else { Poll::Pending }
}
