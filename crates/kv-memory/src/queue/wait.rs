//! Waiting for a claimable job in any of several partitions.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::sync::futures::Notified;

use super::partitions::Partitions;

/// Returns when a job is claimable in one of the partitions, or `ended` says so.
///
/// No wake-up is lost: it is listened for before the tables are looked at.
pub(super) async fn until(waited: &[(Arc<Partitions>, u32)], ended: impl Fn() -> bool) {
    loop {
        let mut wakes: Vec<_> = waited.iter().map(|(queue, _)| Box::pin(queue.woken())).collect();
        let ready = || waited.iter().any(|(queue, number)| queue.is_claimable(*number));
        if ended() || ready() {
            return;
        }
        poll_fn(|context| any(&mut wakes, context)).await;
    }
}

fn any(wakes: &mut [Pin<Box<Notified<'_>>>], context: &mut Context<'_>) -> Poll<()> {
    let woken = |wake: &mut Pin<Box<Notified<'_>>>| wake.as_mut().poll(context).is_ready();
    if wakes.iter_mut().any(woken) { Poll::Ready(()) } else { Poll::Pending }
}
