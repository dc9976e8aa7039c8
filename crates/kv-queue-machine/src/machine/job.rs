//! What happens to a single job: placed, buried, forgotten.

use std::sync::Arc;
use std::time::Duration;

use kv_core::queue::{JobKey, Policy, cut_reason};
use kv_core::{Bytes, Result};

use super::Machine;
use super::look::member_of;
use crate::member::Place;
use crate::record::{JobRecord, decode, encode};
use crate::tables::{Counter, Map, Set, Tables};
use crate::{member, time};

/// How many dead letters beyond the cap one new dead letter drops: one for its own place, and one
/// more in case the cap was lowered.
const EVICTIONS: usize = 2;

impl<T: Tables + ?Sized> Machine<'_, T> {
    /// What differs from a fresh job; `None` if it cannot be read.
    pub(super) fn record(&self, key: JobKey) -> Result<Option<JobRecord>> {
        let stored = self.tables.get(Map::Job, &key.to_string())?;
        Ok(stored
            .map_or_else(|| Some(JobRecord::default()), |stored| decode("a job", &stored).ok()))
    }

    /// Stores a record, or deletes it when it says nothing.
    pub(super) fn save(&mut self, key: JobKey, record: &JobRecord) -> Result<()> {
        if *record == JobRecord::default() {
            self.tables.delete(Map::Job, &key.to_string())?;
            return Ok(());
        }
        self.tables.put(Map::Job, &key.to_string(), encode(record)?)
    }

    /// Makes a new job timed, or ready if it has no delay.
    pub(super) fn enter(&mut self, key: JobKey, record: &JobRecord, delay: Duration) -> Result<()> {
        if delay.is_zero() {
            return self.make_ready(key, record);
        }
        self.tables.insert(Set::Timed, time::after(self.now, delay), &key.to_string())
    }

    /// Makes a delivered job timed, or ready if it has no delay.
    pub(super) fn put_back(
        &mut self,
        key: JobKey,
        record: JobRecord,
        delay: Duration,
    ) -> Result<()> {
        if delay.is_zero() {
            return self.come_back(key, record);
        }
        self.save(key, &record)?;
        self.tables.insert(Set::Timed, time::after(self.now, delay), &key.to_string())
    }

    /// Makes a job ready again, behind all jobs that have entered or come back so far.
    pub(super) fn come_back(&mut self, key: JobKey, mut record: JobRecord) -> Result<()> {
        let sequence = self.tables.counter(Counter::Sequence)?;
        record.place = Some(Place { sequence, since: self.now });
        self.save(key, &record)?;
        self.make_ready(key, &record)
    }

    /// Makes a timed job ready. A job that was never delivered keeps the place of its submission,
    /// and notes since when it is claimable.
    pub(super) fn return_to_ready(
        &mut self,
        key: JobKey,
        mut record: JobRecord,
        since: u64,
    ) -> Result<()> {
        if record.ended() > 0 {
            return self.come_back(key, record);
        }
        self.carry_note(key, &record)?;
        record.place = Some(Place { sequence: key.sequence(), since });
        self.save(key, &record)?;
        self.make_ready(key, &record)
    }

    /// Lets a job be claimed, in its group if it has one.
    pub(super) fn make_ready(&mut self, key: JobKey, record: &JobRecord) -> Result<()> {
        if let Some(group) = &record.group {
            return self.queue(group, key, record.place.as_ref());
        }
        let member = member::ready(key, record.place.as_ref());
        self.tables.insert(Set::Ready, member.score, &member.name)
    }

    /// The set in which the job is if it is ready, and its member there.
    pub(super) fn ready_member(&self, key: JobKey) -> Result<(Set, Arc<str>)> {
        let record = self.record(key)?.unwrap_or_default();
        Ok(member_of(key, &record))
    }

    /// Takes a job out of its set of ready jobs. Returns whether it was there.
    pub(super) fn take_out(&mut self, set: Set, name: &str) -> Result<bool> {
        let was_there = self.tables.remove(set, name)?;
        if was_there && set == Set::Queued {
            self.rearrange(member::group_of(name).unwrap_or_default())?;
        }
        Ok(was_there)
    }

    /// Ends a cancelled job that is already removed from its set.
    pub(super) fn end_cancelled(&mut self, key: JobKey) -> Result<()> {
        self.forget(key)?;
        self.count(Counter::Cancelled)
    }

    /// Whether a job's time to live ended before its first delivery.
    pub(super) fn is_expired(&self, record: &JobRecord) -> bool {
        record.ended() == 0 && record.deadline.is_some_and(|deadline| deadline <= self.now)
    }

    /// Makes a job a dead letter although no worker failed it: its budget is spent, or a part of it
    /// is missing.
    pub(super) fn bury_spent(
        &mut self,
        key: JobKey,
        mut record: JobRecord,
        why: &str,
        policy: &Policy,
    ) -> Result<()> {
        let last = std::mem::take(&mut record.reason);
        let full =
            if last.is_empty() { why.to_owned() } else { format!("{why}; last failure: {last}") };
        cut_reason(&full).clone_into(&mut record.reason);
        self.bury(key, &record, policy)
    }

    /// Makes a job, already removed from its set, a dead letter.
    pub(super) fn bury(&mut self, key: JobKey, record: &JobRecord, policy: &Policy) -> Result<()> {
        self.save(key, record)?;
        self.tables.insert(Set::Dead, self.now, &key.to_string())?;
        self.evict(policy, EVICTIONS)
    }

    /// Drops the oldest dead letters beyond the cap, and letters that are too old, up to a limit.
    pub(super) fn evict(&mut self, policy: &Policy, limit: usize) -> Result<()> {
        let surplus = self.surplus_dead(policy, limit)?;
        if surplus == 0 {
            return Ok(());
        }
        for dead in self.tables.first(Set::Dead, surplus)? {
            self.tables.remove(Set::Dead, &dead.name)?;
            if let Ok(key) = member::parse_key(&dead.name) {
                self.forget(key)?;
                self.count(Counter::Evicted)?;
            }
        }
        Ok(())
    }

    /// How many of the first dead letters a policy does not keep, up to a limit.
    pub(super) fn surplus_dead(&self, policy: &Policy, limit: usize) -> Result<usize> {
        let beyond = self.tables.len(Set::Dead)?.saturating_sub(u64::from(policy.keep_dead));
        let beyond = usize::try_from(beyond).unwrap_or(limit).min(limit);
        let last = policy.keep_dead_for.and_then(|age| time::before(self.now, age));
        let Some(last) = last else { return Ok(beyond) };
        Ok(beyond.max(self.tables.first_until(Set::Dead, last, limit)?.len()))
    }

    /// Ends a job that is already removed from its set: removes everything stored for it, and the
    /// unique key that lasts as long as the job. Returns its record, if there was a readable one.
    pub(super) fn forget(&mut self, key: JobKey) -> Result<JobRecord> {
        let name = key.to_string();
        let stored = self.tables.get(Map::Job, &name)?;
        if stored.is_some() {
            self.tables.delete(Map::Job, &name)?;
            self.forget_history(key)?;
        }
        let decode = |stored: Bytes| decode("a job", &stored).ok();
        let record: JobRecord = stored.and_then(decode).unwrap_or_default();
        if let Some(unique) = &record.unique {
            self.free_unique(unique, key)?;
        }
        self.tables.delete(Map::Checkpoint, &name)?;
        self.tables.delete(Map::Body, &name)?;
        Ok(record)
    }

    /// Frees a unique key, unless another job holds it now.
    pub(super) fn free_unique(&mut self, unique: &str, key: JobKey) -> Result<()> {
        let holder = self.tables.get(Map::Unique, unique)?;
        if holder.is_some_and(|holder| *holder == *key.to_string().as_bytes()) {
            self.tables.delete(Map::Unique, unique)?;
        }
        Ok(())
    }
}
