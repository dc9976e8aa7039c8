//! A part of the cache: entries within bounds, and what tells that a reply came too late.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use kv_core::Entry;

/// The most shards: enough that threads seldom meet.
pub(super) const MAX_SHARDS: usize = 64;

/// How many groups of keys a shard tells apart when it asks whether a key changed. Keys of one
/// group make each other's replies late, which costs a miss.
pub(super) const GROUPS: usize = 64;

/// About what an entry takes beside the bytes of key and value.
const OVERHEAD: usize = 200;

/// Says which changes of a key were known when the key was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticket(u64);

/// Entries by the hash of their key, which the caller has. A key with the hash of another one takes
/// its place: a cache may drop what it wants.
pub(super) struct Shard {
    slots: HashMap<u64, Slot, BuildHasherDefault<Hashed>>,
    /// The hashes in no order that matters, for the hand.
    ring: Vec<u64>,
    /// Goes around the keys, and takes the first that was not read since it last passed.
    hand: usize,
    bytes: usize,
    /// Counts the changes of each group of keys.
    changes: [u64; GROUPS],
}

struct Slot {
    key: Box<str>,
    /// `None` for an absent key.
    entry: Option<Entry>,
    until: Duration,
    was_read: AtomicBool,
    /// The place in the ring.
    at: usize,
}

/// How much a shard may hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) entries: usize,
    pub(super) bytes: usize,
}

impl Default for Shard {
    fn default() -> Self {
        let slots = HashMap::default();
        Self { slots, ring: Vec::new(), hand: 0, bytes: 0, changes: [0; GROUPS] }
    }
}

impl Shard {
    /// What is kept of a key, as long as its end has not come.
    #[inline]
    pub(super) fn get(
        &self,
        hash: u64,
        key: &str,
        is_before: impl FnOnce(Duration) -> bool,
    ) -> Option<Option<Entry>> {
        let slot = self.slots.get(&hash)?;
        if *slot.key != *key || !is_before(slot.until) {
            return None;
        }
        // Not written where nothing changes, so that readers do not disturb each other.
        if !slot.was_read.load(Ordering::Relaxed) {
            slot.was_read.store(true, Ordering::Relaxed);
        }
        Some(slot.entry.clone())
    }

    pub(super) fn ticket(&self, hash: u64) -> Ticket {
        Ticket(self.changes[group(hash)])
    }

    /// Keeps what a key held when the ticket was taken, unless it changed since. Returns how many
    /// entries had to go.
    pub(super) fn fill(
        &mut self,
        ticket: Ticket,
        (hash, key): (u64, &str),
        (entry, until): (Option<Entry>, Duration),
        bounds: Bounds,
    ) -> u64 {
        let size = size(key, entry.as_ref());
        if self.ticket(hash) != ticket || size > bounds.bytes || bounds.entries == 0 {
            return 0;
        }
        self.remove(hash);
        let (key, was_read) = (Box::from(key), AtomicBool::new(false));
        self.slots.insert(hash, Slot { key, entry, until, was_read, at: self.ring.len() });
        self.ring.push(hash);
        self.bytes += size;
        let mut evicted = 0;
        while self.ring.len() > bounds.entries || self.bytes > bounds.bytes {
            evicted += u64::from(self.evict(hash));
        }
        evicted
    }

    /// Notes that a key changed. Returns whether it was kept.
    pub(super) fn change(&mut self, hash: u64) -> bool {
        self.changes[group(hash)] += 1;
        self.remove(hash)
    }

    /// Notes that anything may have changed.
    pub(super) fn change_all(&mut self) {
        self.changes.iter_mut().for_each(|changes| *changes += 1);
        self.slots.clear();
        self.ring.clear();
        self.bytes = 0;
    }

    fn remove(&mut self, hash: u64) -> bool {
        let Some(slot) = self.slots.remove(&hash) else { return false };
        self.bytes -= size(&slot.key, slot.entry.as_ref());
        self.ring.swap_remove(slot.at);
        if let Some(moved) = self.ring.get(slot.at)
            && let Some(moved) = self.slots.get_mut(moved)
        {
            moved.at = slot.at;
        }
        true
    }

    /// Moves the hand on, and removes the entry there unless it was read since or is spared. In two
    /// rounds it removes one, or there is none but the spared one, which fits.
    fn evict(&mut self, spared: u64) -> bool {
        self.hand = (self.hand + 1) % self.ring.len().max(1);
        let Some(hash) = self.ring.get(self.hand).copied() else { return false };
        let was_read =
            self.slots.get_mut(&hash).is_some_and(|slot| std::mem::take(slot.was_read.get_mut()));
        hash != spared && !was_read && self.remove(hash)
    }

    #[cfg(test)]
    pub(super) fn held(&self) -> (usize, usize) {
        assert_eq!(self.slots.len(), self.ring.len());
        let sizes = self.slots.values().map(|slot| size(&slot.key, slot.entry.as_ref()));
        assert_eq!(sizes.sum::<usize>(), self.bytes);
        let at_home = |(at, hash): (usize, &u64)| self.slots[hash].at == at;
        assert!(self.ring.iter().enumerate().all(at_home));
        (self.ring.len(), self.bytes)
    }
}

