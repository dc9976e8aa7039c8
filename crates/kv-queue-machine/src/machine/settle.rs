//! Settles, extensions and checkpoints of a delivery.

use std::time::Duration;

use kv_core::Result;
use kv_core::queue::{Handle, JobKey, MAX_STAMP, Operation, Policy, Verdict, cut_reason};

use super::{Machine, reason};
use crate::record::{JobRecord, Last};
use crate::tables::{Map, Set, Tables};
use crate::{member, time};

impl<T: Tables + ?Sized> Machine<'_, T> {
    /// Executes an operation under a lease. If the job was cancelled meanwhile, the job ends
    /// instead, unless it is done.
    ///
    /// - `Done` ends the job, as an ack does. If the policy keeps done jobs, the job is kept with
    ///   what it returned, without its body.
    /// - `Retry` counts a failure. If the budget is spent, the job becomes a dead letter; otherwise
    ///   it is timed.
    /// - `Fail` counts a failure and makes the job a dead letter.
    /// - `Snooze` counts only a delivery.
    /// - `Release` counts nothing: the job is ready at the place that it had before the claim. If
    ///   the job was never delivered, the end of its time to live moves by the time since its
    ///   token, which is the time of the claim or later.
    /// - `Limited` counts nothing: it pauses the job's group at least that long, and the job is
    ///   ready at the place that it had before the claim. A job without a group is timed. The time
    ///   to live ends, since the job was delivered within it.
    /// - `Extend` moves the end of the lease, even to an earlier time.
    /// - `Checkpoint` replaces the state. The first checkpoint, and a checkpoint with a progress
    ///   higher than any before, resets the failures of the budget to zero; the attempt number
    ///   stays.
    ///
    /// A job with an unreadable record becomes a dead letter when it would be handed back. Its
    /// lease can be extended, and a checkpoint gives it a fresh record.
    ///
    /// The call has no session, so it cannot be told from its repeat: only hosts should call it.
    ///
    /// # Errors
    /// Those of the tables.
    pub fn operate(
        &mut self,
        handle: Handle,
        operation: &Operation,
        policy: &Policy,
    ) -> Result<Verdict> {
        if let Operation::Done { value } = operation {
            return self.finish(handle, Some(value), policy);
        }
        let lease = member::lease(handle);
        if self.tables.score(Set::Leases, &lease)?.is_none() {
            return Ok(Verdict::Stale);
        }
        let record = self.record(handle.key)?;
        if record.as_ref().is_some_and(|record| record.cancelled) {
            self.tables.remove(Set::Leases, &lease)?;
            self.free_slot(record.and_then(|record| record.group).as_deref())?;
            self.end_cancelled(handle.key)?;
            return Ok(Verdict::Cancelled);
        }
        match operation {
            Operation::Extend { lease: length } => {
                self.tables.insert(Set::Leases, time::after(self.now, *length), &lease)?;
                Ok(Verdict::Applied)
            }
            Operation::Checkpoint { state, progress } => {
                self.tables.put(Map::Checkpoint, &handle.key.to_string(), state.clone())?;
                let progress = (*progress).min(MAX_STAMP);
                self.advance(handle.key, record.unwrap_or_default(), progress)?;
                Ok(Verdict::Applied)
            }
            Operation::Retry { .. }
            | Operation::Fail { .. }
            | Operation::Snooze { .. }
            | Operation::Limited { .. }
            | Operation::Done { .. }
            | Operation::Release => {
                self.tables.remove(Set::Leases, &lease)?;
                match record {
                    Some(record) => {
                        self.free_slot(record.group.as_deref())?;
                        self.hand_back(handle, record, operation, policy)
                    }
                    None => self.set_aside(handle.key, operation, policy),
                }
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

    /// Ends a delivery, whose lease is already removed, but not the job.
    fn hand_back(
        &mut self,
        handle: Handle,
        mut record: JobRecord,
        operation: &Operation,
        policy: &Policy,
    ) -> Result<Verdict> {
        let (delay, is_dead) = match operation {
            Operation::Retry { after, reason } => {
                self.remember(handle.key, &record, Last::Failure, Some(reason))?;
                failed(&mut record, reason);
                (*after, record.failures >= policy.max_failures.max(1))
            }
            Operation::Fail { reason } => {
                self.remember(handle.key, &record, Last::Failure, Some(reason))?;
                failed(&mut record, reason);
                (Duration::ZERO, true)
            }
            Operation::Snooze { after } => {
                self.remember(handle.key, &record, Last::Snooze, None)?;
                record.snoozes = record.snoozes.saturating_add(1);
                (*after, false)
            }
            Operation::Release => {
                self.release(handle, record)?;
                return Ok(Verdict::Applied);
            }
            Operation::Limited { after } => {
                self.limited(handle.key, record, *after)?;
                return Ok(Verdict::Applied);
            }
            Operation::Extend { .. } | Operation::Checkpoint { .. } | Operation::Done { .. } => {
                return Ok(Verdict::Applied);
            }
        };
        if is_dead {
            self.bury(handle.key, &record, policy)?;
            return Ok(Verdict::Buried);
        }
        self.put_back(handle.key, record, delay)?;
        Ok(Verdict::Applied)
    }

    /// Undoes a claim whose lease is already removed.
    fn release(&mut self, handle: Handle, mut record: JobRecord) -> Result<()> {
        if record.ended() == 0
            && let Some(deadline) = record.deadline
            && let Some(held) = self.now.checked_sub(handle.token).filter(|held| *held > 0)
        {
            record.deadline = Some(deadline.saturating_add(held).min(MAX_STAMP));
            self.save(handle.key, &record)?;
        }
        self.make_ready(handle.key, &record)
    }

    /// Pauses the group of a job whose lease is already removed, and lets the job wait for it.
    fn limited(&mut self, key: JobKey, mut record: JobRecord, after: Duration) -> Result<()> {
        // It was delivered within its time to live.
        if record.deadline.take().is_some() {
            self.save(key, &record)?;
        }
        let until = time::after(self.now, after);
        if let Some(group) = &record.group {
            self.pause_at_least(group, until)?;
        } else if until > self.now {
            return self.tables.insert(Set::Timed, until, &key.to_string());
        }
        self.make_ready(key, &record)
    }

    /// Makes a job with an unreadable record a dead letter, with its worker's last reason.
    fn set_aside(
        &mut self,
        key: JobKey,
        operation: &Operation,
        policy: &Policy,
    ) -> Result<Verdict> {
        let mut record = JobRecord::default();
        if let Operation::Retry { reason, .. } | Operation::Fail { reason } = operation {
            self.remember(key, &record, Last::Failure, Some(reason))?;
            failed(&mut record, reason);
        }
        self.bury_spent(key, record, reason::RECORD, policy)?;
        Ok(Verdict::Buried)
    }
}

fn failed(record: &mut JobRecord, reason: &str) {
    record.failures = record.failures.saturating_add(1);
    record.failed = record.failed.saturating_add(1);
    cut_reason(reason).clone_into(&mut record.reason);
}
