//! Rows, what one statement makes of them, and where that goes wrong.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use kv_core::{
    Bytes, Command, Condition, Entry, Error, ErrorKind, Lifetime, Outcome, Remaining, Reply,
    Result, Version, add_to_counter,
};

use super::text::{changed, leaks};
use crate::broken::slip::{By, Change, Kind, Slip};

/// Where a lifetime counts as huge for the slips about it.
const HUGE: std::time::Duration = std::time::Duration::from_secs(100 * 365 * 86_400);

#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) value: Bytes,
    pub(super) version: u64,
    /// In milliseconds of the clock.
    pub(super) ends: Option<u64>,
    /// The lifetime as it was given.
    given: u64,
    /// The statement that wrote the row or its lifetime last.
    how: (Kind, By),
}

#[derive(Default)]
pub(super) struct Table {
    pub(super) now: u64,
    pub(super) rows: BTreeMap<String, Row>,
    pub(super) writes: u64,
    pub(super) hits: u64,
    pub(super) misses: u64,
    gone: BTreeMap<String, Row>,
    timers: Vec<(u64, String, (Kind, By))>,
}

/// What a statement does once it has looked.
#[derive(Clone)]
pub(super) enum Effect {
    Nothing,
    Remove,
    Put { value: Bytes, ends: Option<u64>, given: u64 },
    Touch { ends: Option<u64>, given: u64 },
}

pub(super) struct Plan {
    pub(super) reply: Reply,
    pub(super) effect: Effect,
}

/// One statement: the verb, the route, and the store's slip.
#[derive(Clone, Copy)]
pub(super) struct Statement {
    pub(super) kind: Kind,
    pub(super) by: By,
    pub(super) slip: Option<Slip>,
}

impl Statement {
    pub(super) fn has(&self, slip: fn(Kind, By) -> Slip) -> bool {
        self.slip == Some(slip(self.kind, self.by))
    }

    fn is(&self, slip: Slip) -> bool {
        self.slip == Some(slip)
    }
}

impl Table {
    /// Every statement begins here; nothing is swept but by a slip's old timers.
    pub(super) fn at(&mut self, now: u64, slip: Option<Slip>) {
        self.now = now;
        if let Some(Slip::TimerStaysAfter(kind, by)) = slip {
            for (ends, key, _) in std::mem::take(&mut self.timers) {
                let renewed = self.rows.get(&key).is_some_and(|row| row.how == (kind, by));
                if ends > now {
                    self.timers.push((ends, key, (kind, by)));
                } else if renewed {
                    self.rows.remove(&key);
                }
            }
        }
    }

    pub(super) fn alive(&self, key: &str) -> Option<&Row> {
        self.rows.get(key).filter(|row| row.ends.is_none_or(|ends| ends > self.now))
    }

    pub(super) fn entry(&self, row: &Row, slip: Option<Slip>) -> Entry {
        let version = match slip {
            Some(Slip::ComparesValues(change)) => Version::of_value(changed(change, &row.value)),
            Some(Slip::VersionIsAHash) => {
                let mut hasher = DefaultHasher::new();
                row.value.hash(&mut hasher);
                Version::from_number(hasher.finish())
            }
            Some(Slip::VersionIsTheLength) => Version::from_number(row.value.len() as u64),
            _ => Version::from_number(row.version),
        };
        Entry { value: row.value.clone(), version }
    }

    fn meets(&self, s: Statement, row: Option<&Row>, condition: &Condition) -> bool {
        match condition {
            Condition::Always => true,
            Condition::Absent if s.is(Slip::AnyKeyOfTheStore) => self.rows.is_empty(),
            Condition::Present if s.is(Slip::AnyKeyOfTheStore) => !self.rows.is_empty(),
            Condition::Absent => row.is_none(),
            Condition::Present => row.is_some(),
            Condition::Version(version) => {
                row.is_some_and(|row| self.entry(row, s.slip).version == *version)
            }
        }
    }

