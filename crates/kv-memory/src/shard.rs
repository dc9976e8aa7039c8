//! One locked shard: its records, and their order beside them, which change together.

use std::sync::MutexGuard;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use dashmap::{RwLockWriteGuard, SharedValue};
use fastrand::Rng;

use crate::eviction::{Eviction, Victims};
use crate::order::Order;
use crate::record::Record;
use crate::records::{Place, Records, hash_in};
use crate::side::{Side, Tally};
use crate::time::{Moment, NEVER};

/// A shard with room for fewer records never shrinks.
const MIN_CAPACITY: usize = 64;

/// What was taken out of a shard.
pub(crate) type Removed = (Box<str>, Record);

/// A shard that fills a smaller part of its room than one in this many gives memory back.
const SPARSE: usize = 8;

/// A locked shard. Before it is unlocked, it updates the counts of the whole table.
///
/// A value that is replaced is dropped after the shard is unlocked, because dropping a value can
/// run the caller's code, which can come back here. So the fields are in the order in which they
/// must be dropped.
pub(crate) struct Writing<'a> {
    beside: Beside<'a>,
    records: RwLockWriteGuard<'a, Records>,
    tally: &'a Tally,
    before: usize,
    /// The value that was replaced; there is one at most.
    replaced: Option<Bytes>,
}

/// What stands beside the records. Its lock is taken only by what changes the order: most
/// overwrites do not.
struct Beside<'a> {
    side: &'a Side,
    order: Option<MutexGuard<'a, Order>>,
}

impl Beside<'_> {
    fn order(&mut self) -> &mut Order {
        self.order.get_or_insert_with(|| self.side.order())
    }
}

/// A record that is there, visible or expired.
pub(crate) struct Found<'w, 'a> {
    hash: u64,
    record: &'w mut Record,
    is_live: bool,
    beside: &'w mut Beside<'a>,
    tally: &'w Tally,
    replaced: &'w mut Option<Bytes>,
}

impl Found<'_, '_> {
    /// The record, if it is visible.
    pub(crate) fn live(&self) -> Option<&Record> {
        self.is_live.then_some(&*self.record)
    }

    /// Stores another value, and returns its version. An expired record is as good as none, but its
    /// place is used again.
    pub(crate) fn replace(self, value: Bytes, expires: u64, is_guarded: bool) -> u64 {
        let Self { hash, record, beside, .. } = self;
        let version = beside.side.count_write();
        beside.side.change_bytes(record.value.len(), value.len());
        let new = Record::new(value, version, expires, record.at, is_guarded);
        if record.expires != NEVER || expires != NEVER {
            beside.order().expiry.replace(record.deadline(hash), new.deadline(hash));
        }
        if record.is_guarded != is_guarded {
            beside.order().guard(new.at, is_guarded);
        }
        if self.is_live {
            new.touch(version);
        } else {
            beside.order().note_use(new.at, version, false);
            self.tally.count_expired(1);
        }
        *self.replaced = Some(std::mem::replace(record, new).value);
        version
    }

    /// Gives the record another deadline. The record keeps its version.
    pub(crate) fn set_deadline(self, expires: u64) {
        let Self { hash, record, beside, .. } = self;
        record.touch(beside.side.writes());
        let before = record.deadline(hash);
        record.expires = expires;
        beside.order().expiry.replace(before, record.deadline(hash));
    }
}

impl<'a> Writing<'a> {
    pub(crate) fn new(
        records: RwLockWriteGuard<'a, Records>,
        side: &'a Side,
        tally: &'a Tally,
    ) -> Self {
        let before = records.len();
        Self { beside: Beside { side, order: None }, records, tally, before, replaced: None }
    }

    /// Takes all records out. The count of writes stays, so that no version comes back.
    pub(crate) fn clear(&mut self) -> Records {
        *self.beside.order() = Order::default();
        self.beside.side.bytes.store(0, Ordering::Relaxed);
        std::mem::replace(&mut *self.records, Records::new())
    }

