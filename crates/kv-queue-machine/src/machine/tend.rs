//! Tend: what time has changed.

use kv_core::Result;
use kv_core::queue::{Policy, Tend, Tended, check_tend};

use super::{Machine, reason};
use crate::member;
use crate::tables::{Counter, Map, Set, Tables};

impl<T: Tables + ?Sized> Machine<'_, T> {
    /// Promotes due jobs, recovers ended leases, drops dead letters beyond the cap, forgets
    /// windows, then lanes, that are past: at most `limit` of each.
    ///
    /// A due job is claimable, or buried if its time to live ended before its first delivery. A
    /// recovered job counts a crash: it is claimable at its old rank, or buried if the crashes
    /// are spent; a cancelled one ends. A pause changes nothing of this.
    ///
    /// # Errors
    /// `TooLarge` for a limit above [`MAX_BATCH`](kv_core::queue::MAX_BATCH), and those of the
    /// tables.
    pub fn tend(&mut self, request: &Tend) -> Result<Tended> {
        check_tend(request)?;
        let mut tended = Tended::default();
        self.promote(request, &mut tended)?;
        self.recover(request, &mut tended)?;
        self.evict(&request.policy, request.limit)?;
        tended.forgotten += self.forget_past(Set::Windows, Map::Unique, request.limit)?;
        tended.forgotten += self.forget_past(Set::Lanes, Map::Lane, request.limit)?;
        tended.more = self.has_more(&request.policy)?;
        tended.next_due = self.until(self.next_due()?);
        Ok(tended)
    }

    fn promote(&mut self, request: &Tend, tended: &mut Tended) -> Result<()> {
        for due in self.tables.first_until(Set::Timed, self.now, request.limit)? {
            let key = member::parse_key(&due.name)?;
            let record = self.record(key)?;
            self.tables.remove(Set::Timed, &due.name)?;
            if self.is_expired(&record) {
                self.bury_spent(key, record, reason::EXPIRED, &request.policy)?;
                tended.buried += 1;
            } else {
                self.make_ready(key)?;
                tended.promoted += 1;
            }
        }
        Ok(())
    }

    fn recover(&mut self, request: &Tend, tended: &mut Tended) -> Result<()> {
        for ended in self.tables.first_until(Set::Leases, self.now, request.limit)? {
            let key = member::parse_lease(&ended.name)?.key;
            let mut record = self.record(key)?;
            self.tables.remove(Set::Leases, &ended.name)?;
            tended.recovered += 1;
            if record.cancelled {
                self.forget(key)?;
                self.count(Counter::Cancelled)?;
                continue;
            }
            record.crashes = record.crashes.saturating_add(1);
            if record.crashes >= request.policy.max_crashes.max(1) {
                self.bury_spent(key, record, reason::CRASHED, &request.policy)?;
                tended.buried += 1;
            } else {
                self.save(key, &record)?;
                self.make_ready(key)?;
            }
        }
        Ok(())
    }

    /// Forgets what is past its time, the oldest first.
    pub(super) fn forget_past(&mut self, set: Set, map: Map, limit: usize) -> Result<usize> {
        let past = self.tables.first_until(set, self.now, limit)?;
        for member in &past {
            self.tables.remove(set, &member.name)?;
            self.tables.delete(map, &member.name)?;
        }
        Ok(past.len())
    }

    fn has_more(&self, policy: &Policy) -> Result<bool> {
        for set in [Set::Timed, Set::Leases, Set::Windows, Set::Lanes] {
            if !self.tables.first_until(set, self.now, 1)?.is_empty() {
                return Ok(true);
            }
        }
        Ok(self.beyond_cap(policy)? > 0)
    }
}
