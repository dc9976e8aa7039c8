//! What happens to a single job: placed, buried, forgotten.

use kv_core::Result;
use kv_core::queue::{JobKey, Policy, cut_reason};

use super::Machine;
use crate::record::{JobRecord, decode, encode};
use crate::tables::{Counter, Map, Set, Tables};
use crate::{member, time};

/// How many dead letters beyond the cap one burial drops: the job's own place, and one more for a
/// cap that was lowered.
const EVICTIONS: usize = 2;

impl<T: Tables + ?Sized> Machine<'_, T> {
    pub(super) fn record(&self, key: JobKey) -> Result<JobRecord> {
        let stored = self.tables.get(Map::Job, &key.to_string())?;
        stored.map_or_else(|| Ok(JobRecord::default()), |stored| decode("a job", &stored))
    }

    /// Stores a record, or deletes it when it says nothing.
    pub(super) fn save(&mut self, key: JobKey, record: &JobRecord) -> Result<()> {
        if *record == JobRecord::default() {
            self.tables.delete(Map::Job, &key.to_string())?;
            return Ok(());
        }
        self.tables.put(Map::Job, &key.to_string(), encode(record)?)
    }

    /// Makes a job wait for its time: claimable at once without a delay.
    pub(super) fn place(&mut self, key: JobKey, delay: std::time::Duration) -> Result<()> {
        if delay.is_zero() {
            return self.make_ready(key);
        }
        self.tables.insert(Set::Timed, time::after(self.now, delay), &key.to_string())
    }

    pub(super) fn make_ready(&mut self, key: JobKey) -> Result<()> {
        self.tables.insert(Set::Ready, key.rank(), &key.to_string())
    }

    /// Whether a job's time to live ended before its first delivery.
    pub(super) fn is_expired(&self, record: &JobRecord) -> bool {
        record.ended() == 0 && record.deadline.is_some_and(|deadline| deadline <= self.now)
    }

    /// Buries a job that no worker failed: its budget is spent.
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

    /// Moves a job, taken from its set already, to the dead letters.
    pub(super) fn bury(&mut self, key: JobKey, record: &JobRecord, policy: &Policy) -> Result<()> {
        self.save(key, record)?;
        self.tables.insert(Set::Dead, self.now, &key.to_string())?;
        self.evict(policy, EVICTIONS)
    }

    /// Drops the oldest dead letters beyond the cap, up to a limit.
    pub(super) fn evict(&mut self, policy: &Policy, limit: usize) -> Result<()> {
        let beyond = self.beyond_cap(policy)?;
        let beyond = usize::try_from(beyond).unwrap_or(limit).min(limit);
        if beyond == 0 {
            return Ok(());
        }
        for dead in self.tables.first(Set::Dead, beyond)? {
            self.tables.remove(Set::Dead, &dead.name)?;
            self.forget(member::parse_key(&dead.name)?)?;
            self.count(Counter::Evicted)?;
        }
        Ok(())
    }

    pub(super) fn beyond_cap(&self, policy: &Policy) -> Result<u64> {
        Ok(self.tables.len(Set::Dead)?.saturating_sub(u64::from(policy.keep_dead)))
    }

    /// Ends a job, taken from its set already: all that is stored of it goes, and the unique key
    /// that it holds while it lives.
    pub(super) fn forget(&mut self, key: JobKey) -> Result<()> {
        let name = key.to_string();
        if let Some(unique) = self.record(key)?.unique {
            self.release(&unique, key)?;
        }
        self.tables.delete(Map::Job, &name)?;
        self.tables.delete(Map::Checkpoint, &name)?;
        self.tables.delete(Map::Body, &name)?;
        Ok(())
    }

    fn release(&mut self, unique: &str, key: JobKey) -> Result<()> {
        let holder = self.tables.get(Map::Unique, unique)?;
        if holder.is_some_and(|holder| *holder == *key.to_string().as_bytes()) {
            self.tables.delete(Map::Unique, unique)?;
        }
        Ok(())
    }
}
