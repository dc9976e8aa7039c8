//! The verbs on one key. Each is one atomic step under the lock of the key's shard.

use bytes::Bytes;
use kv_core::{
    CheckedRate, Condition, Decision, Entry, Error, Lifetime, Outcome, Remaining, Result, Version,
    Write, add_to_counter,
};

use crate::record::Record;
use crate::records::{Place, find};
use crate::shard::{Found, Writing};
use crate::table::Table;
use crate::time::Moment;
use crate::time::NEVER;

impl Table {
    #[inline(always)]
    pub(crate) fn get(&self, key: &str) -> Result<Option<Entry>> {
        self.get_at(self.place(key), key)
    }

    /// [`get`](Self::get) of a key whose place is known.
    ///
    /// A hit does not ask whether the table is closed: a closed one has no records.
    #[inline(always)]
    pub(crate) fn get_at(&self, place: Place, key: &str) -> Result<Option<Entry>> {
        let records = self.records(place.shard);
        let Some(record) = find(&records, place.hash, key) else {
            drop(records);
            return self.missed();
        };
        if !record.is_live(&self.time.moment()) {
            drop(records);
            return self.missed_expired(place, key);
        }
        self.reads.count_hit();
        record.touch(self.side(place.shard).writes());
        let (value, version) = (record.value.clone(), Version::from_number(record.version));
        drop(records);
        Ok(Some(Entry { value, version }))
    }

    #[cold]
    fn missed(&self) -> Result<Option<Entry>> {
        self.check_open()?;
        self.reads.count_miss();
        Ok(None)
    }

    /// Drops a record that a read found expired.
    #[cold]
    fn missed_expired(&self, place: Place, key: &str) -> Result<Option<Entry>> {
        self.remove_expired(self.write(place.shard)?, place, key, &self.time.moment());
        self.missed()
    }

    /// Stores a value; what was written under a condition is guarded from evictions.
    pub(crate) fn set(&self, key: &str, value: Bytes, write: &Write) -> Result<Outcome> {
        self.set_at(self.place(key), key, value, write)
    }

    /// [`set`](Self::set) of a key whose place is known.
    #[inline]
    pub(crate) fn set_at(
        &self,
        place: Place,
        key: &str,
        value: Bytes,
        write: &Write,
    ) -> Result<Outcome> {
        self.put(place, key, value, write, write.condition != Condition::Always)
    }

    /// Stores a value as one that may be evicted.
    pub(crate) fn set_cached(&self, key: &str, value: Bytes, write: &Write) -> Result<Outcome> {
        self.put(self.place(key), key, value, write, false)
    }

    #[inline]
    fn put(
        &self,
        place: Place,
        key: &str,
        value: Bytes,
        write: &Write,
        is_guarded: bool,
    ) -> Result<Outcome> {
        let millis = write.lifetime.as_millis()?;
        let moment = self.time.moment();
        let mut writing = self.write(place.shard)?;
        let found = writing.find(place, key, &moment);
        let live = found.as_ref().and_then(Found::live);
        if !holds(&write.condition, live) {
            self.remove_expired(writing, place, key, &moment);
            return Ok(Outcome::ConditionFailed);
        }
        let kept = live.map_or(NEVER, |record| record.expires);
        let expires = deadline(write.lifetime, millis, kept, &moment);
        let version = match found {
            Some(found) => {
                let version = found.replace(value, expires, is_guarded);
                drop(writing);
                version
            }
            None => self.insert(writing, place, key, value, expires, is_guarded),
        };
        self.watchers.changed(key);
        Ok(Outcome::Written(Version::from_number(version)))
    }

    pub(crate) fn delete(&self, key: &str, condition: &Condition) -> Result<bool> {
        let (place, moment) = (self.place(key), self.time.moment());
        let mut writing = self.write(place.shard)?;
        let is_wanted = match condition {
            Condition::Always | Condition::Present => true,
            Condition::Absent | Condition::Version(_) => {
                let found = writing.find(place, key, &moment);
                let live = found.as_ref().and_then(Found::live);
                live.is_some() && holds(condition, live)
            }
        };
        if !is_wanted {
            self.remove_expired(writing, place, key, &moment);
            return Ok(false);
        }
        Ok(self.remove(writing, place, key, &moment).is_some())
    }

    pub(crate) fn take(&self, key: &str) -> Result<Option<Entry>> {
        let (place, moment) = (self.place(key), self.time.moment());
        let writing = self.write(place.shard)?;
        let Some(record) = self.remove(writing, place, key, &moment) else {
            self.reads.count_miss();
            return Ok(None);
        };
        self.reads.count_hit();
        let Record { value, version, .. } = record;
        Ok(Some(Entry { value, version: Version::from_number(version) }))
    }

    pub(crate) fn increment(&self, key: &str, by: i64, lifetime: Lifetime) -> Result<i64> {
        let millis = lifetime.as_millis()?;
        self.count(key, |live, moment| {
            let (sum, expires) = match live {
                Some(record) => (add_to_counter(&record.value, by)?, record.expires),
                None => (by, deadline(lifetime, millis, NEVER, moment)),
            };
            Ok((sum, Some((Bytes::from(sum.to_string()), expires))))
        })
    }

