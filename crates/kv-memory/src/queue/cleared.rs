//! Giving the memory of many jobs back without holding others up.

use std::future::poll_fn;
use std::task::Poll;

use kv_queue_machine::Cleared;

/// How many jobs, or other entries, are dropped at a time: well below a millisecond.
const AT_ONCE: usize = 1_000;

/// Drops what was cleared, and lets other tasks of the thread run after each part.
pub(super) async fn drop_in_parts(mut cleared: Cleared) {
    poll_fn(|context| {
        if cleared.drop_some(AT_ONCE) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(())
    })
    .await;
}
