//! Tables with one planted bug each.

use kv_core::{Bytes, Result};
use kv_queue_machine::{Counter, Map, MemTables, Member, Set, Tables};

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Any lease of a job is as good as the handle's.
    NoTokenCheck,
    /// A claimed job leaves the ready set and gets no lease.
    HalfMove,
    /// Unique keys are never found.
    NoDedup,
    /// Unique keys are never released.
    UniqueKept,
    /// Windows never end.
    EndlessWindow,
    /// Sessions are not remembered.
    NoReplay,
    /// The count of done jobs skips every fifth.
    CounterDrift,
    /// What is due now is due a microsecond later.
    DueOffByOne,
    /// Ready jobs come in the order in which they became ready.
    InsertionOrder,
    /// Members of equal score come in the wrong order.
    TieOrder,
    /// Only a job's first checkpoint is kept.
    StaleCheckpoint,
    /// One dead letter too many is kept.
    DeadCap,
    /// The newest dead letters are dropped.
    NewestEvicted,
    /// Extending does nothing.
    NoExtend,
    /// A job's failures, crashes and snoozes are not stored.
    NoHistory,
    /// Two claims in a microsecond get the same token.
    TokenReused,
    /// Every second claim knows only what it and the claims before the last one did to groups: the
    /// limits count for each of two processes.
    LimitPerProcess,
    /// A slot that is free stays taken.
    LeakedSlot,
    /// A group without running jobs is lost with its pause and its starts.
    GroupLost,
    /// A group that had its turn goes to the front of the ring.
    GroupStarved,
    /// A page of a list begins behind all jobs of the last one's time.
    PageSkipsTies,
    /// What done jobs returned is not kept.
    ValueLost,
    /// One done job too many is kept.
    DoneCap,
    /// Only a job's first failure is kept.
    FirstFailureOnly,
    /// The time is marked only once.
    FirstMarkOnly,
    /// A purge leaves the unique keys of the jobs that it removes.
    UniqueOverPurge,
}

fn owned((key, value): (&str, &Bytes)) -> (String, Bytes) {
    (key.to_owned(), value.clone())
}

/// Tables in memory, but for the fault.
#[derive(Debug)]
pub(crate) struct FaultyTables {
    pub(crate) tables: MemTables,
    fault: Fault,
    inserted: u64,
}

impl FaultyTables {
    pub(crate) fn new(fault: Fault) -> Self {
        Self { tables: MemTables::default(), fault, inserted: 0 }
    }

    /// The key of a group's record.
    fn group_key(&self, map: Map, key: &str) -> Result<String> {
        let is_odd = !self.tables.counter(Counter::Token)?.is_multiple_of(2);
        let is_other = self.has(Fault::LimitPerProcess) && map == Map::Group && is_odd;
        Ok(if is_other { format!("{key}'") } else { key.to_owned() })
    }

    /// How many jobs of a group run, by its record: the first number of it.
    fn running(&self, key: &str) -> Result<u8> {
        let record = self.tables.get(Map::Group, key)?;
        Ok(record.and_then(|record| record.get(1).copied()).unwrap_or(0))
    }

    fn has(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    /// The member that a look-up by name finds.
    fn found(&self, set: Set, name: &str) -> Result<String> {
        if !self.has(Fault::NoTokenCheck) || set != Set::Leases {
            return Ok(name.to_owned());
        }
        let key = name.split(':').next().unwrap_or_default();
        let all = self.tables.first(set, usize::MAX)?;
        let lease = all.iter().find(|member| member.name.starts_with(key));
        Ok(lease.map_or(name, |member| &*member.name).to_owned())
    }
}

impl Tables for FaultyTables {
    fn insert(&mut self, set: Set, score: u64, name: &str) -> Result<()> {
        self.inserted += 1;
        let held = self.tables.score(set, name)?.is_some();
        match (self.fault, set) {
            (Fault::HalfMove, Set::Leases) => Ok(()),
            (Fault::NoExtend, Set::Leases) if held => Ok(()),
            (Fault::InsertionOrder, Set::Ready) => self.tables.insert(set, self.inserted, name),
            (Fault::GroupStarved, Set::Ring) => {
                self.tables.insert(set, (score >> 49 << 49) + (1 << 20) - self.inserted, name)
            }
            _ => self.tables.insert(set, score, name),
        }
    }

    fn remove(&mut self, set: Set, name: &str) -> Result<bool> {
        let name = self.found(set, name)?;
        self.tables.remove(set, &name)
    }

    fn score(&self, set: Set, name: &str) -> Result<Option<u64>> {
        if self.has(Fault::EndlessWindow) && set == Set::Windows {
            return Ok(None);
        }
        self.tables.score(set, &self.found(set, name)?)
    }

