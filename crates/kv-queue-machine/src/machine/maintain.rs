//! Maintenance: executes what has become due.

use kv_core::Result;
use kv_core::queue::{Handle, Maintain, Maintained, Policy, check_maintain};

use super::{Machine, reason};
use crate::member;
use crate::record::{JobRecord, Last};
use crate::tables::{Map, Set, Tables};

impl<T: Tables + ?Sized> Machine<'_, T> {
    /// Promotes due jobs, recovers ended leases, lets groups take turns whose pause or spacing
    /// ended, drops dead letters and kept done jobs beyond their cap or too old, then forgets windows, sessions and
    /// groups past their end: at most `limit` of each.
    ///
    /// A due job becomes ready, or a dead letter if its time to live ended before its first
    /// delivery. A job that was never delivered has waited since its submission and keeps its own
    /// rank; any other job goes behind all jobs that have entered or come back so far. A recovered
    /// job counts a crash: it goes behind the others too, or becomes a dead letter if its crashes
    /// are spent; a cancelled job ends. A job with an unreadable record becomes a dead letter. A
    /// member that does not name a job is dropped. A pause does not change any of this.
    ///
    /// # Errors
    /// `TooLarge` for a limit above [`MAX_BATCH`](kv_core::queue::MAX_BATCH), and those of the
    /// tables.
    pub fn maintain(&mut self, request: &Maintain) -> Result<Maintained> {
        check_maintain(request)?;
        let mut maintained = Maintained::default();
        self.promote(request, &mut maintained)?;
        self.recover(request, &mut maintained)?;
        maintained.unblocked = self.unblock(request.limit)?;
        self.evict(&request.policy, request.limit)?;
        self.drop_done(&request.policy, request.limit)?;
        maintained.forgotten += self.forget_past(Set::Windows, Map::Unique, request.limit)?;
        maintained.forgotten += self.forget_past(Set::Sessions, Map::Session, request.limit)?;
        maintained.forgotten += self.forget_past(Set::Groups, Map::Group, request.limit)?;
        self.mark_entered()?;
        maintained.more = self.has_more(&request.policy)?;
        maintained.next_due = self.until(self.next_due()?);
        Ok(maintained)
    }

    fn promote(&mut self, request: &Maintain, maintained: &mut Maintained) -> Result<()> {
        for due in self.tables.first_until(Set::Timed, self.now, request.limit)? {
            self.tables.remove(Set::Timed, &due.name)?;
            let Ok(key) = member::parse_key(&due.name) else { continue };
            match self.record(key)? {
                None => {
                    let record = JobRecord::default();
                    self.bury_spent(key, record, reason::RECORD, &request.policy)?;
                    maintained.buried += 1;
                }
                Some(record) if record.cancelled => self.end_cancelled(key)?,
                Some(record) if self.is_expired(&record) => {
                    self.bury_spent(key, record, reason::EXPIRED, &request.policy)?;
                    maintained.buried += 1;
                }
                Some(record) => {
                    self.return_to_ready(key, record, due.score)?;
                    maintained.promoted += 1;
                }
            }
        }
        Ok(())
    }

    fn recover(&mut self, request: &Maintain, maintained: &mut Maintained) -> Result<()> {
        for ended in self.tables.first_until(Set::Leases, self.now, request.limit)? {
            self.tables.remove(Set::Leases, &ended.name)?;
            let Ok(Handle { key, .. }) = member::parse_lease(&ended.name) else { continue };
            maintained.recovered += 1;
            let Some(mut record) = self.record(key)? else {
                self.bury_spent(key, JobRecord::default(), reason::RECORD, &request.policy)?;
                maintained.buried += 1;
                continue;
            };
            self.free_slot(record.group.as_deref())?;
            if record.cancelled {
                self.end_cancelled(key)?;
                continue;
            }
            self.remember(key, &record, Last::Other, Some(reason::ENDED))?;
            record.crashes = record.crashes.saturating_add(1);
            if record.crashes >= request.policy.max_crashes.max(1) {
                self.bury_spent(key, record, reason::CRASHED, &request.policy)?;
                maintained.buried += 1;
            } else {
                self.come_back(key, record)?;
            }
        }
        Ok(())
    }

    /// Forgets entries past their time, the oldest first.
    pub(super) fn forget_past(&mut self, set: Set, map: Map, limit: usize) -> Result<usize> {
        let past = self.tables.first_until(set, self.now, limit)?;
        for member in &past {
            self.tables.remove(set, &member.name)?;
            self.tables.delete(map, &member.name)?;
        }
        Ok(past.len())
    }

    fn has_more(&self, policy: &Policy) -> Result<bool> {
        for set in [Set::Timed, Set::Leases, Set::Windows, Set::Sessions, Set::Blocked, Set::Groups]
        {
            if !self.tables.first_until(set, self.now, 1)?.is_empty() {
                return Ok(true);
            }
        }
        Ok(self.surplus_dead(policy, 1)? > 0 || self.surplus_done(policy, 1)? > 0)
    }
}
