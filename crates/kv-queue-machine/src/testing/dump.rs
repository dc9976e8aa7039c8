//! Everything in a partition's tables, and whether it is consistent.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::naive::NaiveTables;
use crate::machine::marks::{self, Mark};
use crate::member;
use crate::memory::MemTables;
use crate::record::{History, JobRecord, SessionRecord, decode};
use crate::tables::{Counter, Map, Member, Set, Tables};

mod groups;

/// The contents of a partition's tables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dump {
    sets: BTreeMap<Set, Vec<Member>>,
    maps: BTreeMap<Map, BTreeMap<String, Bytes>>,
    counters: BTreeMap<Counter, u64>,
}

impl From<&NaiveTables> for Dump {
    fn from(tables: &NaiveTables) -> Self {
        let map = |map| (map, owned(tables.entries(map)));
        Self {
            sets: Set::ALL.iter().map(|set| (*set, tables.all(*set))).collect(),
            maps: Map::ALL.iter().copied().map(map).collect(),
            counters: counters(tables),
        }
    }
}

impl From<&MemTables> for Dump {
    fn from(tables: &MemTables) -> Self {
        let set = |set| (set, tables.first(set, usize::MAX).unwrap_or_default());
        let map = |map| (map, owned(tables.entries(map)));
        Self {
            sets: Set::ALL.iter().copied().map(set).collect(),
            maps: Map::ALL.iter().copied().map(map).collect(),
            counters: counters(tables),
        }
    }
}

fn owned<'a>(entries: impl Iterator<Item = (&'a str, &'a Bytes)>) -> BTreeMap<String, Bytes> {
    entries.map(|(key, value)| (key.to_owned(), value.clone())).collect()
}

fn counters<T: Tables>(tables: &T) -> BTreeMap<Counter, u64> {
    let value = |counter: &Counter| (*counter, tables.counter(*counter).unwrap_or(u64::MAX));
    Counter::ALL.iter().map(value).collect()
}

impl Dump {
    /// Checks that every index agrees with every body, key and session.
    ///
    /// # Errors
    /// The inconsistencies.
    pub fn check(&self) -> Result<(), String> {
        let placed = self.placed()?;
        let bodies: BTreeSet<_> = self.map(Map::Body).keys().cloned().collect();
        same("jobs in the sets and bodies", &placed, &bodies)?;
        let done = self.names(Set::Done);
        same("done jobs with bodies", &done.intersection(&bodies).cloned().collect(), &none())?;
        let known: BTreeSet<_> = bodies.union(&done).cloned().collect();
        for (what, map) in [("records", Map::Job), ("checkpoints", Map::Checkpoint)] {
            let keys = self.map(map).keys().filter(|key| *key != marks::KEY);
            let keys = keys.map(|key| key.trim_end_matches('h').to_owned());
            same(
                what,
                &keys.collect::<BTreeSet<_>>().difference(&known).cloned().collect(),
                &none(),
            )?;
        }
        let sessions: BTreeSet<_> = self.map(Map::Session).keys().cloned().collect();
        same("sessions", &self.names(Set::Sessions), &sessions)?;
        self.check_ranks()?;
        self.check_groups()?;
        self.check_unique()?;
        self.check_records()
    }

    fn set(&self, set: Set) -> &[Member] {
        self.sets.get(&set).map_or(&[], |members| members)
    }

    fn map(&self, map: Map) -> &BTreeMap<String, Bytes> {
        static EMPTY: BTreeMap<String, Bytes> = BTreeMap::new();
        self.maps.get(&map).unwrap_or(&EMPTY)
    }

    fn names(&self, set: Set) -> BTreeSet<String> {
        self.set(set).iter().map(|member| member.name.to_string()).collect()
    }

    /// The keys of all jobs, each in one set only.
    fn placed(&self) -> Result<BTreeSet<String>, String> {
        let mut keys = BTreeSet::new();
        for set in [Set::Ready, Set::Queued, Set::Timed, Set::Leases, Set::Dead] {
            for member in self.set(set) {
                let key = member::job_of(set, &member.name).map_err(|e| e.to_string())?;
                if !keys.insert(key.to_string()) {
                    return Err(format!("{} is in a second place: {set:?}", member.name));
                }
            }
        }
        Ok(keys)
    }

    /// Each ready job is at the place of its record.
    fn check_ranks(&self) -> Result<(), String> {
        for found in self.set(Set::Ready).iter().chain(self.set(Set::Queued)) {
            let key = member::parse_ready(&found.name).map_err(|e| e.to_string())?;
            let JobRecord { place, group, .. } = self.record(&key.to_string())?;
            let expected = match group {
                None => member::ready(key, place.as_ref()),
                Some(group) => {
                    let name = member::queued(&group, key, place.as_ref()).into();
                    Member { score: 0, name }
                }
            };
            if expected != *found {
                return Err(format!("{found:?} is not at its place, {place:?}"));
            }
        }
        Ok(())
    }

    fn record(&self, key: &str) -> Result<JobRecord, String> {
        let record = self.map(Map::Job).get(key).map(|it| decode::<JobRecord>("a job", it));
        Ok(record.transpose().map_err(|error| error.to_string())?.unwrap_or_default())
    }

    fn check_unique(&self) -> Result<(), String> {
        let keys: BTreeSet<_> = self.map(Map::Unique).keys().cloned().collect();
        let unheld = self.names(Set::Windows).difference(&keys).cloned().collect();
        same("windows without a unique key", &unheld, &BTreeSet::new())?;
        let holders = self.map(Map::Unique).values();
        holders
            .map(|holder| member::parse_holder(holder))
            .try_for_each(|holder| holder.map(drop).map_err(|error| error.to_string()))
    }

    /// Records are readable, and a job with a unique key for its lifetime holds that key.
    fn check_records(&self) -> Result<(), String> {
        for session in self.map(Map::Session).values() {
            let _: SessionRecord =
                decode("a session", session).map_err(|error| error.to_string())?;
        }
        for (key, record) in self.map(Map::Job) {
            if key == marks::KEY {
                let _: Vec<Mark> = decode("marks", record).map_err(|error| error.to_string())?;
                continue;
            }
            if key.ends_with('h') {
                let _: History = decode("a history", record).map_err(|error| error.to_string())?;
                continue;
            }
            let record: JobRecord = decode("a job", record).map_err(|e| e.to_string())?;
            let Some(unique) = record.unique else { continue };
            let holder = self.map(Map::Unique).get(&unique);
            if holder.is_none_or(|holder| *holder != *key.as_bytes()) {
                return Err(format!("{key} lost its unique key {unique}"));
            }
        }
        Ok(())
    }
}

const fn none() -> BTreeSet<String> {
    BTreeSet::new()
}

fn same(what: &str, left: &BTreeSet<String>, right: &BTreeSet<String>) -> Result<(), String> {
    let odd: Vec<_> = left.symmetric_difference(right).take(5).collect();
    if odd.is_empty() { Ok(()) } else { Err(format!("{what} do not fit: {odd:?}")) }
}
