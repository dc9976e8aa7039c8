//! The verbs on one key, as statements of a transaction.

use bytes::Bytes;
use kv_core::{
    CheckedRate, Command, Condition, Decision, Entry, Error, ErrorKind, Lifetime, Outcome,
    Remaining, Reply, Result, Version, Write, add_to_counter,
};
use rusqlite::Row;

use crate::file::Session;

/// The largest value, and the largest body of a job, in bytes: 16 MiB, the least that a
/// store must take.
///
/// A commit that writes 10 MiB takes several times as long as a plain file does, and holds up all
/// other writers of the file meanwhile.
pub const MAX_VALUE_BYTES: usize = 16 << 20;

const UPSERT: &str = "
INSERT INTO entries(key, version, expires, small, large) VALUES(?1, ?2, ?3, ?4, ?5)
ON CONFLICT(key) DO UPDATE SET version = ?2, expires = ?3, small = ?4, large = ?5";

/// Refuses a value that is too large.
///
/// # Errors
/// `TooLarge`.
pub(crate) fn check_size(bytes: usize) -> Result<()> {
    if bytes <= MAX_VALUE_BYTES {
        return Ok(());
    }
    let message = format!(
        "a value of {bytes} bytes; expected at most {MAX_VALUE_BYTES}, the limit of SQLite stores. \
         A Redis server takes larger ones"
    );
    Err(Error::new(ErrorKind::TooLarge, message))
}

/// What is known of a live key.
struct Found {
    version: i64,
    expires: Option<i64>,
}

impl Session {
    pub(crate) fn get(&self, key: &str) -> Result<Option<Entry>> {
        let sql = "SELECT small, large, version FROM entries
                   WHERE key = ?1 AND (expires IS NULL OR expires > ?2)";
        self.row(sql, (key, self.now()), |row| {
            let version: i64 = row.get(2)?;
            let version = Version::from_number(version.unsigned_abs());
            Ok(Entry { value: self.value(row, 0)?, version })
        })
    }

    pub(crate) fn get_many(&self, keys: &[String]) -> Result<Vec<Option<Entry>>> {
        keys.iter().map(|key| self.get(key)).collect()
    }

    pub(crate) fn ttl(&self, key: &str) -> Result<Option<Remaining>> {
        let now = self.now();
        Ok(self.find(key, now)?.map(|found| remaining(found.expires, now)))
    }

    pub(crate) fn set(&self, key: &str, value: &Bytes, write: &Write) -> Result<Outcome> {
        let (millis, now) = (write.lifetime.as_millis()?, self.now());
        let plain = write.condition == Condition::Always && write.lifetime != Lifetime::Keep;
        let found = if plain { None } else { self.find(key, now)? };
        if !holds(&write.condition, found.as_ref()) {
            return Ok(Outcome::ConditionFailed);
        }
        let kept = found.and_then(|found| found.expires);
        let version = self.next_version()?;
        self.store(key, version, deadline(write.lifetime, millis, kept, now), value)?;
        Ok(Outcome::Written(Version::from_number(version.unsigned_abs())))
    }

    pub(crate) fn delete(&self, key: &str, condition: &Condition) -> Result<bool> {
        let deleted = match condition {
            Condition::Always | Condition::Present => {
                let sql = "DELETE FROM entries
                           WHERE key = ?1 AND (expires IS NULL OR expires > ?2)";
                self.execute(sql, (key, self.now()))?
            }
            Condition::Version(version) => {
                let Some(version) = number(version) else { return Ok(false) };
                let sql = "DELETE FROM entries
                           WHERE key = ?1 AND (expires IS NULL OR expires > ?2) AND version = ?3";
                self.execute(sql, (key, self.now(), version))?
            }
            Condition::Absent => 0,
        };
        Ok(deleted > 0)
    }

    pub(crate) fn take(&self, key: &str) -> Result<Option<Entry>> {
        let found = self.get(key)?;
        if found.is_some() {
            self.delete(key, &Condition::Always)?;
        }
        Ok(found)
    }

    pub(crate) fn increment(&self, key: &str, by: i64, lifetime: Lifetime) -> Result<i64> {
        let (millis, now) = (lifetime.as_millis()?, self.now());
        let sql = "SELECT small, large, expires FROM entries
                   WHERE key = ?1 AND (expires IS NULL OR expires > ?2)";
        let stored = self.row(sql, (key, now), |row| {
            Ok((add_to_counter(&self.value(row, 0)?, by), row.get(2)?))
        })?;
        let (sum, expires) = match stored {
            Some((sum, expires)) => (sum?, expires),
            None => (by, deadline(lifetime, millis, None, now)),
        };
        self.store(key, self.next_version()?, expires, sum.to_string().as_bytes())?;
        Ok(sum)
    }