    /// Decides whether something may happen, and counts it if it may; how long that is remembered.
    pub(crate) fn limit(&self, key: &str, rate: &CheckedRate) -> Result<(Decision, Lifetime)> {
        self.count(key, |live, moment| {
            let stored = live.map(|record| &*record.value);
            let (decision, next) = rate.step(stored, self.time.clock().wall());
            let Some((value, lifetime)) = next else {
                return Ok(((decision, Lifetime::Keep), None));
            };
            let expires = deadline(lifetime, lifetime.as_millis()?, NEVER, moment);
            Ok(((decision, lifetime), Some((value, expires))))
        })
    }

    /// Counts by a live record; what to answer, and what the key is to hold until when. It is guarded
    /// from evictions.
    fn count<R>(
        &self,
        key: &str,
        count: impl FnOnce(Option<&Record>, &Moment<'_>) -> Result<(R, Option<(Bytes, u64)>)>,
    ) -> Result<R> {
        let (place, moment) = (self.place(key), self.time.moment());
        let mut writing = self.write(place.shard)?;
        let found = writing.find(place, key, &moment);
        let (answer, next) = count(found.as_ref().and_then(Found::live), &moment)?;
        let Some((value, expires)) = next else { return Ok(answer) };
        match found {
            Some(found) => {
                found.replace(value, expires, true);
                drop(writing);
            }
            None => drop(self.insert(writing, place, key, value, expires, true)),
        }
        self.watchers.changed(key);
        Ok(answer)
    }

    pub(crate) fn touch(&self, key: &str, lifetime: Lifetime) -> Result<bool> {
        let millis = lifetime.as_millis()?;
        let (place, moment) = (self.place(key), self.time.moment());
        let mut writing = self.write(place.shard)?;
        let found = writing.find(place, key, &moment);
        let Some(kept) = found.as_ref().and_then(Found::live).map(|record| record.expires) else {
            self.remove_expired(writing, place, key, &moment);
            return Ok(false);
        };
        let expires = deadline(lifetime, millis, kept, &moment);
        if let Some(found) = found {
            found.set_deadline(expires);
        }
        drop(writing);
        self.watchers.changed(key);
        Ok(true)
    }

    pub(crate) fn ttl(&self, key: &str) -> Result<Option<Remaining>> {
        let (place, moment) = (self.place(key), self.time.moment());
        let records = self.read(place.shard)?;
        let live = find(&records, place.hash, key).filter(|record| record.is_live(&moment));
        Ok(live.map(|record| record.remaining(&moment)))
    }

    /// Stores a new key, unlocks, and evicts another one if the table is full.
    fn insert(
        &self,
        mut writing: Writing<'_>,
        place: Place,
        key: &str,
        value: Bytes,
        expires: u64,
        is_guarded: bool,
    ) -> u64 {
        let version = writing.insert(place.hash, key, value, expires, is_guarded);
        drop(writing);
        self.make_room(place.shard, version);
        version
    }

    /// Removes the record of a key, unlocks, and returns the record if it was visible.
    fn remove(
        &self,
        mut writing: Writing<'_>,
        place: Place,
        key: &str,
        moment: &Moment<'_>,
    ) -> Option<Record> {
        let removed = writing.remove(place, key);
        // Before the record, as dropping a value can run the caller's code, which can come back.
        drop(writing);
        let record = removed?;
        self.watchers.changed(key);
        if record.is_live(moment) {
            return Some(record);
        }
        self.tally.count_expired(1);
        None
    }

    /// Removes the record of a key if it has expired.
    #[cold]
    fn remove_expired(
        &self,
        mut writing: Writing<'_>,
        place: Place,
        key: &str,
        moment: &Moment<'_>,
    ) {
        if writing.find(place, key, moment).is_some_and(|found| found.live().is_none()) {
            self.remove(writing, place, key, moment);
        }
    }
}

fn holds(condition: &Condition, found: Option<&Record>) -> bool {
    match condition {
        Condition::Always => true,
        Condition::Absent => found.is_none(),
        Condition::Present => found.is_some(),
        Condition::Version(version) => {
            found.is_some_and(|record| version.as_number() == Some(record.version))
        }
    }
}

/// The deadline for a lifetime; `kept` is the present deadline.
fn deadline(lifetime: Lifetime, millis: Option<u64>, kept: u64, moment: &Moment<'_>) -> u64 {
    match (lifetime, millis) {
        (Lifetime::Keep, _) => kept,
        (_, Some(millis)) => moment.deadline(millis),
        (_, None) => NEVER,
    }
}

/// Marks an error as `MaybeApplied` if a part of a batch was done before it.
pub(crate) fn partly(error: Error, done: usize) -> Error {
    if done == 0 { error } else { error.maybe_applied() }
}
