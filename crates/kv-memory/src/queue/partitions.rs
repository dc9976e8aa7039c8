//! The partitions of one queue.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use kv_core::Result;
use kv_queue_machine::{Cleared, MemTables, Tables};
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

/// Later than any due time.
const NEVER: u64 = u64::MAX;

/// The tables of each partition, and the waiters.
#[derive(Debug)]
pub(super) struct Partitions {
    tables: Box<[Mutex<MemTables>]>,
    /// For each partition, the microsecond since 1970 from which it has work. A wait reads all of
    /// them, and would otherwise take as many locks for each job.
    work_at: Box<[AtomicU64]>,
    woken: Notify,
    removed: AtomicBool,
}

impl Partitions {
    pub(super) fn new(count: u32) -> Self {
        let tables = (0..count).map(|_| Mutex::default()).collect();
        let work_at = (0..count).map(|_| AtomicU64::new(NEVER)).collect();
        Self { tables, work_at, woken: Notify::new(), removed: AtomicBool::new(false) }
    }

    pub(super) fn count(&self) -> u32 {
        u32::try_from(self.tables.len()).unwrap_or(u32::MAX)
    }

    /// One step on the tables of a partition, and the wake-up that must follow it; `None` if the
    /// partition does not exist.
    pub(super) fn step<R>(&self, number: u32, step: impl FnOnce(&mut MemTables) -> R) -> Option<R> {
        let index = usize::try_from(number).ok()?;
        let (tables, work_at) = (self.tables.get(index)?, self.work_at.get(index)?);
        // The machine does not panic, so the tables behind a poisoned lock are valid.
        let mut tables = tables.lock().unwrap_or_else(PoisonError::into_inner);
        let wakes = tables.wakes();
        let answer = step(&mut tables);
        let micros = tables.work_at().map(|at| u64::try_from(at.as_micros()).unwrap_or(NEVER));
        work_at.store(micros.unwrap_or(NEVER), Ordering::SeqCst);
        let woken = tables.wakes() != wakes;
        drop(tables);
        if woken {
            self.wake();
        }
        Some(answer)
    }

    /// Whether a job is claimable, due or past its lease.
    pub(super) fn has_work(&self, number: u32, now: Duration) -> bool {
        let work_at = usize::try_from(number).ok().and_then(|index| self.work_at.get(index));
        work_at.is_some_and(|at| u128::from(at.load(Ordering::SeqCst)) <= now.as_micros())
    }

    /// Empties the tables of all partitions.
    pub(super) fn clear(&self) -> Result<Cleared> {
        let mut all = Cleared::default();
        for number in 0..self.count() {
            let cleared = self.step(number, |tables| {
                tables.clear()?;
                Ok(tables.take_cleared())
            });
            all.append(cleared.transpose()?.unwrap_or_default());
        }
        Ok(all)
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