    /// When a write with this lifetime ends, and the lifetime.
    fn ends(
        &self,
        s: Statement,
        key: &str,
        row: Option<&Row>,
        lifetime: Lifetime,
    ) -> Result<(Option<u64>, u64)> {
        if lifetime == Lifetime::In(std::time::Duration::ZERO) && s.has(Slip::ZeroPasses) {
            return Ok((None, 0));
        }
        let micros = lifetime.as_millis()?.map(|ms| ms.saturating_mul(1_000));
        let kept = row.map_or((None, 0), |row| (row.ends, row.given));
        Ok(match lifetime {
            Lifetime::Never if s.has(Slip::NeverKeeps) => kept,
            Lifetime::Never => (None, 0),
            Lifetime::Keep if s.has(Slip::KeepClears) => (None, 0),
            Lifetime::Keep if s.has(Slip::KeepBeginsAnew) && kept.0.is_some() => {
                (Some(self.now + kept.1), kept.1)
            }
            Lifetime::Keep => row.map_or_else(|| self.old_deadline(s, key), |_| kept),
            Lifetime::In(_) if s.has(Slip::ForgetsTheLifetime) => (None, 0),
            Lifetime::In(whole) if whole > HUGE && s.has(Slip::HugeIsNever) => (None, 0),
            Lifetime::In(whole) if s.has(Slip::RoundsDown) => {
                let cut = u64::try_from(whole.as_millis()).unwrap_or(u64::MAX / 2);
                let micros = cut.saturating_mul(1_000).min(u64::MAX / 2);
                (Some(self.now + micros), micros)
            }
            Lifetime::In(_) => (micros.map(|end| self.now + end), micros.unwrap_or(0)),
        })
    }

    /// What a slip kept of a key that went.
    fn old_deadline(&self, s: Statement, key: &str) -> (Option<u64>, u64) {
        let old = self.last(key);
        let found = old.filter(|row| {
            let (kind, by) = row.how;
            s.slip == Some(Slip::DeadlineComesBackAfter(kind, by))
        });
        found.map_or((None, 0), |row| (Some(self.now + 300_000), row.given))
    }

    /// The row that a key had before it went.
    fn last(&self, key: &str) -> Option<&Row> {
        self.rows.get(key).or_else(|| self.gone.get(key))
    }

    pub(super) fn plan(&self, s: Statement, key: &str, command: &Command) -> Result<Plan> {
        let row = if s.has(Slip::SeesExpired) { self.rows.get(key) } else { self.alive(key) };
        let renewed = row.filter(|row| row.ends.is_some() && s.has(Slip::ReadRenews));
        let nothing = |reply| {
            let renewal =
                |row: &Row| Effect::Touch { ends: Some(self.now + row.given), given: row.given };
            Ok(Plan { reply, effect: renewed.map_or(Effect::Nothing, renewal) })
        };
        match command {
            Command::Get { .. } => nothing(Reply::Entry(row.map(|row| self.read(s, row)))),
            Command::Exists { .. } => nothing(Reply::Flag(row.is_some())),
            Command::Ttl { .. } => nothing(Reply::Remaining(row.map(|row| self.left(row)))),
            Command::Set { value, write, .. } => {
                let (ends, given) = self
                    .ends(s, key, row, write.lifetime)
                    .map_err(|error| leaks(s.slip, s.kind, s.by, error, value))?;
                let same = row.is_some_and(|row| row.value == *value);
                let effect = match same && s.has(Slip::SameValueIsNoWrite) {
                    true => Effect::Nothing,
                    false => Effect::Put { value: value.clone(), ends, given },
                };
                let written = Reply::Outcome(Outcome::Written(Version::from_number(0)));
                self.under(
                    s,
                    row,
                    &write.condition,
                    Plan { reply: written, effect },
                    Reply::Outcome(Outcome::ConditionFailed),
                )
            }
            Command::Delete { condition, .. } => {
                let effect = Effect::Remove;
                let there = Plan { reply: Reply::Flag(row.is_some()), effect };
                self.under(s, row, condition, there, Reply::Flag(false))
            }
            Command::Take { .. } => {
                let entry = row.map(|row| self.read(s, row));
                let failed = row.is_none() && s.has(Slip::FailureCreates);
                let effect = if failed { Self::nothing_as_row() } else { Effect::Remove };
                Ok(Plan { reply: Reply::Entry(entry), effect })
            }
            Command::Touch { lifetime, .. } => {
                let (ends, given) = self.ends(s, key, row, *lifetime).map_err(|error| {
                    leaks(s.slip, s.kind, s.by, error, row.map_or(b"", |row| &row.value))
                })?;
                let effect = match row {
                    Some(_) => Effect::Touch { ends, given },
                    None if s.has(Slip::FailureCreates) => Self::nothing_as_row(),
                    None => Effect::Nothing,
                };
                Ok(Plan { reply: Reply::Flag(row.is_some()), effect })
            }
            Command::Increment { by, lifetime, .. } => self.count(s, key, row, *by, *lifetime),
            _ => Err(Error::unsupported("this command")),
        }
    }

