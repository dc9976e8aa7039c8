//! What stands beside the map: every key of a shard in a dense vector, and what expires next.
//!
//! A hash map cannot choose a random entry in constant time, nor continue a walk while it changes.
//! A dense vector can: a random entry is an index, and a walk from the last slot to the first
//! survives changes (see [`Order::range`]). A slot names its record by the key's hash and its own
//! index, which the record knows.

use crate::expiry::Expiry;
use crate::record::staleness;

/// The most records that a table can hold, less what writes that run at once may add above a limit.
pub(crate) const MAX_RECORDS: usize = wide(u32::MAX) - (1 << 20);

/// In place of a place among the plain slots.
const GUARDED: u32 = u32::MAX;

/// Stands for one record of the map.
struct Slot {
    hash: u64,
    /// Where its index stands among those of the plain slots, or [`GUARDED`].
    plain_at: u32,
    /// The record's last use, as it was when last examined.
    used: Use,
}

/// The last digits of a shard's number of writes when a record was last used, and, as the lowest
/// bit, whether that was not its first use.
#[derive(Clone, Copy)]
struct Use(u32);

impl Use {
    fn new(writes: u64, is_reused: bool) -> Self {
        let digits = u32::try_from(writes & Self::DIGITS).unwrap_or_default();
        Self(digits << 1 | u32::from(is_reused))
    }

    const DIGITS: u64 = 0x7FFF_FFFF;

    fn is_reused(self) -> bool {
        self.0 & 1 == 1
    }

    /// How many writes came after it. The stamp of a use may be one above the number of writes.
    fn age(self, writes: u64) -> u64 {
        let from_next = writes.wrapping_add(1).wrapping_sub(u64::from(self.0 >> 1)) & Self::DIGITS;
        from_next.saturating_sub(1)
    }
}

/// An index as stored.
const fn wide(at: u32) -> usize {
    at as usize
}

