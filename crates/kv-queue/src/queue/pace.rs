//! Yielding to other tasks during much encoding or decoding.

use kv_core::queue::BATCH_BYTES;

/// Lets other tasks of the runtime run after each [`BATCH_BYTES`]: a gigabyte of payloads takes
/// seconds, during which no other task of the thread could run.
#[derive(Debug, Default)]
pub(super) struct Pace {
    bytes: usize,
}

impl Pace {
    /// Counts this many encoded or decoded bytes.
    ///
    /// # Cancel safety
    /// A dropped future loses nothing.
    pub(super) async fn handled(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes >= BATCH_BYTES {
            self.bytes = 0;
            tokio::task::yield_now().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn other_tasks_run_after_each_megabyte() {
        let mut pace = Pace::default();
        let half = BATCH_BYTES / 2;
        let made_way: Vec<bool> =
            (0..4).map(|_| pace.handled(half).now_or_never().is_none()).collect();
        assert_eq!(made_way, [false, true, false, true]);
    }
}
