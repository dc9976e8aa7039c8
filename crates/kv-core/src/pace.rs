//! Yielding to other tasks during much encoding or decoding.

use std::future::poll_fn;
use std::task::Poll;

use crate::queue::BATCH_BYTES;

/// Lets other tasks of the thread run after each MiB: a gigabyte of values takes seconds to encode,
/// during which no other task of the thread could run.
///
/// ```
/// # async fn of(values: Vec<String>) -> Vec<String> {
/// let (mut pace, mut upper) = (kv_core::Pace::default(), Vec::new());
/// for value in values {
///     pace.handled(value.len()).await;
///     upper.push(value.to_uppercase());
/// }
/// upper
/// # }
/// ```
#[derive(Debug, Default)]
pub struct Pace {
    bytes: usize,
}

impl Pace {
    /// Counts this many encoded or decoded bytes. Needs no runtime.
    ///
    /// # Cancel safety
    /// A dropped future loses nothing.
    pub async fn handled(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes < BATCH_BYTES {
            return;
        }
        self.bytes = 0;
        let mut yielded = false;
        poll_fn(|context| {
            if std::mem::replace(&mut yielded, true) {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Waker};

    use super::*;

    #[test]
    fn other_tasks_run_after_each_megabyte() {
        let mut pace = Pace::default();
        let mut made_way = || {
            let mut handled = pin!(pace.handled(BATCH_BYTES / 2));
            let mut context = Context::from_waker(Waker::noop());
            let is_pending = handled.as_mut().poll(&mut context).is_pending();
            assert!(!is_pending || handled.poll(&mut context).is_ready(), "once only");
            is_pending
        };
        let made_way: Vec<bool> = (0..4).map(|_| made_way()).collect();
        assert_eq!(made_way, [false, true, false, true]);
    }
}
