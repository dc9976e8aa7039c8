//! What a store of the suite's own holds: sound, but for the one fault.

use std::collections::BTreeMap;
use std::time::Duration;

use kv_core::{Bytes, Condition, Entry, Lifetime, Version};

use super::fault::Fault;

/// Where a lifetime counts as huge for the faults about it.
const HUGE: Duration = Duration::from_secs(100 * 365 * 86_400);

#[derive(Clone)]
pub(super) struct Record {
    pub(super) value: Bytes,
    pub(super) version: u64,
    /// In milliseconds of the clock.
    pub(super) ends: Option<u64>,
}

impl Record {
    pub(super) fn entry(&self) -> Entry {
        Entry { value: self.value.clone(), version: Version::from_number(self.version) }
    }
}

#[derive(Default)]
pub(super) struct Contents {
    fault: Option<Fault>,
    /// Whole milliseconds, down and up: a deadline is counted from the later one.
    pub(super) now: u64,
    next: u64,
    pub(super) records: BTreeMap<String, Record>,
    pub(super) jammed: bool,
    writes: u64,
    timers: Vec<(u64, String)>,
}

impl Contents {
    pub(super) fn new(fault: Option<Fault>) -> Self {
        Self { fault, ..Self::default() }
    }

    pub(super) fn is(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    /// Every access begins here: nothing is swept, so that each verb has to look.
    pub(super) fn at(&mut self, time: Duration) {
        let now = u64::try_from(time.as_millis()).unwrap();
        (self.now, self.next) = (now, u64::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap());
        if self.is(Fault::OldTimersDelete) {
            for (ends, key) in std::mem::take(&mut self.timers) {
                if ends > now {
                    self.timers.push((ends, key));
                } else {
                    self.records.remove(&key);
                }
            }
        }
    }

    fn has_ended(&self, record: &Record) -> bool {
        let early = u64::from(self.is(Fault::ExpiresEarly));
        let late = u64::from(self.is(Fault::ExpiresLate));
        record.ends.is_some_and(|ends| ends + late <= self.now + early)
    }

    /// The record, unless it has expired.
    pub(super) fn alive(&self, key: &str) -> Option<&Record> {
        self.records.get(key).filter(|record| !self.has_ended(record))
    }

    /// The record, expired or not, for a store with this fault; sound stores get the living one.
    pub(super) fn alive_or(&self, fault: Fault, key: &str) -> Option<&Record> {
        if self.is(fault) { self.records.get(key) } else { self.alive(key) }
    }

    pub(super) fn meets(&self, key: &str, condition: &Condition) -> bool {
        let record = self.alive(key);
        match condition {
            Condition::Always => true,
            Condition::Absent => {
                self.is(Fault::AbsentIgnored)
                    || self.alive_or(Fault::AbsentSeesExpired, key).is_none()
            }
            Condition::Present => self.is(Fault::PresentIgnored) || record.is_some(),
            Condition::Version(version) => record.is_some_and(|record| {
                self.is(Fault::VersionIgnored) || Version::from_number(record.version) == *version
            }),
        }
    }

    /// When a write with this lifetime ends.
    pub(super) fn ends(&self, key: &str, lifetime: Lifetime) -> Option<u64> {
        let kept = self.alive_or(Fault::KeepRevivesADeadline, key).and_then(|old| old.ends);
        match lifetime {
            Lifetime::Never if self.is(Fault::SetKeepsTheLifetime) => kept,
            Lifetime::Never => None,
            Lifetime::Keep if self.is(Fault::KeepClears) => None,
            Lifetime::Keep if self.is(Fault::KeepGivesADefault) && self.alive(key).is_none() => {
                Some(self.now + 60_000)
            }
            Lifetime::Keep => kept,
            Lifetime::In(duration) if duration > HUGE && self.is(Fault::HugeIsNever) => None,
            Lifetime::In(duration) if self.is(Fault::RoundsDown) => {
                Some(self.now + u64::try_from(duration.as_millis()).unwrap_or(u64::MAX / 2))
            }
            Lifetime::In(_) => Some(self.next + lifetime.as_millis().unwrap().unwrap()),
        }
    }

    pub(super) fn store(&mut self, key: &str, value: Bytes, ends: Option<u64>) -> u64 {
        self.writes += 1;
        let mut version = self.writes;
        if self.is(Fault::VersionsRestart) {
            version = self.alive(key).map_or(1, |old| old.version + 1);
        }
        if let Some(ends) = ends {
            self.timers.push((ends, key.to_owned()));
        }
        self.records.insert(key.to_owned(), Record { value, version, ends });
        version
    }

    /// Removes the key; whether it was there.
    pub(super) fn remove(&mut self, key: &str) -> bool {
        let found = self.alive_or(Fault::DeleteSeesExpired, key).is_some();
        self.records.remove(key);
        found || self.is(Fault::DeleteSaysTrue)
    }
}

/// A lifetime beyond what a verb with a fault about it can hold becomes none.
pub(super) fn huge_is_never(lifetime: Lifetime, faulty: bool) -> Lifetime {
    match lifetime {
        Lifetime::In(duration) if faulty && duration > HUGE => Lifetime::Never,
        other => other,
    }
}
