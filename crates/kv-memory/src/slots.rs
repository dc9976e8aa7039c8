//! A hash map whose entries lie dense in a vector.
//!
//! Dense slots make two things cheap that a plain hash map cannot do: a random entry is an index,
//! and a walk from the last slot to the first survives changes (see [`Slots::range`]).

use hashbrown::HashTable;

use crate::record::Record;

/// A key and its record.
pub(crate) struct Slot {
    pub(crate) hash: u64,
    pub(crate) key: Box<str>,
    pub(crate) record: Record,
    /// Where its index stands among those of the plain slots, or [`GUARDED`].
    plain_at: u32,
}

/// In place of a place among the plain slots.
const GUARDED: u32 = u32::MAX;

impl Slot {
    /// A slot of a plain record, on its way into the slots.
    pub(crate) fn new(hash: u64, key: &str, record: Record) -> Self {
        Self { hash, key: key.into(), record, plain_at: GUARDED }
    }

    /// Bytes of key and value.
    pub(crate) fn size(&self) -> u64 {
        (self.key.len() + self.record.value.len()) as u64
    }
}

/// The most records that slots can hold, less what writes that run at once may add above a limit.
pub(crate) const MAX_RECORDS: usize = wide(u32::MAX) - (1 << 20);

/// An index as stored.
const fn wide(at: u32) -> usize {
    at as usize
}