    fn nothing_as_row() -> Effect {
        Effect::Put { value: Bytes::new(), ends: None, given: 0 }
    }

    fn left(&self, row: &Row) -> Remaining {
        let left = |ends: u64| {
            let micros = ends.saturating_sub(self.now);
            std::time::Duration::from_millis(micros.div_ceil(1_000))
        };
        row.ends.map_or(Remaining::Forever, |ends| Remaining::Expires(left(ends)))
    }

    fn read(&self, s: Statement, row: &Row) -> Entry {
        let mut entry = self.entry(row, s.slip);
        let other = s.is(Slip::ReadsAnotherVersion(s.by)) && s.kind == Kind::Get;
        if other || (s.is(Slip::TakesAnotherVersion) && s.kind == Kind::Take) {
            entry.version = Version::from_number(row.version + 1_000);
        }
        entry
    }

    /// The plan, if the condition is met.
    fn under(
        &self,
        s: Statement,
        row: Option<&Row>,
        condition: &Condition,
        plan: Plan,
        failed: Reply,
    ) -> Result<Plan> {
        if self.meets(s, row, condition) {
            return Ok(plan);
        }
        let effect = match (row, plan.effect) {
            (Some(_), Effect::Put { ends, given, .. }) if s.has(Slip::FailureGivesTheLifetime) => {
                Effect::Touch { ends, given }
            }
            (Some(_), _) if s.has(Slip::FailureClearsTheLifetime) => {
                Effect::Touch { ends: None, given: 0 }
            }
            (Some(row), _) if s.has(Slip::FailureMovesTheVersion) => {
                Effect::Put { value: row.value.clone(), ends: row.ends, given: row.given }
            }
            (None, _) if s.has(Slip::FailureCreates) => Self::nothing_as_row(),
            _ => Effect::Nothing,
        };
        Ok(Plan { reply: failed, effect })
    }

