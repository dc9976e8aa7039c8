//! Groups: where a group stands, and what moves it.
//!
//! A group with queued jobs is in exactly one place: in the ring, where groups take turns; blocked
//! until a time; or full, that is waiting for the end of a lease. Only a claim knows the queue's
//! limit, so every other step lets a group take a turn, and the claim that meets it there decides. A
//! group without queued jobs is in none of these places. It keeps a record while jobs run, while a
//! start or a pause still counts, or for a limit of its own, and then nothing is left of it.

use std::time::Duration;

use kv_core::Result;
use kv_core::queue::{Controlled, GroupBlock, GroupLimit, GroupState, JobKey, MAX_STAMP};

use super::Machine;
use crate::group::{Admission, GroupRecord, Terms};
use crate::member::Place;
use crate::record::{decode, encode};
use crate::tables::{Counter, Map, Set, Tables};
use crate::{member, time};

impl<T: Tables + ?Sized> Machine<'_, T> {
    /// What a group has beside its jobs. A record that cannot be read says nothing.
    pub(super) fn group(&self, name: &str) -> Result<GroupRecord> {
        let stored = self.tables.get(Map::Group, name)?;
        Ok(stored.and_then(|stored| decode("a group", &stored).ok()).unwrap_or_default())
    }

    /// Adds a ready job to its group.
    pub(super) fn queue(&mut self, name: &str, key: JobKey, place: Option<&Place>) -> Result<()> {
        self.tables.insert(Set::Queued, 0, &member::queued(name, key, place))?;
        match self.ring_priority(name)? {
            Some(priority) if key.priority() < priority => self.take_turn(name, key.priority()),
            Some(_) => Ok(()),
            None if self.tables.score(Set::Blocked, name)?.is_some() => Ok(()),
            None => {
                let record = self.group(name)?;
                if record.full {
                    return Ok(());
                }
                self.tables.insert(Set::Groups, MAX_STAMP, name)?;
                self.arrive(name, &record)
            }
        }
    }

    /// Finds the place of a group after a queued job was taken from it other than by a claim.
    pub(super) fn rearrange(&mut self, name: &str) -> Result<()> {
        let Some(first) = self.first_priority(name)? else {
            self.tables.remove(Set::Ring, name)?;
            self.tables.remove(Set::Blocked, name)?;
            let record = self.group(name)?;
            return self.retire(name, record);
        };
        match self.ring_priority(name)? {
            Some(priority) if priority != first => self.take_turn(name, first),
            _ => Ok(()),
        }
    }

    /// Counts the end of a lease in its job's group, if the job has one.
    pub(super) fn free_slot(&mut self, group: Option<&str>) -> Result<()> {
        let Some(name) = group else { return Ok(()) };
        let mut record = self.group(name)?;
        record.running = record.running.saturating_sub(1);
        if std::mem::take(&mut record.full) {
            self.save_group(name, record.clone())?;
            return self.arrive(name, &record);
        }
        let is_placed = self.tables.score(Set::Ring, name)?.is_some()
            || self.tables.score(Set::Blocked, name)?.is_some();
        if is_placed { self.save_group(name, record) } else { self.retire(name, record) }
    }

    /// Places a group in the ring after a claim met it: by its first job, its limit and its turn.
    pub(super) fn arrange(
        &mut self,
        name: &str,
        mut record: GroupRecord,
        terms: &Terms,
    ) -> Result<()> {
        let Some(first) = self.first_priority(name)? else {
            self.tables.remove(Set::Ring, name)?;
            return self.retire(name, record);
        };
        match record.admission(terms, self.now) {
            Admission::Now if !record.is_turn_over(terms) => {
                if self.ring_priority(name)? != Some(first) {
                    self.take_turn(name, first)?;
                }
                return self.save_group(name, record);
            }
            Admission::Now => self.take_turn(name, first)?,
            Admission::Full => {
                self.tables.remove(Set::Ring, name)?;
                record.full = true;
            }
            Admission::Paused(until) | Admission::Spaced(until) => {
                self.tables.remove(Set::Ring, name)?;
                self.tables.insert(Set::Blocked, until, name)?;
            }
        }
        record.started = 0;
        self.save_group(name, record)
    }

    /// Lets groups take turns whose pause or spacing has ended, up to a limit. Returns how many.
    pub(super) fn unblock(&mut self, limit: usize) -> Result<usize> {
        if self.tables.len(Set::Blocked)? == 0 {
            return Ok(0);
        }
        let due = self.tables.first_until(Set::Blocked, self.now, limit)?;
        for member in &due {
            self.tables.remove(Set::Blocked, &member.name)?;
            let record = self.group(&member.name)?;
            self.arrive(&member.name, &record)?;
        }
        Ok(due.len())
    }

    pub(super) fn limit_group(
        &mut self,
        name: &str,
        limit: Option<&GroupLimit>,
    ) -> Result<Controlled> {
        let record = self.group(name)?;
        let own = limit.map(Terms::from);
        let is_changed = record.own != own;
        if is_changed {
            self.reconsider(name, GroupRecord { own, ..record })?;
        }
        Ok(Controlled { affected: usize::from(is_changed), more: false })
    }

    pub(super) fn pause_group(&mut self, name: &str, wait: Duration) -> Result<Controlled> {
        let record = self.group(name)?.at(self.now);
        let paused = if wait.is_zero() { 0 } else { time::after(self.now, wait) };
        let is_changed = record.paused != paused;
        if is_changed {
            self.reconsider(name, GroupRecord { paused, ..record })?;
        }
        Ok(Controlled { affected: usize::from(is_changed), more: false })
    }

    /// Pauses a group until a stamp, or until later if it is paused already.
    pub(super) fn pause_at_least(&mut self, name: &str, until: u64) -> Result<()> {
        let record = self.group(name)?;
        let paused = record.paused.max(until);
        self.reconsider(name, GroupRecord { paused, ..record })
    }

    /// Finds the place of a group whose pause or limit was changed.
    fn reconsider(&mut self, name: &str, mut record: GroupRecord) -> Result<()> {
        let is_in_ring = self.tables.score(Set::Ring, name)?.is_some();
        let was_blocked = self.tables.remove(Set::Blocked, name)?;
        let was_full = std::mem::take(&mut record.full);
        if !(is_in_ring || was_blocked || was_full) {
            return self.retire(name, record);
        }
        if is_in_ring && record.paused <= self.now {
            return self.save_group(name, record);
        }
        self.tables.remove(Set::Ring, name)?;
        record.started = 0;
        self.save_group(name, record.clone())?;
        self.arrive(name, &record)
    }

    /// Places a group with queued jobs that stands nowhere.
    fn arrive(&mut self, name: &str, record: &GroupRecord) -> Result<()> {
        if record.paused > self.now {
            return self.tables.insert(Set::Blocked, record.paused, name);
        }
        match self.first_priority(name)? {
            Some(first) => self.take_turn(name, first),
            None => Ok(()),
        }
    }

    /// Puts a group at the end of the ring of a priority.
    fn take_turn(&mut self, name: &str, priority: u8) -> Result<()> {
        let turn = self.next_turn()?;
        self.tables.insert(Set::Ring, JobKey::new(priority, turn).rank(), name)
    }

    /// The number of a new turn, behind all turns.
    pub(super) fn next_turn(&mut self) -> Result<u64> {
        let turn = self.tables.counter(Counter::Turn)?.saturating_add(1);
        self.tables.set_counter(Counter::Turn, turn.min(JobKey::MAX_SEQUENCE))?;
        Ok(turn)
    }

    /// Keeps of a group without queued jobs what still counts.
    fn retire(&mut self, name: &str, record: GroupRecord) -> Result<()> {
        let record = GroupRecord { started: 0, full: false, ..record.at(self.now) };
        let forgotten = record.forgotten_at();
        if forgotten == 0 {
            self.tables.delete(Map::Group, name)?;
            self.tables.remove(Set::Groups, name)?;
            return Ok(());
        }
        self.tables.insert(Set::Groups, forgotten, name)?;
        self.save_group(name, record)
    }

    /// Stores a record, or deletes it when it says nothing.
    fn save_group(&mut self, name: &str, record: GroupRecord) -> Result<()> {
        let record = record.at(self.now);
        if record == GroupRecord::default() {
            return self.tables.delete(Map::Group, name).map(drop);
        }
        self.tables.put(Map::Group, name, encode(&record)?)
    }

    /// The priority of a group's first queued job.
    fn first_priority(&self, name: &str) -> Result<Option<u8>> {
        let first = self.tables.first_under(Set::Queued, &member::under(name), 1)?;
        Ok(first.first().map(|member| member::priority_of(&member.name)))
    }

    /// The priority at which a group is in the ring.
    fn ring_priority(&self, name: &str) -> Result<Option<u8>> {
        let score = self.tables.score(Set::Ring, name)?;
        Ok(score.map(|score| u8::try_from(score >> JobKey::SEQUENCE_BITS).unwrap_or(u8::MAX)))
    }

    /// A page of groups.
    pub(super) fn groups(
        &self,
        after: Option<&str>,
        limit: usize,
        default: &GroupLimit,
    ) -> Result<Vec<GroupState>> {
        let groups = match after {
            Some(after) => self.tables.first_after(Set::Groups, after, limit)?,
            None => self.tables.first(Set::Groups, limit)?,
        };
        groups.iter().map(|group| self.state_of(&group.name, default)).collect()
    }

    pub(super) fn state_of(&self, name: &str, default: &GroupLimit) -> Result<GroupState> {
        let mut record = self.group(name)?;
        let terms = record.terms(default);
        let block = match record.admission(&terms, self.now) {
            Admission::Now => None,
            Admission::Full => Some(GroupBlock::Concurrency),
            Admission::Paused(until) => Some(GroupBlock::Paused(time::until(self.now, until))),
            Admission::Spaced(until) => Some(GroupBlock::Rate(time::until(self.now, until))),
        };
        let waiting = self.tables.len_under(Set::Queued, &member::under(name))?;
        Ok(GroupState { name: name.to_owned(), waiting, running: record.running, block })
    }
}
