//! The verbs on one key. Each is one atomic step under the lock of the key's shard.

use bytes::Bytes;
use kv_core::{
    Condition, Entry, Error, Lifetime, Outcome, Remaining, Result, Version, Write, add_to_counter,
};

use crate::record::Record;
use crate::table::{Place, Table, Writing};
use crate::time::Moment;
use crate::time::NEVER;

impl Table {
    #[inline]
    pub(crate) fn get(&self, key: &str) -> Result<Option<Entry>> {
        self.get_at(self.place(key), key)
    }

    /// [`get`](Self::get) of a key whose place is known.
    #[inline]
    pub(crate) fn get_at(&self, place: Place, key: &str) -> Result<Option<Entry>> {
        let contents = self.read(place.shard)?;
        let found = contents.slots.find(place.hash, key).and_then(|at| contents.slots.get(at));
        let Some(slot) = found else {
            self.count_read(place.shard, false);
            return Ok(None);
        };
        let moment = self.time.moment();
        if !slot.record.is_live(&moment) {
            drop(contents);
            return self.drop_expired(place, key, &moment).map(|()| None);
        }
        self.count_read(place.shard, true);
        slot.record.touch(contents.writes());
        Ok(Some(slot.record.entry()))
    }

    /// Drops a record that a read found expired.
    #[cold]
    fn drop_expired(&self, place: Place, key: &str, moment: &Moment<'_>) -> Result<()> {
        self.find_live(&mut self.write(place.shard)?, place, key, moment);
        self.count_read(place.shard, false);
        Ok(())
    }

    /// Stores a value; what was written under a condition is guarded from evictions.
    pub(crate) fn set(&self, key: &str, value: Bytes, write: &Write) -> Result<Outcome> {
        self.put(key, value, write, write.condition != Condition::Always)
    }

    /// Stores a value as one that may be evicted.
    pub(crate) fn set_cached(&self, key: &str, value: Bytes, write: &Write) -> Result<Outcome> {
        self.put(key, value, write, false)
    }

    fn put(&self, key: &str, value: Bytes, write: &Write, is_guarded: bool) -> Result<Outcome> {
        let millis = write.lifetime.as_millis()?;
        let (place, moment) = (self.place(key), self.time.moment());
        let mut contents = self.write(place.shard)?;
        let at = self.find_live(&mut contents, place, key, &moment);
        let found = at.and_then(|at| contents.slots.get(at)).map(|slot| &slot.record);
        if !holds(&write.condition, found) {
            return Ok(Outcome::ConditionFailed);
        }
        let kept = found.map_or(NEVER, |record| record.expires);
        let expires = deadline(write.lifetime, millis, kept, &moment);
        let version = match at {
            Some(at) => contents.replace(at, value, expires, is_guarded),
            None => self.insert(contents, place, key, value, expires, is_guarded),
        };
        Ok(Outcome::Written(Version::from_number(version)))
    }

    pub(crate) fn delete(&self, key: &str, condition: &Condition) -> Result<bool> {
        let (place, moment) = (self.place(key), self.time.moment());
        let mut contents = self.write(place.shard)?;
        let at = self.find_live(&mut contents, place, key, &moment);
        let found = at.and_then(|at| contents.slots.get(at)).map(|slot| &slot.record);
        let wanted = found.is_some() && holds(condition, found);
        let removed = at.filter(|_| wanted).and_then(|at| contents.remove(at));
        Ok(removed.is_some())
    }

    pub(crate) fn take(&self, key: &str) -> Result<Option<Entry>> {
        let (place, moment) = (self.place(key), self.time.moment());
        let mut contents = self.write(place.shard)?;
        let at = self.find_live(&mut contents, place, key, &moment);
        let taken = at.and_then(|at| contents.remove(at));
        self.count_read(place.shard, taken.is_some());
        Ok(taken.map(|slot| {
            let Record { value, version, .. } = slot.record;
            Entry { value, version: Version::from_number(version) }
        }))
    }

    pub(crate) fn increment(&self, key: &str, by: i64, lifetime: Lifetime) -> Result<i64> {
        let millis = lifetime.as_millis()?;
        let (place, moment) = (self.place(key), self.time.moment());
        let mut contents = self.write(place.shard)?;
        let at = self.find_live(&mut contents, place, key, &moment);
        if let Some(at) = at
            && let Some(slot) = contents.slots.get(at)
        {
            let sum = add_to_counter(&slot.record.value, by)?;
            let expires = slot.record.expires;
            contents.replace(at, Bytes::from(sum.to_string()), expires, true);
            return Ok(sum);
        }
        let expires = deadline(lifetime, millis, NEVER, &moment);
        self.insert(contents, place, key, Bytes::from(by.to_string()), expires, true);
        Ok(by)
    }

    pub(crate) fn touch(&self, key: &str, lifetime: Lifetime) -> Result<bool> {
        let millis = lifetime.as_millis()?;
        let (place, moment) = (self.place(key), self.time.moment());
        let mut contents = self.write(place.shard)?;
        let at = self.find_live(&mut contents, place, key, &moment);
        let Some(at) = at else { return Ok(false) };
        let kept = contents.slots.get(at).map_or(NEVER, |slot| slot.record.expires);
        contents.set_deadline(at, deadline(lifetime, millis, kept, &moment));
        Ok(true)
    }

    pub(crate) fn ttl(&self, key: &str) -> Result<Option<Remaining>> {
        let (place, moment) = (self.place(key), self.time.moment());
        let contents = self.read(place.shard)?;
        Ok(contents.live(place.hash, key, &moment).map(|record| record.remaining(&moment)))
    }

    /// Stores a new key, unlocks, and evicts another one if the table is full.
    fn insert(
        &self,
        mut contents: Writing<'_>,
        place: Place,
        key: &str,
        value: Bytes,
        expires: u64,
        is_guarded: bool,
    ) -> u64 {
        let version = contents.insert(place.hash, key, value, expires, is_guarded);
        drop(contents);
        self.make_room(place.shard, version);
        version
    }

    /// Where a visible record lies. Drops the record if it has expired.
    fn find_live(
        &self,
        contents: &mut Writing<'_>,
        place: Place,
        key: &str,
        moment: &Moment<'_>,
    ) -> Option<usize> {
        let at = contents.slots.find(place.hash, key)?;
        if contents.slots.get(at)?.record.is_live(moment) {
            return Some(at);
        }
        if contents.remove(at).is_some() {
            self.count_expired(1);
        }
        None
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