    fn count(
        &self,
        s: Statement,
        key: &str,
        row: Option<&Row>,
        by: i64,
        lifetime: Lifetime,
    ) -> Result<Plan> {
        let created = self.ends(s, key, row, lifetime)?;
        let back = Slip::CountComesBackAfter;
        let old = self.last(key).filter(|row| s.slip == Some(back(row.how.0, row.how.1)));
        let stored = row.or(old).map_or(&b"0"[..], |row| &row.value);
        let sum = match add_to_counter(stored, by) {
            Err(_) if s.is(Slip::TextCountsAsZero(s.by)) => by,
            Err(_) if s.is(Slip::OverflowStays(s.by)) && stored.len() > 10 => i64::MAX,
            counted => counted.map_err(|error| leaks(s.slip, s.kind, s.by, error, stored))?,
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_precision_loss,
            reason = "the slip"
        )]
        let sum = if s.is(Slip::CountsInDoubles) { sum as f64 as i64 } else { sum };
        let (ends, given) = match row {
            Some(row) if !s.is(Slip::CountingRenews(s.by)) => (row.ends, row.given),
            _ => created,
        };
        let effect = Effect::Put { value: sum.to_string().into(), ends, given };
        Ok(Plan { reply: Reply::Number(sum), effect })
    }

    /// Does it; the reply, with the version of what was written.
    pub(super) fn apply(&mut self, s: Statement, key: &str, plan: Plan) -> Reply {
        let written = matches!(plan.reply, Reply::Outcome(Outcome::Written(_)));
        match plan.effect {
            Effect::Nothing => {}
            Effect::Remove => self.remove(s, key),
            Effect::Touch { ends, given } => {
                if let Some(row) = self.rows.get_mut(key) {
                    (row.ends, row.given, row.how) = (ends, given, (s.kind, s.by));
                }
            }
            Effect::Put { value, ends, given } => {
                let version = self.next_version(s, key);
                let row = Row { value, version, ends, given, how: (s.kind, s.by) };
                if let Some(ends) = ends {
                    self.timers.push((ends, key.to_owned(), row.how));
                }
                self.rows.insert(key.to_owned(), row);
            }
        }
        let row = self.rows.get(key).filter(|_| written);
        row.map_or(plan.reply, |row| {
            let mut version = self.entry(row, s.slip).version;
            if s.is(Slip::TellsAnotherVersion(s.by)) {
                version = Version::from_number(row.version + 1);
            }
            Reply::Outcome(Outcome::Written(version))
        })
    }

    /// The keys that were written after this version, in that order.
    pub(super) fn written_after(&self, version: u64) -> Vec<&String> {
        let mut rows: Vec<_> = self.rows.iter().filter(|(_, row)| row.version > version).collect();
        rows.sort_by_key(|(_, row)| row.version);
        rows.into_iter().map(|(key, _)| key).collect()
    }

    /// The second part of a write whose first removed the row.
    pub(super) fn put_back(&mut self, key: &str, effect: &Effect, old: Option<&Row>, s: Statement) {
        self.writes += 1;
        let Some(old) = old else { return };
        let mut row = Row { version: self.writes, how: (s.kind, s.by), ..old.clone() };
        match effect {
            Effect::Put { value, ends, given } => {
                (row.value, row.ends, row.given) = (value.clone(), *ends, *given);
            }
            Effect::Touch { ends, given } => (row.ends, row.given) = (*ends, *given),
            Effect::Nothing | Effect::Remove => return,
        }
        self.rows.insert(key.to_owned(), row);
    }

    /// The second part of a write whose first left out the lifetime or the version.
    pub(super) fn finish(&mut self, key: &str, effect: &Effect) {
        self.writes += 1;
        let writes = self.writes;
        if let (Some(row), Effect::Put { ends, .. } | Effect::Touch { ends, .. }) =
            (self.rows.get_mut(key), effect)
        {
            (row.ends, row.version) = (*ends, writes);
        }
    }

    fn remove(&mut self, s: Statement, key: &str) {
        if let Some(row) = self.rows.remove(key) {
            self.gone.insert(key.to_owned(), Row { how: (s.kind, s.by), ..row });
        }
    }

    fn next_version(&mut self, s: Statement, key: &str) -> u64 {
        self.writes += 1;
        let alive = self.alive(key);
        match s.slip {
            Some(Slip::VersionStays(kind, by)) if (kind, by) == (s.kind, s.by) => {
                alive.map_or(self.writes, |row| row.version)
            }
            Some(Slip::VersionComesBackAfter(kind, by)) if alive.is_none() => {
                let old = self.last(key).filter(|row| row.how == (kind, by));
                old.map_or(self.writes, |row| row.version)
            }
            Some(Slip::VersionIsHighestPlusOne) => {
                let others = self.rows.iter().filter(|(other, _)| *other != key);
                let others = others.map(|(_, row)| row.version).max().unwrap_or(0);
                others.max(alive.map_or(0, |row| row.version)) + 1
            }
            Some(Slip::VersionOfEachKey) => alive.map_or(1, |row| row.version + 1),
            _ => self.writes,
        }
    }
}

/// Change of a value, for the slips about values.
pub(super) fn stored(slip: Option<Slip>, by: By, value: Bytes) -> Bytes {
    match slip {
        Some(Slip::ChangesValues(change, route)) if route == by => changed(change, &value),
        Some(Slip::LargeAreCut(most)) => changed(Change::CutsAt(most), &value),
        _ => value,
    }
}

/// Whether a value is refused by the slips about sizes.
pub(super) fn is_too_large(slip: Option<Slip>, value: &Bytes) -> Result<()> {
    match slip {
        Some(Slip::LargeFail(most)) if value.len() > most => {
            Err(Error::new(ErrorKind::TooLarge, "a value beyond the size of a row"))
        }
        _ => Ok(()),
    }
}
