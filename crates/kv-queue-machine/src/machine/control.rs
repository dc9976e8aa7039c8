//! Control: an operator's actions.

use std::time::Duration;

use kv_core::Result;
use kv_core::queue::{Control, Controlled, JobKey, check_control};

use super::Machine;
use super::look::member_of;
use crate::tables::{Counter, Set, Tables};
use crate::{member, time};

impl<T: Tables + ?Sized> Machine<'_, T> {
    /// Executes an operator's action. An action has no session, so it cannot be told from its
    /// repeat.
    ///
    /// - `Pause` and `Resume` change nothing if the partition is already in that state.
    /// - `Cancel` ends a ready or timed job, and removes a dead letter, which counts as evicted.
    ///   `Cancel` marks a running job, and frees at once a unique key that lasts as long as the
    ///   job. The worker's next operation on a marked job gets `Cancelled` and ends the job; an ack
    ///   ends it as done; a maintenance after the end of its lease ends it. `Cancel` ignores
    ///   unknown keys and marked jobs. A job counts as cancelled when it ends, not when it is
    ///   marked.
    /// - `Discard` removes dead letters, which count as evicted, and kept done jobs, and ignores
    ///   other keys.
    /// - `Reschedule` lets ready and timed jobs wait from now on. Without a delay a timed job becomes
    ///   ready as if it were due, and a ready job stays where it is and does not count.
    /// - `Redrive` makes dead letters claimable, those of `keys` or the oldest, behind all jobs
    ///   that have entered or come back so far. It resets failures, crashes, deliveries and the
    ///   time to live; the checkpoint and the unique key stay. `more` says that the limit left dead
    ///   letters among `keys`, or any.
    /// - `LimitGroup` and `PauseGroup` change nothing if the group has that limit or end of its
    ///   pause already. A group with jobs takes a new turn, unless it is paused now or waits for
    ///   the end of a lease that a limit still asks for.
    /// - `Purge` removes all ready, timed, leased and dead jobs, counting none as done or
    ///   cancelled, and all unique keys, windows, sessions and groups. Counters and a pause stay,
    ///   so that no key or token comes twice.
    ///
    /// An action treats an unreadable record as a fresh one, and drops a member that does not name
    /// a job.
    ///
    /// # Errors
    /// `TooLarge` for more than [`MAX_BATCH`](kv_core::queue::MAX_BATCH) keys or a limit above
    /// it, and those of the tables.
    pub fn control(&mut self, request: &Control) -> Result<Controlled> {
        check_control(request)?;
        match request {
            Control::Pause => self.set_paused(true),
            Control::Resume => self.set_paused(false),
            Control::Cancel { keys } => self.cancel(keys),
            Control::Discard { keys } => self.discard(keys),
            Control::Redrive { keys, limit } => self.redrive(keys, *limit),
            Control::Reschedule { keys, delay } => self.reschedule(keys, *delay),
            Control::Purge => self.purge(),
            Control::LimitGroup { group, limit } => self.limit_group(group, limit.as_ref()),
            Control::PauseGroup { group, time } => self.pause_group(group, *time),
        }
    }

    fn set_paused(&mut self, paused: bool) -> Result<Controlled> {
        let changed = self.is_paused()? != paused;
        if changed {
            self.tables.set_counter(Counter::Paused, u64::from(paused))?;
        }
        Ok(Controlled { affected: usize::from(changed), more: false })
    }

    fn cancel(&mut self, keys: &[JobKey]) -> Result<Controlled> {
        let mut affected = 0;
        for key in keys {
            affected += usize::from(self.cancel_one(*key)?);
        }
        Ok(Controlled { affected, more: false })
    }

    fn cancel_one(&mut self, key: JobKey) -> Result<bool> {
        let name = key.to_string();
        let (ready, member) = self.ready_member(key)?;
        if self.take_out(ready, &member)? || self.tables.remove(Set::Timed, &name)? {
            self.end_cancelled(key)?;
            return Ok(true);
        }
        if self.discard_one(key)? {
            return Ok(true);
        }
        if self.body(key)?.is_none() {
            return Ok(false);
        }
        let mut record = self.record(key)?.unwrap_or_default();
        if std::mem::replace(&mut record.cancelled, true) {
            return Ok(false);
        }
        if let Some(unique) = record.unique.take() {
            self.free_unique(&unique, key)?;
        }
        self.save(key, &record)?;
        Ok(true)
    }

    fn discard(&mut self, keys: &[JobKey]) -> Result<Controlled> {
        let mut affected = 0;
        for key in keys {
            affected += usize::from(self.discard_one(*key)? || self.discard_done(*key)?);
        }
        Ok(Controlled { affected, more: false })
    }

    fn discard_one(&mut self, key: JobKey) -> Result<bool> {
        if !self.tables.remove(Set::Dead, &key.to_string())? {
            return Ok(false);
        }
        self.forget(key)?;
        self.count(Counter::Evicted)?;
        Ok(true)
    }

    fn discard_done(&mut self, key: JobKey) -> Result<bool> {
        let was_there = self.tables.remove(Set::Done, &key.to_string())?;
        if was_there {
            self.forget(key)?;
        }
        Ok(was_there)
    }

    fn reschedule(&mut self, keys: &[JobKey], delay: Duration) -> Result<Controlled> {
        let mut affected = 0;
        for key in keys {
            affected += usize::from(self.reschedule_one(*key, delay)?);
        }
        Ok(Controlled { affected, more: false })
    }

    fn reschedule_one(&mut self, key: JobKey, delay: Duration) -> Result<bool> {
        let name = key.to_string();
        let record = self.record(key)?.unwrap_or_default();
        let was_timed = self.tables.remove(Set::Timed, &name)?;
        if delay.is_zero() {
            if was_timed {
                self.return_to_ready(key, record, self.now)?;
            }
            return Ok(was_timed);
        }
        let (ready, member) = member_of(key, &record);
        let is_moved = was_timed || self.take_out(ready, &member)?;
        if is_moved {
            self.tables.insert(Set::Timed, time::after(self.now, delay), &name)?;
        }
        Ok(is_moved)
    }

    fn redrive(&mut self, keys: &[JobKey], limit: usize) -> Result<Controlled> {
        if keys.is_empty() {
            let mut affected = 0;
            for dead in self.tables.first(Set::Dead, limit)? {
                self.tables.remove(Set::Dead, &dead.name)?;
                if let Ok(key) = member::parse_key(&dead.name) {
                    self.revive(key)?;
                    affected += 1;
                }
            }
            return Ok(Controlled { affected, more: self.tables.len(Set::Dead)? > 0 });
        }
        let mut controlled = Controlled::default();
        for key in keys {
            if self.tables.score(Set::Dead, &key.to_string())?.is_none() {
                continue;
            }
            if controlled.affected == limit {
                controlled.more = true;
                break;
            }
            self.tables.remove(Set::Dead, &key.to_string())?;
            self.revive(*key)?;
            controlled.affected += 1;
        }
        Ok(controlled)
    }

    /// Makes a dead letter, already removed from its set, claimable.
    fn revive(&mut self, key: JobKey) -> Result<()> {
        let record = self.record(key)?.unwrap_or_default();
        self.carry_note(key, &record)?;
        self.come_back(key, record.renewed())
    }

    fn purge(&mut self) -> Result<Controlled> {
        let mut affected = 0_u64;
        for set in [Set::Ready, Set::Queued, Set::Timed, Set::Leases, Set::Dead] {
            affected = affected.saturating_add(self.tables.len(set)?);
        }
        self.tables.clear()?;
        Ok(Controlled { affected: usize::try_from(affected).unwrap_or(usize::MAX), more: false })
    }
}
