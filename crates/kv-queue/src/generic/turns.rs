//! Whose turn it is on a partition.

use tokio::sync::futures::Notified;
use tokio::sync::{Notify, Semaphore, SemaphorePermit};

/// The turns of a queue's partitions, and the waiters for jobs.
///
/// Without turns all tasks of a process would read an index, and all except one in vain.
#[derive(Debug)]
pub(super) struct Turns {
    partitions: Box<[Semaphore]>,
    woken: Notify,
}

impl Turns {
    pub(super) fn new(partitions: u32) -> Self {
        let partitions = (0..partitions).map(|_| Semaphore::new(1)).collect();
        Self { partitions, woken: Notify::new() }
    }

    pub(super) fn has(&self, partition: u32) -> bool {
        usize::try_from(partition).is_ok_and(|number| number < self.partitions.len())
    }

    /// Waits for the partition's turn, in order of arrival. The turn ends when the permit is
    /// dropped.
    pub(super) async fn take(&self, partition: u32) -> Option<SemaphorePermit<'_>> {
        let turn = self.partitions.get(usize::try_from(partition).ok()?)?;
        turn.acquire().await.ok()
    }

    pub(super) fn wake(&self) {
        self.woken.notify_waiters();
    }

    pub(super) fn woken(&self) -> Notified<'_> {
        self.woken.notified()
    }
}