    /// Decides whether something may happen, and counts it if it may.
    fn limit(&self, key: &str, rate: &CheckedRate) -> Result<Decision> {
        let stored = self.get(key)?.map(|entry| entry.value);
        let (decision, next) = rate.step(stored.as_deref(), self.date());
        if let Some((value, lifetime)) = next {
            self.set(key, &value, &Write::ALWAYS.lifetime(lifetime))?;
        }
        Ok(decision)
    }

    pub(crate) fn touch(&self, key: &str, lifetime: Lifetime) -> Result<bool> {
        let (millis, now) = (lifetime.as_millis()?, self.now());
        if lifetime == Lifetime::Keep {
            return Ok(self.find(key, now)?.is_some());
        }
        let sql = "UPDATE entries SET expires = ?3
                   WHERE key = ?1 AND (expires IS NULL OR expires > ?2)";
        let expires = deadline(lifetime, millis, None, now);
        Ok(self.execute(sql, (key, now, expires))? > 0)
    }

    /// One command of a batch. Each that fails wrote nothing.
    pub(crate) fn command(&self, command: &Command) -> Result<Reply> {
        Ok(match command {
            Command::Get { key } => Reply::Entry(self.get(key)?),
            Command::Set { key, value, write } => {
                check_size(value.len())?;
                Reply::Outcome(self.set(key, value, write)?)
            }
            Command::Delete { key, condition } => Reply::Flag(self.delete(key, condition)?),
            Command::Exists { key } => Reply::Flag(self.ttl(key)?.is_some()),
            Command::Ttl { key } => Reply::Remaining(self.ttl(key)?),
            Command::Touch { key, lifetime } => Reply::Flag(self.touch(key, *lifetime)?),
            Command::Take { key } => Reply::Entry(self.take(key)?),
            Command::Increment { key, by, lifetime } => {
                Reply::Number(self.increment(key, *by, *lifetime)?)
            }
            Command::Limit { key, rate } => Reply::Decision(self.limit(key, rate)?),
            _ => return Err(Error::unsupported("this command")),
        })
    }

    fn find(&self, key: &str, now: i64) -> Result<Option<Found>> {
        let sql = "SELECT version, expires FROM entries
                   WHERE key = ?1 AND (expires IS NULL OR expires > ?2)";
        let read = |row: &Row<'_>| Ok(Found { version: row.get(0)?, expires: row.get(1)? });
        self.row(sql, (key, now), read)
    }

    fn store(&self, key: &str, version: i64, expires: Option<i64>, value: &[u8]) -> Result<()> {
        self.with_value(key, value, |(small, large)| {
            self.execute(UPSERT, (key, version, expires, small, large)).map(drop)
        })
    }
}

fn number(version: &Version) -> Option<i64> {
    version.as_number().and_then(|number| i64::try_from(number).ok())
}

fn holds(condition: &Condition, found: Option<&Found>) -> bool {
    match condition {
        Condition::Always => true,
        Condition::Absent => found.is_none(),
        Condition::Present => found.is_some(),
        Condition::Version(version) => {
            found.is_some_and(|found| number(version) == Some(found.version))
        }
    }
}

/// The microsecond from which a key is gone; far ones cannot wrap, since lifetimes are clamped.
fn deadline(lifetime: Lifetime, millis: Option<u64>, kept: Option<i64>, now: i64) -> Option<i64> {
    match lifetime {
        Lifetime::Never => None,
        Lifetime::Keep => kept,
        Lifetime::In(_) => {
            let micros = i64::try_from(millis.unwrap_or_default().saturating_mul(1_000));
            Some(now.saturating_add(micros.unwrap_or(i64::MAX)))
        }
    }
}

/// The time left of a live key, in whole milliseconds, rounded up.
fn remaining(expires: Option<i64>, now: i64) -> Remaining {
    let Some(expires) = expires else { return Remaining::Forever };
    let micros = expires.saturating_sub(now).unsigned_abs();
    Remaining::Expires(std::time::Duration::from_millis(micros.div_ceil(1_000)))
}