/// An index to be stored. None is too large: the table holds no more records, see `MAX_RECORDS`.
fn narrow(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

/// The records of one shard, in slots without gaps, and in the order in which they expire.
#[derive(Default)]
pub(crate) struct Order {
    slots: Vec<Slot>,
    /// The indices of slots that are evicted before all others, in no order.
    plain: Vec<u32>,
    pub(crate) expiry: Expiry,
}

impl Order {
    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// The hash of the key in a slot.
    pub(crate) fn hash(&self, at: u32) -> Option<u64> {
        self.slots.get(wide(at)).map(|slot| slot.hash)
    }

    /// How stale the record of a slot is at most, after `writes` writes to the shard.
    ///
    /// Writes are told apart by their last digits. If a record was not used for as many writes as
    /// these can count, the figure is too low, of which nothing worse comes than an odd choice of
    /// what to evict.
    pub(crate) fn most_staleness(&self, at: u32, writes: u64) -> u64 {
        let Some(slot) = self.slots.get(wide(at)) else { return 0 };
        staleness(slot.used.age(writes), slot.used.is_reused())
    }

    /// Notes when a record was last used.
    pub(crate) fn note_use(&mut self, at: u32, used: u64, is_reused: bool) {
        if let Some(slot) = self.slots.get_mut(wide(at)) {
            slot.used = Use::new(used, is_reused);
        }
    }

    /// The index of a slot, by its place among all of them.
    pub(crate) fn any_at(&self, place: usize) -> Option<u32> {
        (place < self.slots.len()).then(|| narrow(place))
    }

    /// How many slots are plain.
    pub(crate) fn plain(&self) -> usize {
        self.plain.len()
    }

    /// The index of a plain slot, by its place among them.
    pub(crate) fn plain_at(&self, place: usize) -> Option<u32> {
        self.plain.get(place).copied()
    }

    /// Says whether a slot is evicted only when no plain one is left.
    pub(crate) fn guard(&mut self, at: u32, is_guarded: bool) {
        let Some(slot) = self.slots.get_mut(wide(at)) else { return };
        match (is_guarded, slot.plain_at) {
            (false, GUARDED) => {
                // There are no more of them than slots.
                slot.plain_at = narrow(self.plain.len());
                self.plain.push(at);
            }
            (true, place) if place != GUARDED => self.leave_plain(at),
            _ => {}
        }
    }

    /// Takes a slot out of the plain ones; the last of them moves into its place.
    fn leave_plain(&mut self, at: u32) {
        let Some(slot) = self.slots.get_mut(wide(at)) else { return };
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

    /// The index that the next slot will have.
    pub(crate) fn next(&self) -> u32 {
        narrow(self.slots.len())
    }

    /// Adds a slot for a key that has none.
    pub(crate) fn push(&mut self, hash: u64, version: u64, is_guarded: bool) {
        let at = self.next();
        self.slots.push(Slot { hash, plain_at: GUARDED, used: Use::new(version, false) });
        self.guard(at, is_guarded);
    }

    /// Takes a slot out. The last slot moves into its place; returns the hash and the former index
    /// of that one.
    pub(crate) fn swap_remove(&mut self, at: u32) -> Option<(u64, u32)> {
        if wide(at) >= self.slots.len() {
            return None;
        }
        self.leave_plain(at);
        self.slots.swap_remove(wide(at));
        let former = self.next();
        let moved = self.slots.get(wide(at))?;
        if let Some(index) = self.plain.get_mut(wide(moved.plain_at)) {
            *index = at;
        }
        Some((moved.hash, former))
    }

    /// Gives memory back, and leaves room for as many slots again as there are.
    pub(crate) fn shrink(&mut self) {
        self.slots.shrink_to(2 * self.slots.len());
        self.plain.shrink_to(2 * self.plain.len());
    }

    /// How many slots fit into the memory that is held.
    #[cfg(test)]
    pub(crate) fn capacity(&self) -> usize {
        self.slots.capacity().max(self.plain.capacity())
    }

    /// The slots from `from` up to and without `to`, with their indices: one page of a walk
    /// downwards.
    ///
    /// A removal moves only the last slot, and only downwards. So a slot that a downward walk has
    /// not reached yet stays unreached until the walk comes to it, and none is missed.
    pub(crate) fn range(&self, from: usize, to: usize) -> impl Iterator<Item = (u32, u64)> {
        let slots = self.slots.get(from..to.min(self.slots.len())).unwrap_or_default();
        slots.iter().enumerate().map(move |(step, slot)| (narrow(from + step), slot.hash))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    /// What each slot stands for, as the records of a map would know it.
    #[derive(Default)]
    struct Model(HashMap<u32, (u64, bool)>);

    impl Model {
        fn remove(&mut self, order: &mut Order, at: u32) {
            self.0.remove(&at);
            if let Some((hash, former)) = order.swap_remove(at) {
                let moved = self.0.remove(&former).expect("the last slot moved");
                assert_eq!(moved.0, hash);
                self.0.insert(at, moved);
            }
        }

        fn check(&self, order: &Order) {
            let slots: HashMap<u32, u64> = order.range(0, order.len()).collect();
            let all = self.0.iter().map(|(at, (hash, _))| (*at, *hash));
            assert_eq!(slots, all.collect());
            let mut plain: Vec<_> = (0..order.plain()).filter_map(|n| order.plain_at(n)).collect();
            let unguarded = self.0.iter().filter(|(_, (_, is_guarded))| !is_guarded);
            let mut expected: Vec<u32> = unguarded.map(|(at, _)| *at).collect();
            plain.sort_unstable();
            expected.sort_unstable();
            assert_eq!(plain, expected);
        }
    }

    #[test]
    fn slots_and_plain_slots_are_those_that_are_expected_after_any_changes() {
        let seed = fastrand::u64(..);
        println!("seed {seed}");
        let (mut random, mut order) = (fastrand::Rng::with_seed(seed), Order::default());
        let mut model = Model::default();
        for hash in 0..5_000 {
            let (at, is_guarded) = (random.u32(0..60), random.bool());
            match random.u8(0..3) {
                0 if order.hash(at).is_some() => model.remove(&mut order, at),
                1 if order.hash(at).is_some() => {
                    order.guard(at, is_guarded);
                    model.0.get_mut(&at).expect("present").1 = is_guarded;
                }
                _ if order.len() < 60 => {
                    model.0.insert(order.next(), (hash, is_guarded));
                    order.push(hash, hash, is_guarded);
                }
                _ => order.shrink(),
            }
            model.check(&order);
        }
    }
}
