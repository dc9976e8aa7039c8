//! The partitions of one queue.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kv_queue_machine::MemTables;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

/// The tables of each partition, and the waiters.
#[derive(Debug)]
pub(super) struct Partitions {
    tables: Box<[Mutex<MemTables>]>,
    woken: Notify,
    removed: AtomicBool,
}

impl Partitions {
    pub(super) fn new(count: u32) -> Self {
        let tables = (0..count).map(|_| Mutex::default()).collect();
        Self { tables, woken: Notify::new(), removed: AtomicBool::new(false) }
    }

    pub(super) fn count(&self) -> u32 {
        u32::try_from(self.tables.len()).unwrap_or(u32::MAX)
    }

    /// The tables of a partition; `None` if the partition does not exist.
    ///
    /// The machine does not panic, so the tables behind a poisoned lock are valid.
    pub(super) fn lock(&self, number: u32) -> Option<MutexGuard<'_, MemTables>> {
        let tables = self.tables.get(usize::try_from(number).ok()?)?;
        Some(tables.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether a job is claimable, due or past its lease.
    pub(super) fn has_work(&self, number: u32, now: Duration) -> bool {
        self.lock(number).is_some_and(|tables| tables.is_claimable() || tables.has_due(now))
    }

    /// Ends the waits: the queue is gone.
    pub(super) fn remove(&self) {
        self.removed.store(true, Ordering::SeqCst);
        self.wake();
    }

    pub(super) fn is_removed(&self) -> bool {
        self.removed.load(Ordering::SeqCst)
    }

    /// Wakes all waiters of the queue; each checks its partitions.
    pub(super) fn wake(&self) {
        self.woken.notify_waiters();
    }

    /// Ends at the first wake-up after this call, polled or not.
    pub(super) fn woken(&self) -> Notified<'_> {
        self.woken.notified()
    }
}
