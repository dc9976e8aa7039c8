//! What one shard holds. All of it changes together, under the shard's lock.

use bytes::Bytes;
use fastrand::Rng;

use crate::expiry::{Deadline, Expiry};
use crate::record::Record;
use crate::slots::{Slot, Slots};
use crate::time::Moment;

/// How many records an eviction examines.
const SAMPLE: usize = 8;

/// The records of one shard, and their order of expiry.
#[derive(Default)]
pub(crate) struct Contents {
    pub(crate) slots: Slots,
    expiry: Expiry,
    /// Writes so far: the source of versions, and the clock by which records age.
    writes: u64,
    /// Bytes of keys and values.
    bytes: u64,
}

impl Contents {
    /// Takes all records out. The count of writes stays, so that no version comes back.
    pub(crate) fn clear(&mut self) -> Slots {
        self.expiry = Expiry::default();
        self.bytes = 0;
        std::mem::take(&mut self.slots)
    }

    pub(crate) fn writes(&self) -> u64 {
        self.writes
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// When the next record expires, or [`NEVER`](crate::time::NEVER).
    pub(crate) fn next_due(&self) -> u64 {
        self.expiry.next()
    }

    /// The record of a key, if it is visible.
    pub(crate) fn live(&self, hash: u64, key: &str, moment: &Moment<'_>) -> Option<&Record> {
        let slot = self.slots.get(self.slots.find(hash, key)?)?;
        slot.record.is_live(moment).then_some(&slot.record)
    }

    /// Stores a value under a key that has none.
    pub(crate) fn insert(
        &mut self,
        hash: u64,
        key: &str,
        value: Bytes,
        expires: u64,
        is_guarded: bool,
    ) -> u64 {
        self.writes = self.writes.saturating_add(1);
        let version = self.writes;
        let slot = Slot::new(hash, key, Record::new(value, version, expires));
        self.bytes = self.bytes.saturating_add(slot.size());
        self.expiry.add(deadline(&slot));
        self.slots.push(slot);
        self.slots.guard(self.slots.len().saturating_sub(1), is_guarded);
        version
    }

    /// Stores another value in a slot, and returns its version.
    pub(crate) fn replace(
        &mut self,
        at: usize,
        value: Bytes,
        expires: u64,
        is_guarded: bool,
    ) -> u64 {
        self.writes = self.writes.saturating_add(1);
        let Some(slot) = self.slots.get_mut(at) else { return self.writes };
        let version = self.writes;
        self.expiry.remove(deadline(slot));
        self.bytes = self.bytes.saturating_sub(slot.size());
        slot.record = Record::new(value, version, expires);
        slot.record.touch(version);
        self.bytes = self.bytes.saturating_add(slot.size());
        self.expiry.add(deadline(slot));
        self.slots.guard(at, is_guarded);
        version
    }

    /// Gives the record in a slot another deadline. The record keeps its version.
    pub(crate) fn set_deadline(&mut self, at: usize, expires: u64) {
        let Some(slot) = self.slots.get_mut(at) else { return };
        self.expiry.remove(deadline(slot));
        slot.record.expires = expires;
        slot.record.touch(self.writes);
        self.expiry.add(deadline(slot));
    }

    pub(crate) fn remove(&mut self, at: usize) -> Option<Slot> {
        let slot = self.slots.swap_remove(at)?;
        self.expiry.remove(deadline(&slot));
        self.bytes = self.bytes.saturating_sub(slot.size());
        Some(slot)
    }

    /// Takes out one expired record; examines no other.
    pub(crate) fn pop_due(&mut self, now: u64) -> Option<Slot> {
        let due = self.expiry.due(now)?;
        let at = self.slots.find_version(due.hash, due.version);
        let slot = at.and_then(|at| self.remove(at));
        if slot.is_none() {
            // Cannot happen, since records and deadlines change together; a sweep must end even so.
            self.expiry.remove(due);
        }
        slot
    }

    /// Takes out about the least recently used record of those that may go, but not the record with
    /// version `spare`.
    pub(crate) fn evict(
        &mut self,
        who: Victims,
        spare: Option<u64>,
        random: &mut Rng,
    ) -> Option<Slot> {
        let among = match who {
            Victims::Plain => self.slots.plain(),
            Victims::All => self.slots.len(),
        };
        let index = |place: usize| match who {
            Victims::Plain => self.slots.plain_at(place),
            Victims::All => Some(place),
        };
        let slot = |at: usize| Some((at, self.slots.get(at)?));
        let may_go = |slot: &Slot| Some(slot.record.version) != spare;
        let mut victim: Option<(u64, usize)> = None;
        for turn in 0..SAMPLE.min(among) {
            let place = if among <= SAMPLE { turn } else { random.usize(0..among) };
            let Some((at, slot)) = index(place).and_then(slot) else { continue };
            let candidate = (slot.record.staleness(self.writes), at);
            if may_go(slot) && victim.is_none_or(|best| best < candidate) {
                victim = Some(candidate);
            }
        }
        // If the sample has only the spared record, any other record will do.
        let mut others = (0..among).filter_map(index).filter_map(slot);
        let any = || others.find(|(_, slot)| may_go(slot)).map(|(at, _)| at);
        let at = victim.map(|(_, at)| at).or_else(any)?;
        self.remove(at)
    }
}

/// Which records an eviction chooses among.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Victims {
    /// Those that nobody counted on: what was written without a condition.
    Plain,
    All,
}