/// The group of a key, by bits that neither the table nor the choice of the shard uses.
fn group(hash: u64) -> usize {
    usize::try_from(hash >> 48).unwrap_or_default() % GROUPS
}

/// A hash that is hashed no more.
#[derive(Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    /// For completeness: the keys are hashes.
    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |hash, byte| hash.rotate_left(8) ^ u64::from(*byte));
    }
}

fn size(key: &str, entry: Option<&Entry>) -> usize {
    OVERHEAD + key.len() + entry.map_or(0, |entry| entry.value.len())
}

#[cfg(test)]
mod tests {
    use ahash::RandomState;
    use kv_core::Version;

    use super::*;

    const WIDE: Bounds = Bounds { entries: usize::MAX, bytes: usize::MAX };
    const LATE: Duration = Duration::from_secs(1);

    fn hash(key: &str) -> u64 {
        RandomState::with_seeds(1, 2, 3, 4).hash_one(key)
    }

    fn entry(length: usize) -> Option<Entry> {
        Some(Entry { value: vec![0; length].into(), version: Version::from_number(1) })
    }

    fn put(shard: &mut Shard, key: &str, length: usize, bounds: Bounds) -> u64 {
        let ticket = shard.ticket(hash(key));
        shard.fill(ticket, (hash(key), key), (entry(length), LATE), bounds)
    }

    fn has(shard: &Shard, key: &str) -> bool {
        shard.get(hash(key), key, |_| true).is_some()
    }

    #[test]
    fn a_reply_that_was_under_way_when_its_key_changed_is_not_kept() {
        let mut shard = Shard::default();
        let ticket = shard.ticket(hash("k"));
        assert!(!shard.change(hash("k")), "it was not kept yet");
        shard.fill(ticket, (hash("k"), "k"), (entry(1), LATE), WIDE);
        assert!(!has(&shard, "k"));
        shard.fill(shard.ticket(hash("k")), (hash("k"), "k"), (entry(1), LATE), WIDE);
        assert!(has(&shard, "k") && shard.change(hash("k")) && !has(&shard, "k"));
    }

    #[test]
    fn no_reply_that_was_under_way_at_a_gap_is_kept() {
        let mut shard = Shard::default();
        let of_groups = (0..GROUPS as u64).map(|group| group << 48);
        let tickets: Vec<_> = of_groups.map(|hash| (hash, shard.ticket(hash))).collect();
        shard.change_all();
        for (hash, ticket) in tickets {
            shard.fill(ticket, (hash, "k"), (entry(1), LATE), WIDE);
        }
        assert_eq!(shard.held(), (0, 0));
    }

    #[test]
    fn an_entry_is_answered_until_its_end_and_no_longer() {
        let mut shard = Shard::default();
        put(&mut shard, "k", 1, WIDE);
        let at = |now| shard.get(hash("k"), "k", |until| now < until);
        assert!(at(LATE - Duration::from_nanos(1)).is_some() && at(LATE).is_none());
    }

    #[test]
    fn a_key_is_never_answered_with_another_one_of_the_same_hash() {
        let mut shard = Shard::default();
        shard.fill(shard.ticket(7), (7, "one"), (entry(1), LATE), WIDE);
        assert!(shard.get(7, "two", |_| true).is_none());
        shard.fill(shard.ticket(7), (7, "two"), (None, LATE), WIDE);
        assert!(shard.get(7, "one", |_| true).is_none());
        assert_eq!((shard.get(7, "two", |_| true), shard.held().0), (Some(None), 1));
    }

    #[test]
    fn what_was_not_read_goes_first() {
        let (mut shard, bounds) = (Shard::default(), Bounds { entries: 10, ..WIDE });
        for key in 0..10 {
            put(&mut shard, &key.to_string(), 0, bounds);
        }
        for _ in 0..4 {
            assert!((0..5).all(|key| has(&shard, &key.to_string())));
            put(&mut shard, "new", 0, bounds);
            shard.change(hash("new"));
        }
        for key in 20..25 {
            assert!((0..5).all(|key| has(&shard, &key.to_string())), "before {key}");
            assert_eq!(put(&mut shard, &key.to_string(), 0, bounds), u64::from(key > 20));
        }
    }

    #[test]
    fn counts_and_places_hold_after_any_changes_within_any_bounds() {
        let seed = fastrand::u64(..);
        println!("seed {seed}");
        let (mut shard, mut random) = (Shard::default(), fastrand::Rng::with_seed(seed));
        let bounds = Bounds { entries: 20, bytes: 20 * OVERHEAD };
        for _ in 0..20_000 {
            let key = random.u8(0..60).to_string();
            match random.u8(0..10) {
                0 => shard.change_all(),
                1 | 2 => drop(shard.change(hash(&key))),
                3 | 4 => drop(has(&shard, &key)),
                _ => drop(put(&mut shard, &key, random.usize(0..500), bounds)),
            }
            let (entries, bytes) = shard.held();
            assert!(entries <= bounds.entries && bytes <= bounds.bytes);
        }
        put(&mut shard, "large", bounds.bytes, bounds);
        assert!(!has(&shard, "large"));
    }
}
