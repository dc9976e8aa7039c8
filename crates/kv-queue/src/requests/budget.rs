//! How many bytes of jobs travel at once.
//!
//! A slow request or reply holds up every other caller of the connection, and one that cannot
//! arrive in its time is sent again as a whole. So a size bounds each request and each reply; a
//! timeout halves the size, and successes double it again. Twice that size bounds all requests in
//! flight together.

use std::sync::atomic::{AtomicUsize, Ordering};

use kv_core::queue::BATCH_BYTES;
use tokio::sync::{Semaphore, SemaphorePermit};

/// How many bytes may be in flight: while the store works on one request, the next one travels.
const IN_FLIGHT: usize = 2 * BATCH_BYTES;

/// A request smaller than this does not wait for room.
const SMALL: usize = 16 << 10;

/// Timeouts do not lower the size of a request below this.
const SMALLEST: usize = 64 << 10;

/// The budget of one open queue.
pub(super) struct Budget {
    size: AtomicUsize,
    /// The size of the largest job in the last replies; all bits set before the first reply.
    job: AtomicUsize,
    free: Semaphore,
}

impl Budget {
    pub(super) fn new() -> Self {
        Self {
            size: AtomicUsize::new(BATCH_BYTES),
            job: AtomicUsize::new(usize::MAX),
            free: Semaphore::new(IN_FLIGHT),
        }
    }

    /// How many bytes a request or a reply may have; one larger job may exceed it.
    pub(super) fn size(&self) -> usize {
        self.size.load(Ordering::Relaxed)
    }

    /// Learns whether a request was answered in time.
    pub(super) fn learn(&self, in_time: bool) {
        let size = self.size();
        let next = if in_time { size.saturating_mul(2) } else { size / 2 };
        let next = next.clamp(SMALLEST, BATCH_BYTES);
        if next != size {
            self.size.store(next, Ordering::Relaxed);
        }
    }

    /// Learns the sizes of the jobs that a claim brought.
    pub(super) fn learn_of_jobs(&self, sizes: impl Iterator<Item = usize>) {
        let Some(largest) = sizes.max() else { return };
        let known = self.job.load(Ordering::Relaxed);
        let fading = if known == usize::MAX { 0 } else { known - known / 8 };
        let next = largest.max(fading);
        if next != known {
            self.job.store(next, Ordering::Relaxed);
        }
    }

    /// How many bytes a claim of this many jobs is likely to bring.
    pub(super) fn expected(&self, jobs: usize) -> usize {
        self.job.load(Ordering::Relaxed).saturating_mul(jobs).min(self.size())
    }

    /// Waits until there is room for this many bytes; they count as in flight until the permit is
    /// dropped.
    ///
    /// After timeouts fewer bytes may be in flight, in proportion to the size.
    ///
    /// # Cancel safety
    /// A dropped future holds no room.
    pub(super) async fn admit(&self, bytes: usize) -> Option<SemaphorePermit<'_>> {
        if bytes <= SMALL {
            return None;
        }
        let scaled = bytes.saturating_mul(BATCH_BYTES / self.size().max(1)).min(IN_FLIGHT);
        self.free.acquire_many(u32::try_from(scaled).ok()?).await.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_halves_the_size_and_a_success_doubles_it() {
        let budget = Budget::new();
        budget.learn(false);
        assert_eq!(budget.size(), BATCH_BYTES / 2);
        (0..20).for_each(|_| budget.learn(false));
        assert_eq!(budget.size(), SMALLEST);
        (0..20).for_each(|_| budget.learn(true));
        assert_eq!(budget.size(), BATCH_BYTES);
    }

    #[test]
    fn a_claim_is_expected_to_bring_what_the_last_ones_brought() {
        let budget = Budget::new();
        assert_eq!(budget.expected(1), BATCH_BYTES, "nothing is known yet");
        budget.learn_of_jobs([100, 50].into_iter());
        assert_eq!(budget.expected(10), 1_000);
        budget.learn_of_jobs([BATCH_BYTES].into_iter());
        assert_eq!(budget.expected(10), BATCH_BYTES, "no more than is asked for");
    }

    #[tokio::test]
    async fn after_a_timeout_fewer_large_requests_are_under_way() {
        let budget = Budget::new();
        let under_way = [budget.admit(BATCH_BYTES).await, budget.admit(BATCH_BYTES).await];
        assert_eq!(budget.free.available_permits(), 0);
        assert!(budget.admit(SMALL).await.is_none(), "what is small waits for nothing");
        drop(under_way);
        budget.learn(false);
        let _one = budget.admit(BATCH_BYTES).await;
        assert_eq!(budget.free.available_permits(), 0);
    }
}