/// An index to be stored. None is too large: the table holds no more records, see `MAX_RECORDS`.
fn narrow(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

/// Records by key, in slots without gaps.
#[derive(Default)]
pub(crate) struct Slots {
    /// Indices into `slots`, by the hash of the slot's key. They are small, so that the processor's
    /// caches hold more of them.
    index: HashTable<u32>,
    slots: Vec<Slot>,
    /// The indices of slots that are evicted before all others, in no order.
    plain: Vec<u32>,
    /// How often a record was looked at, for tests of what an operation costs.
    #[cfg(test)]
    pub(crate) looks: std::sync::atomic::AtomicUsize,
}

impl Slots {
    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(crate) fn get(&self, at: usize) -> Option<&Slot> {
        #[cfg(test)]
        self.looks.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        self.slots.get(at)
    }

    pub(crate) fn get_mut(&mut self, at: usize) -> Option<&mut Slot> {
        self.slots.get_mut(at)
    }

    #[cfg(test)]
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Slot> {
        self.slots.iter()
    }

    /// Where a key lies.
    #[inline]
    pub(crate) fn find(&self, hash: u64, key: &str) -> Option<usize> {
        self.find_where(hash, |slot| slot.hash == hash && *slot.key == *key)
    }

    /// Where the record of a version lies.
    pub(crate) fn find_version(&self, hash: u64, version: u64) -> Option<usize> {
        self.find_where(hash, |slot| slot.record.version == version)
    }

    fn find_where(&self, hash: u64, wanted: impl Fn(&Slot) -> bool) -> Option<usize> {
        let found = self.index.find(hash, |&at| self.get(wide(at)).is_some_and(&wanted));
        found.copied().map(wide)
    }

    /// How many slots are plain.
    pub(crate) fn plain(&self) -> usize {
        self.plain.len()
    }

    /// The index of a plain slot, by its place among them.
    pub(crate) fn plain_at(&self, place: usize) -> Option<usize> {
        self.plain.get(place).copied().map(wide)
    }

    /// Says whether a slot is evicted only when no plain one is left.
    pub(crate) fn guard(&mut self, at: usize, is_guarded: bool) {
        let Some(slot) = self.slots.get_mut(at) else { return };
        match (is_guarded, slot.plain_at) {
            (false, GUARDED) => {
                // There are no more of them than slots.
                slot.plain_at = narrow(self.plain.len());
                self.plain.push(narrow(at));
            }
            (true, place) if place != GUARDED => self.leave_plain(at),
            _ => {}
        }
    }

    /// Takes a slot out of the plain ones; the last of them moves into its place.
    fn leave_plain(&mut self, at: usize) {
        let Some(slot) = self.slots.get_mut(at) else { return };
        let place = std::mem::replace(&mut slot.plain_at, GUARDED);
        if place == GUARDED || wide(place) >= self.plain.len() {
            return;
        }
        self.plain.swap_remove(wide(place));
        if let Some(&moved) = self.plain.get(wide(place))
            && let Some(moved) = self.slots.get_mut(wide(moved))
        {
            moved.plain_at = place;
        }
    }

    /// Adds a key that is not there yet.
    pub(crate) fn push(&mut self, slot: Slot) {
        let slots = &self.slots;
        let hash_of = |&at: &u32| slots.get(wide(at)).map_or(0, |slot: &Slot| slot.hash);
        let at = narrow(slots.len());
        self.index.insert_unique(slot.hash, at, hash_of);
        self.slots.push(slot);
    }

    /// Takes a slot out; the last slot moves into its place.
    pub(crate) fn swap_remove(&mut self, at: usize) -> Option<Slot> {
        let last = self.slots.len().checked_sub(1)?;
        let (hash, last_hash) = (self.get(at)?.hash, self.get(last)?.hash);
        self.leave_plain(at);
        if let Ok(found) = self.index.find_entry(hash, |&index| wide(index) == at) {
            found.remove();
        }
        if at != last
            && let Some(moved) = self.index.find_mut(last_hash, |&index| wide(index) == last)
        {
            *moved = narrow(at);
            let place = self.slots.get(last).map_or(GUARDED, |slot| slot.plain_at);
            if let Some(index) = self.plain.get_mut(wide(place)) {
                *index = narrow(at);
            }
        }
        Some(self.slots.swap_remove(at))
    }

    /// The slots from `from` up to and without `to`: one page of a walk downwards.
    ///
    /// A removal moves only the last slot, and only downwards. So a slot that a downward walk has
    /// not reached yet stays unreached until the walk comes to it, and none is missed.
    pub(crate) fn range(&self, from: usize, to: usize) -> &[Slot] {
        self.slots.get(from..to).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use bytes::Bytes;

    use super::*;
    use crate::time::NEVER;

    /// Few hashes, so that most keys collide.
    fn slot(key: u64, version: u64) -> Slot {
        let record = Record::new(Bytes::new(), version, NEVER);
        Slot::new(key % 5, &key.to_string(), record)
    }

    #[test]
    fn the_plain_slots_are_those_that_are_not_guarded_after_any_changes() {
        let seed = fastrand::u64(..);
        println!("seed {seed}");
        let (mut random, mut slots) = (fastrand::Rng::with_seed(seed), Slots::default());
        let mut model = HashMap::new();
        for version in 0..5_000 {
            let key = random.u64(0..60);
            let at = slots.find(key % 5, &key.to_string());
            match (random.u8(0..3), at) {
                (0, Some(at)) => {
                    slots.swap_remove(at);
                    model.remove(&key);
                }
                (_, at) => {
                    let at = at.unwrap_or_else(|| {
                        slots.push(slot(key, version));
                        slots.len() - 1
                    });
                    let is_guarded = random.bool();
                    slots.guard(at, is_guarded);
                    model.insert(key, is_guarded);
                }
            }
            let keys = (0..slots.plain()).filter_map(|n| slots.get(slots.plain_at(n)?));
            let mut keys: Vec<u64> = keys.map(|slot| slot.key.parse().unwrap()).collect();
            let plain = model.iter().filter(|(_, is_guarded)| !**is_guarded);
            let mut expected: Vec<u64> = plain.map(|(key, _)| *key).collect();
            keys.sort_unstable();
            expected.sort_unstable();
            assert_eq!(keys, expected);
        }
    }

    #[test]
    fn random_pushes_and_removals_agree_with_a_map() {
        let seed = 7;
        let (mut random, mut slots) = (fastrand::Rng::with_seed(seed), Slots::default());
        let mut model = HashMap::new();
        for version in 0..10_000 {
            let key = random.u64(0..60);
            match slots.find(key % 5, &key.to_string()) {
                Some(at) => {
                    let removed = slots.swap_remove(at).map(|slot| slot.record.version);
                    assert_eq!(removed, model.remove(&key), "seed {seed}");
                }
                None => {
                    assert!(model.insert(key, version).is_none(), "seed {seed}");
                    slots.push(slot(key, version));
                }
            }
            assert_eq!(slots.len(), model.len(), "seed {seed}");
        }
        for (key, version) in model {
            let at = slots.find_version(key % 5, version).expect("present");
            assert_eq!(slots.find(key % 5, &key.to_string()), Some(at), "seed {seed}");
        }
    }
}
