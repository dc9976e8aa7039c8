//! What a worker says about its delivery.

use kv_core::Result;
use kv_core::queue::{Handle, JobKey, MAX_STAMP, Operation, Policy, Verdict, cut_reason};

use super::Machine;
use crate::record::JobRecord;
use crate::tables::{Counter, Map, Set, Tables};
use crate::{member, time};

impl<T: Tables + ?Sized> Machine<'_, T> {
    /// Ends a job as done. A cancelled one is done all the same: its work is.
    pub(super) fn ack(&mut self, handle: Handle) -> Result<Verdict> {
        if !self.tables.remove(Set::Leases, &member::lease(handle))? {
            return Ok(Verdict::Stale);
        }
        self.forget(handle.key)?;
        self.count(Counter::Done)?;
        Ok(Verdict::Applied)
    }

    /// Does an operation under a lease; a job that was cancelled meanwhile ends instead.
    ///
    /// - `Retry` counts a failure. A spent budget buries the job, else it waits for its time.
    /// - `Fail` counts a failure and buries the job.
    /// - `Snooze` counts a delivery only.
    /// - `Extend` moves the end of the lease, also to an earlier one.
    /// - `Checkpoint` replaces the state. A first one, and one whose progress is higher than any
    ///   before, sets the failures of the budget to zero; the number of the attempt stays.
    ///
    /// By itself it is on no lane, and so cannot be told from its repeat: it is for hosts.
    ///
    /// # Errors
    /// Those of the tables.
    pub fn operate(
        &mut self,
        handle: Handle,
        operation: &Operation,
        policy: &Policy,
    ) -> Result<Verdict> {
        let lease = member::lease(handle);
        if self.tables.score(Set::Leases, &lease)?.is_none() {
            return Ok(Verdict::Stale);
        }
        let record = self.record(handle.key)?;
        if record.cancelled {
            self.tables.remove(Set::Leases, &lease)?;
            self.forget(handle.key)?;
            self.count(Counter::Cancelled)?;
            return Ok(Verdict::Cancelled);
        }
        match operation {
            Operation::Extend { lease: length } => {
                self.tables.insert(Set::Leases, time::after(self.now, *length), &lease)?;
                Ok(Verdict::Applied)
            }
            Operation::Checkpoint { state, progress } => {
                self.tables.put(Map::Checkpoint, &handle.key.to_string(), state.clone())?;
                self.advance(handle.key, record, (*progress).min(MAX_STAMP))?;
                Ok(Verdict::Applied)
            }
            Operation::Retry { .. } | Operation::Fail { .. } | Operation::Release | Operation::Snooze { .. } => {
                self.tables.remove(Set::Leases, &lease)?;
                self.hand_back(handle.key, record, operation, policy)
            }
        }
    }

    fn advance(&mut self, key: JobKey, mut record: JobRecord, progress: u64) -> Result<()> {
        if record.progress.is_some_and(|highest| progress <= highest) {
            return Ok(());
        }
        record.progress = Some(progress);
        record.failures = 0;
        self.save(key, &record)
    }

    /// Ends a delivery, whose lease is gone already, but not the job.
    fn hand_back(
        &mut self,
        key: JobKey,
        mut record: JobRecord,
        operation: &Operation,
        policy: &Policy,
    ) -> Result<Verdict> {
        let (delay, dead) = match operation {
            Operation::Retry { after, reason } => {
                failed(&mut record, reason);
                (*after, record.failures >= policy.max_failures.max(1))
            }
            Operation::Fail { reason } => {
                failed(&mut record, reason);
                (std::time::Duration::ZERO, true)
            }
            Operation::Release => (std::time::Duration::ZERO, false),
            Operation::Snooze { after } => {
                record.snoozes = record.snoozes.saturating_add(1);
                (*after, false)
            }
            Operation::Extend { .. } | Operation::Checkpoint { .. } => return Ok(Verdict::Applied),
        };
        if dead {
            self.bury(key, &record, policy)?;
            return Ok(Verdict::Buried);
        }
        self.save(key, &record)?;
        self.place(key, delay)?;
        Ok(Verdict::Applied)
    }
}

fn failed(record: &mut JobRecord, reason: &str) {
    record.failures = record.failures.saturating_add(1);
    record.failed = record.failed.saturating_add(1);
    cut_reason(reason).clone_into(&mut record.reason);
}