    fn first(&self, set: Set, limit: usize) -> Result<Vec<Member>> {
        let mut all = self.tables.first(set, usize::MAX)?;
        match (self.fault, set) {
            (Fault::NewestEvicted, Set::Dead) if limit < 3 => all.reverse(),
            (Fault::TieOrder, _) => {
                all.sort_by(|one, two| (one.score, &two.name).cmp(&(two.score, &one.name)));
            }
            _ => {}
        }
        all.truncate(limit);
        Ok(all)
    }

    fn first_until(&self, set: Set, score: u64, limit: usize) -> Result<Vec<Member>> {
        let early = u64::from(self.has(Fault::DueOffByOne));
        self.tables.first_until(set, score - early, limit)
    }

    fn first_after(&self, set: Set, name: &str, limit: usize) -> Result<Vec<Member>> {
        self.tables.first_after(set, name, limit)
    }

    fn first_beyond(&self, set: Set, member: &Member, limit: usize) -> Result<Vec<Member>> {
        if self.has(Fault::PageSkipsTies) {
            let next = Member { score: member.score + 1, name: "".into() };
            return self.tables.first_beyond(set, &next, limit);
        }
        self.tables.first_beyond(set, member, limit)
    }

    fn find(&self, set: Set, prefix: &str) -> Result<Option<Member>> {
        self.tables.find(set, prefix)
    }

    fn first_under(&self, set: Set, prefix: &str, limit: usize) -> Result<Vec<Member>> {
        self.tables.first_under(set, prefix, limit)
    }

    fn len_under(&self, set: Set, prefix: &str) -> Result<u64> {
        self.tables.len_under(set, prefix)
    }

    fn len(&self, set: Set) -> Result<u64> {
        let len = self.tables.len(set)?;
        let hidden = self.has(Fault::DeadCap) && set == Set::Dead
            || self.has(Fault::DoneCap) && set == Set::Done;
        let hidden = u64::from(hidden);
        Ok(len.saturating_sub(hidden))
    }

    fn get(&self, map: Map, key: &str) -> Result<Option<Bytes>> {
        match (self.fault, map) {
            (Fault::NoDedup, Map::Unique) | (Fault::NoReplay, Map::Session) => Ok(None),
            (Fault::ValueLost, Map::Checkpoint) if self.tables.score(Set::Done, key)?.is_some() => {
                Ok(None)
            }
            _ => self.tables.get(map, &self.group_key(map, key)?),
        }
    }

    fn put(&mut self, map: Map, key: &str, value: Bytes) -> Result<()> {
        let held = self.tables.get(map, key)?.is_some();
        match (self.fault, map) {
            (Fault::StaleCheckpoint, Map::Checkpoint) if held => Ok(()),
            (Fault::NoHistory, Map::Job) => Ok(()),
            (Fault::FirstMarkOnly, Map::Job) if held && key == "marks" => Ok(()),
            (Fault::FirstFailureOnly, Map::Job) if held && key.ends_with('h') => Ok(()),

            (Fault::LeakedSlot, Map::Group) => {
                let running = self.running(key)?;
                let mut record = value.to_vec();
                record[1] = record[1].max(running);
                self.tables.put(map, key, record.into())
            }
            (Fault::GroupLost, Map::Group) if value.get(1) == Some(&0) => {
                self.tables.delete(map, key).map(drop)
            }
            _ => self.tables.put(map, &self.group_key(map, key)?, value),
        }
    }

    fn delete(&mut self, map: Map, key: &str) -> Result<bool> {
        if self.has(Fault::UniqueKept) && map == Map::Unique {
            return Ok(true);
        }
        if self.has(Fault::LeakedSlot) && map == Map::Group && self.running(key)? > 0 {
            return Ok(true);
        }
        self.tables.delete(map, &self.group_key(map, key)?)
    }

    fn clear(&mut self) -> Result<()> {
        let unique: Vec<_> = self.tables.entries(Map::Unique).map(owned).collect();
        self.tables.clear()?;
        let kept = unique.into_iter().filter(|_| self.fault == Fault::UniqueOverPurge);
        kept.collect::<Vec<_>>()
            .into_iter()
            .try_for_each(|(key, job)| self.put(Map::Unique, &key, job))
    }

    fn counter(&self, counter: Counter) -> Result<u64> {
        self.tables.counter(counter)
    }

    fn set_counter(&mut self, counter: Counter, value: u64) -> Result<()> {
        match (self.fault, counter) {
            (Fault::CounterDrift, Counter::Done) if value.is_multiple_of(5) => Ok(()),
            (Fault::TokenReused, Counter::Token) => Ok(()),
            _ => self.tables.set_counter(counter, value),
        }
    }
}
