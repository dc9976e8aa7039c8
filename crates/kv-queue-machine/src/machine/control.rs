//! Control: an operator's actions.

use kv_core::Result;
use kv_core::queue::{Control, Controlled, JobKey, check_control};

use super::Machine;
use crate::member;
use crate::tables::{Counter, Map, Member, Set, Tables};

impl<T: Tables + ?Sized> Machine<'_, T> {
    /// Does an operator's action. None is on a lane: each can be repeated as it is.
    ///
    /// - `Pause` and `Resume` affect nothing if the partition is in that state.
    /// - `Cancel` ends a ready or timed job. A running one is marked: its worker's next operation
    ///   is answered `Cancelled` and ends it, an ack ends it as done, and a tend that finds its
    ///   lease ended ends it. Unknown keys, dead letters and marked jobs are passed over. What
    ///   counts as cancelled is the end, not the mark.
    /// - `Redrive` makes dead letters claimable at their old rank, in the order of `keys` or the
    ///   oldest first. Failures, crashes, deliveries and the time to live are reset, the
    ///   checkpoint and the unique key stay. `more` says that the limit left dead letters among
    ///   `keys`, or any.
    /// - `Purge` removes ready, timed, leased and dead jobs, in this order, counting none as done
    ///   or cancelled. When no job is left, it removes all unique keys, windows and lanes.
    ///   Counters and a pause stay, so that no key or token comes twice.
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
            Control::Redrive { keys, limit } => self.redrive(keys, *limit),
            Control::Purge { limit } => self.purge(*limit),
 Control::Discard { .. } => Ok(Controlled::default()),
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
        if self.tables.remove(Set::Ready, &name)? || self.tables.remove(Set::Timed, &name)? {
            self.forget(key)?;
            self.count(Counter::Cancelled)?;
            return Ok(true);
        }
        let dead = self.tables.score(Set::Dead, &name)?.is_some();
        if dead || self.tables.get(Map::Body, &name)?.is_none() {
            return Ok(false);
        }
        let mut record = self.record(key)?;
        let marked = std::mem::replace(&mut record.cancelled, true);
        if !marked {
            self.save(key, &record)?;
        }
        Ok(!marked)
    }

    fn redrive(&mut self, keys: &[JobKey], limit: usize) -> Result<Controlled> {
        if keys.is_empty() {
            let oldest = self.tables.first(Set::Dead, limit)?;
            for dead in &oldest {
                self.revive(member::parse_key(&dead.name)?)?;
            }
            let more = self.tables.len(Set::Dead)? > 0;
            return Ok(Controlled { affected: oldest.len(), more });
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
            self.revive(*key)?;
            controlled.affected += 1;
        }
        Ok(controlled)
    }

    fn revive(&mut self, key: JobKey) -> Result<()> {
        let record = self.record(key)?.renewed();
        self.tables.remove(Set::Dead, &key.to_string())?;
        self.save(key, &record)?;
        self.make_ready(key)
    }

    fn purge(&mut self, limit: usize) -> Result<Controlled> {
        let mut affected = 0;
        for set in [Set::Ready, Set::Timed, Set::Leases, Set::Dead] {
            for member in self.tables.first(set, limit - affected)? {
                self.tables.remove(set, &member.name)?;
                self.forget(job_of(set, &member)?)?;
                affected += 1;
            }
            if self.tables.len(set)? > 0 {
                return Ok(Controlled { affected, more: true });
            }
        }
        self.tables.clear_map(Map::Unique)?;
        self.tables.clear_set(Set::Windows)?;
        self.tables.clear_map(Map::Lane)?;
        self.tables.clear_set(Set::Lanes)?;
        Ok(Controlled { affected, more: false })
    }
}

fn job_of(set: Set, member: &Member) -> Result<JobKey> {
    match set {
        Set::Leases => Ok(member::parse_lease(&member.name)?.key),
        Set::Ready | Set::Timed | Set::Dead | Set::Windows | Set::Lanes => {
            member::parse_key(&member.name)
        }
    }
}