    /// The record of a key.
    #[inline]
    pub(crate) fn find<'w>(
        &'w mut self,
        place: Place,
        key: &str,
        moment: &Moment<'_>,
    ) -> Option<Found<'w, 'a>> {
        let found = self.records.get_mut(place.hash, |(stored, _)| **stored == *key);
        let record = found?.1.get_mut();
        let is_live = record.is_live(moment);
        let (beside, tally, replaced) = (&mut self.beside, self.tally, &mut self.replaced);
        Some(Found { hash: place.hash, record, is_live, beside, tally, replaced })
    }

    /// Stores a value under a key that has none, and returns its version.
    pub(crate) fn insert(
        &mut self,
        hash: u64,
        key: &str,
        value: Bytes,
        expires: u64,
        is_guarded: bool,
    ) -> u64 {
        let (side, order) = (self.beside.side, self.beside.order());
        let version = side.count_write();
        side.change_bytes(0, key.len() + value.len());
        let record = Record::new(value, version, expires, order.next(), is_guarded);
        order.push(hash, version, is_guarded);
        order.expiry.add(record.deadline(hash));
        let hash_of = |stored: &(Box<str>, SharedValue<Record>)| hash_in(order, stored);
        self.records.insert(hash, (key.into(), SharedValue::new(record)), hash_of);
        version
    }

    /// Takes out the record of a key, visible or expired.
    pub(crate) fn remove(&mut self, place: Place, key: &str) -> Option<Record> {
        self.remove_where(place.hash, |stored, _| *stored == *key).map(|(_, record)| record)
    }

    fn remove_where(
        &mut self,
        hash: u64,
        wanted: impl Fn(&str, &Record) -> bool,
    ) -> Option<Removed> {
        let is_wanted = |(key, record): &(Box<str>, SharedValue<Record>)| wanted(key, record.get());
        let (key, record) = self.records.remove_entry(hash, is_wanted)?;
        let record = record.into_inner();
        let (side, order) = (self.beside.side, self.beside.order());
        side.change_bytes(key.len() + record.value.len(), 0);
        order.expiry.remove(record.deadline(hash));
        if let Some((hash, former)) = order.swap_remove(record.at)
            && let Some((_, moved)) = self.records.get_mut(hash, |(_, it)| it.get().at == former)
        {
            moved.get_mut().at = record.at;
        }
        self.shrink_if_sparse();
        Some((key, record))
    }

    /// Gives memory back after many removals. The cost is spread over these.
    fn shrink_if_sparse(&mut self) {
        let (len, capacity) = (self.records.len(), self.records.capacity());
        if capacity > MIN_CAPACITY && len < capacity / SPARSE {
            let order = self.beside.order();
            order.shrink();
            self.records.shrink_to(2 * len, |stored| hash_in(order, stored));
        }
    }

    /// Lets the unlocking tell what is due next in this shard, even if nothing changes.
    pub(crate) fn tell_next_due(&mut self) {
        self.beside.order();
    }

    /// Takes out one expired record; examines no other.
    pub(crate) fn pop_due(&mut self, now: u64) -> Option<Removed> {
        let due = self.beside.order().expiry.due(now)?;
        let side = self.beside.side;
        let removed = self.remove_where(due.hash, |_, record| {
            side.count_examined();
            record.version == due.version
        });
        if removed.is_none() {
            // Cannot happen, since records and deadlines change together; a sweep must end even so.
            self.beside.order().expiry.remove(due);
        }
        removed
    }

    /// Takes out about the least recently used record of those that may go, but not the record with
    /// version `spare`.
    pub(crate) fn evict(
        &mut self,
        who: Victims,
        spare: Option<u64>,
        random: &mut Rng,
    ) -> Option<Removed> {
        let Self { beside, records, .. } = self;
        let (side, order) = (beside.side, beside.order());
        let at = Eviction { records, order, side, who, spare }.choose(random)?;
        let hash = order.hash(at)?;
        self.remove_where(hash, |_, record| record.at == at)
    }
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        let (before, after) = (self.before, self.records.len());
        if after > before {
            self.tally.records.fetch_add(after - before, Ordering::Relaxed);
        } else if after < before {
            self.tally.records.fetch_sub(before - after, Ordering::Relaxed);
        }
        // A change of the next deadline took the order's lock.
        let Some(order) = &self.beside.order else { return };
        let due = order.expiry.next();
        if due < self.tally.next_due.load(Ordering::Relaxed) {
            self.tally.next_due.fetch_min(due, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::records::{find, find_at};
    use crate::table::Table;
    use crate::time::{Frozen, Time};

    /// A table of one shard, however many records come.
    fn table() -> Table {
        Table::new(Some(1), Some(1), Time::of(Arc::new(Frozen(Duration::ZERO))))
    }

    fn insert(writing: &mut Writing<'_>, hash: u64, key: &str, expires: u64) -> u64 {
        writing.insert(hash, key, Bytes::from_static(b"v"), expires, false)
    }

    fn keys(writing: &mut Writing<'_>) -> Vec<String> {
        let slots: Vec<_> = writing.beside.order().range(0, usize::MAX).collect();
        let key = |(at, hash): &(u32, u64)| {
            let (key, record) = find_at(&writing.records, *hash, *at).expect("a slot's record");
            assert_eq!(record.at, *at);
            key.to_owned()
        };
        let mut keys: Vec<_> = slots.iter().map(key).collect();
        assert_eq!(keys.len(), writing.records.len());
        keys.sort();
        keys
    }

    #[test]
    fn overwrites_and_touches_leave_no_stale_deadline() {
        let table = table();
        let (place, moment) = (table.place("k"), table.time.moment());
        let mut writing = table.write(0).unwrap();
        insert(&mut writing, place.hash, "k", 10);
        for expires in 1..1_000 {
            let found = writing.find(place, "k", &moment).unwrap();
            found.replace(Bytes::new(), expires, false);
            writing.find(place, "k", &moment).unwrap().set_deadline(expires + 1);
        }
        let expiry = &writing.beside.order().expiry;
        assert_eq!((expiry.len(), expiry.next()), (1, 1_000));
        writing.find(place, "k", &moment).unwrap().set_deadline(NEVER);
        assert_eq!(writing.beside.order().expiry.len(), 0);
    }

    #[test]
    fn a_sweep_finds_what_is_due_and_nothing_else() {
        let table = table();
        let mut writing = table.write(0).unwrap();
        for (key, expires) in [("a", 5), ("b", 6), ("c", NEVER)] {
            insert(&mut writing, 3, key, expires);
        }
        assert!(writing.pop_due(4).is_none());
        assert_eq!(writing.pop_due(5).map(|(_, record)| record.expires), Some(5));
        assert!(writing.pop_due(5).is_none());
        assert_eq!(keys(&mut writing), ["b", "c"]);
        assert_eq!(table.side(0).bytes.load(Ordering::Relaxed), 4);
    }

    #[test]
    fn slots_and_records_name_each_other_after_any_changes_whatever_the_hashes() {
        let seed = fastrand::u64(..);
        println!("seed {seed}");
        let (table, mut random) = (table(), Rng::with_seed(seed));
        let mut writing = table.write(0).unwrap();
        let mut model = std::collections::BTreeSet::new();
        for _ in 0..5_000 {
            let key = random.u64(0..60);
            // Few hashes, so that most keys collide.
            let (place, name) = (Place { hash: key % 5, shard: 0 }, key.to_string());
            match random.u8(0..8) {
                0 => drop(writing.evict(Victims::All, None, &mut random)),
                1..=3 => assert_eq!(writing.remove(place, &name).is_some(), model.remove(&name)),
                _ if model.insert(name.clone()) => drop(insert(&mut writing, place.hash, &name, 9)),
                _ => assert!(find(&writing.records, place.hash, &name).is_some()),
            }
            let left = keys(&mut writing);
            model.retain(|name| left.contains(name));
            assert_eq!(left, model.iter().cloned().collect::<Vec<_>>());
        }
    }

    #[test]
    fn memory_is_given_back_once_most_records_are_gone() {
        let table = table();
        let mut writing = table.write(0).unwrap();
        let place = |key: u64| Place { hash: key.wrapping_mul(0x9E37_79B9_7F4A_7C15), shard: 0 };
        for key in 0..10_000 {
            insert(&mut writing, place(key).hash, &key.to_string(), NEVER);
        }
        let full = writing.records.capacity();
        for key in 100..10_000 {
            assert!(writing.remove(place(key), &key.to_string()).is_some());
        }
        assert!(writing.records.capacity() <= full / 10, "{}", writing.records.capacity());
        assert!(writing.beside.order().capacity() <= 1_000);
        for key in 0..100 {
            assert!(find(&writing.records, place(key).hash, &key.to_string()).is_some());
        }
    }
}