fn deadline(slot: &Slot) -> Deadline {
    Deadline { expires: slot.record.expires, version: slot.record.version, hash: slot.hash }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::NEVER;

    fn evict(contents: &mut Contents, spare: Option<u64>) -> Option<String> {
        let slot = contents.evict(Victims::All, spare, &mut Rng::with_seed(1))?;
        Some(slot.key.into())
    }

    #[test]
    fn overwrites_and_touches_leave_no_stale_deadline() {
        let mut contents = Contents::default();
        contents.insert(1, "k", Bytes::new(), 10, false);
        for expires in 0..1_000 {
            contents.replace(0, Bytes::new(), expires, false);
            contents.set_deadline(0, expires + 1);
        }
        assert_eq!((contents.expiry.len(), contents.next_due()), (1, 1_000));
        contents.set_deadline(0, NEVER);
        assert_eq!(contents.expiry.len(), 0);
    }

    #[test]
    fn a_sweep_finds_what_is_due_and_nothing_else() {
        let mut contents = Contents::default();
        for (key, expires) in [("a", 5), ("b", 6), ("c", NEVER)] {
            contents.insert(3, key, Bytes::from_static(b"v"), expires, false);
        }
        assert!(contents.pop_due(4).is_none());
        assert_eq!(contents.pop_due(5).map(|slot| slot.key).as_deref(), Some("a"));
        assert!(contents.pop_due(5).is_none());
        assert_eq!(contents.bytes(), 4);
    }

    #[test]
    fn an_eviction_spares_the_record_that_was_just_written() {
        let mut contents = Contents::default();
        let newest = contents.insert(1, "only", Bytes::new(), NEVER, false);
        assert!(evict(&mut contents, Some(newest)).is_none());
        contents.insert(2, "other", Bytes::new(), NEVER, false);
        assert_eq!(evict(&mut contents, Some(newest)).as_deref(), Some("other"));
    }

    #[test]
    fn a_small_shard_evicts_exactly_the_least_recently_used() {
        let mut contents = Contents::default();
        for key in 0..8_u64 {
            contents.insert(key, &key.to_string(), Bytes::new(), NEVER, false);
        }
        assert_eq!(evict(&mut contents, None).as_deref(), Some("0"));
        assert_eq!(evict(&mut contents, None).as_deref(), Some("1"));
    }
}
