//! Jobs that are done: forgotten, or kept for a while with what they returned.

use kv_core::queue::{Handle, JobKey, Policy, Verdict};
use kv_core::{Bytes, Result};

use super::Machine;
use crate::record::JobRecord;
use crate::tables::{Counter, Map, Set, Tables};
use crate::{member, time};

/// How many kept jobs beyond the cap one new one drops: one for its own place, and one more in case
/// the cap was lowered.
const DROPS: usize = 2;

impl<T: Tables + ?Sized> Machine<'_, T> {
    /// Ends a job as done. A cancelled job ends as done too, because its work is done.
    pub(super) fn finish(
        &mut self,
        handle: Handle,
        value: Option<&Bytes>,
        policy: &Policy,
    ) -> Result<Verdict> {
        if !self.tables.remove(Set::Leases, &member::lease(handle))? {
            return Ok(Verdict::Stale);
        }
        let record = match policy.keep_done {
            0 => self.forget(handle.key)?,
            _ => self.keep(handle.key, value, policy)?,
        };
        self.free_slot(record.group.as_deref())?;
        self.count(Counter::Done)?;
        Ok(Verdict::Applied)
    }

    /// Keeps a job that is done, without its body, and drops the oldest ones beyond the policy. What
    /// it returned takes the place of its checkpoint. Returns its record.
    fn keep(&mut self, key: JobKey, value: Option<&Bytes>, policy: &Policy) -> Result<JobRecord> {
        let name = key.to_string();
        let mut record = self.record(key)?.unwrap_or_default();
        if let Some(unique) = record.unique.take() {
            self.free_unique(&unique, key)?;
        }
        (record.cancelled, record.deadline) = (false, None);
        match value {
            Some(value) => self.tables.put(Map::Checkpoint, &name, value.clone())?,
            None => drop(self.tables.delete(Map::Checkpoint, &name)?),
        }
        self.tables.delete(Map::Body, &name)?;
        self.save(key, &record)?;
        self.tables.insert(Set::Done, self.now, &name)?;
        self.drop_done(policy, DROPS)?;
        Ok(record)
    }

    /// Drops the oldest kept jobs beyond the cap, and jobs that are too old, up to a limit. A policy
    /// that keeps none leaves them alone: it may be that of an operator's tool.
    pub(super) fn drop_done(&mut self, policy: &Policy, limit: usize) -> Result<()> {
        let surplus = self.surplus_done(policy, limit)?;
        if surplus == 0 {
            return Ok(());
        }
        for done in self.tables.first(Set::Done, surplus)? {
            self.tables.remove(Set::Done, &done.name)?;
            if let Ok(key) = member::parse_key(&done.name) {
                self.forget(key)?;
            }
        }
        Ok(())
    }

    /// How many of the first kept jobs a policy does not keep, up to a limit.
    pub(super) fn surplus_done(&self, policy: &Policy, limit: usize) -> Result<usize> {
        if policy.keep_done == 0 {
            return Ok(0);
        }
        let beyond = self.tables.len(Set::Done)?.saturating_sub(u64::from(policy.keep_done));
        let beyond = usize::try_from(beyond).unwrap_or(limit).min(limit);
        let last = policy.keep_done_for.and_then(|age| time::before(self.now, age));
        let Some(last) = last else { return Ok(beyond) };
        Ok(beyond.max(self.tables.first_until(Set::Done, last, limit)?.len()))
    }
}
