//! Tables in memory.

mod codec;
mod contents;
mod order;

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use kv_core::Result;

use crate::Machine;
use crate::tables::{Counter, Map, Member, Set, Tables};
pub use contents::Cleared;
use contents::Contents;
use order::Order;

/// The tables of one partition in memory.
///
/// The tables also say what a host must know after a step: whether anything changed, and whether a
/// job may have become claimable.
///
/// ```
/// use kv_queue_machine::{Member, MemTables, Set, Tables};
/// let mut tables = MemTables::default();
/// tables.insert(Set::Ready, 7, "b")?;
/// tables.insert(Set::Ready, 7, "a")?;
/// assert_eq!(tables.first(Set::Ready, 1)?, [Member { score: 7, name: "a".into() }]);
/// assert!(tables.is_changed());
/// let copy = MemTables::decode(&tables.encode()?)?;
/// assert_eq!(copy.len(Set::Ready)?, 2);
/// assert!(!copy.is_changed());
/// # Ok::<(), kv_core::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct MemTables {
    contents: Contents,
    counters: [u64; Counter::ALL.len()],
    changed: bool,
    wakes: u64,
    cleared: Cleared,
}

impl MemTables {
    /// A step at this time of the store's clock: since 1970-01-01T00:00:00Z.
    pub fn at(&mut self, now: Duration) -> Machine<'_, Self> {
        Machine::new(self, now)
    }

    /// Whether anything changed since the tables were made or decoded.
    pub const fn is_changed(&self) -> bool {
        self.changed
    }

    /// A number that rises whenever a job or a group becomes claimable or a pause ends.
    pub const fn wakes(&self) -> u64 {
        self.wakes
    }

    /// When a job next needs a claim or maintenance, since 1970-01-01T00:00:00Z: zero if a job is
    /// claimable, otherwise when the first job is due, the first lease ends or the first blocked group
    /// may start a job. `None` if nothing is scheduled.
    pub fn work_at(&self) -> Option<Duration> {
        let is_paused = self.counters[Counter::Paused as usize] > 0;
        if !is_paused && (self.set(Set::Ready).len() > 0 || self.set(Set::Ring).len() > 0) {
            return Some(Duration::ZERO);
        }
        let first = |set: Set| self.set(set).iter().next();
        let scores = [Set::Timed, Set::Leases, Set::Blocked].into_iter().filter_map(first);
        scores.map(|member| Duration::from_micros(member.score)).min()
    }

    /// How many keys a map has.
    pub fn map_len(&self, map: Map) -> usize {
        self.map(map).len()
    }

    /// The keys and values of a map, in no order.
    pub fn entries(&self, map: Map) -> impl Iterator<Item = (&str, &Bytes)> {
        self.map(map).iter().map(|(key, value)| (&**key, value))
    }

    /// What [`clear`](Tables::clear) took out of the tables, to be given back to the system in
    /// steps.
    pub fn take_cleared(&mut self) -> Cleared {
        std::mem::take(&mut self.cleared)
    }

    fn set(&self, set: Set) -> &Order {
        &self.contents.sets[set as usize]
    }

    fn map(&self, map: Map) -> &HashMap<Box<str>, Bytes> {
        &self.contents.maps[map as usize]
    }
}

impl Tables for MemTables {
    fn insert(&mut self, set: Set, score: u64, name: &str) -> Result<()> {
        self.changed = true;
        self.wakes += u64::from(matches!(set, Set::Ready | Set::Ring));
        self.contents.sets[set as usize].insert(score, name);
        Ok(())
    }

    fn remove(&mut self, set: Set, name: &str) -> Result<bool> {
        let removed = self.contents.sets[set as usize].remove(name);
        self.changed |= removed;
        Ok(removed)
    }

    fn score(&self, set: Set, name: &str) -> Result<Option<u64>> {
        Ok(self.set(set).score(name))
    }

    fn first(&self, set: Set, limit: usize) -> Result<Vec<Member>> {
        Ok(self.set(set).iter().take(limit).cloned().collect())
    }

    fn first_until(&self, set: Set, score: u64, limit: usize) -> Result<Vec<Member>> {
        let due = self.set(set).iter().take_while(|member| member.score <= score);
        Ok(due.take(limit).cloned().collect())
    }

    fn first_after(&self, set: Set, name: &str, limit: usize) -> Result<Vec<Member>> {
        Ok(self.set(set).behind(name, limit))
    }

    fn first_beyond(&self, set: Set, member: &Member, limit: usize) -> Result<Vec<Member>> {
        Ok(self.set(set).beyond(member, limit))
    }

    fn find(&self, set: Set, prefix: &str) -> Result<Option<Member>> {
        Ok(self.set(set).iter().find(|member| member.name.starts_with(prefix)).cloned())
    }

    fn first_under(&self, set: Set, prefix: &str, limit: usize) -> Result<Vec<Member>> {
        Ok(self.set(set).under(prefix).take(limit).cloned().collect())
    }

    fn len_under(&self, set: Set, prefix: &str) -> Result<u64> {
        Ok(self.set(set).under(prefix).count() as u64)
    }

    fn len(&self, set: Set) -> Result<u64> {
        Ok(u64::try_from(self.set(set).len()).unwrap_or(u64::MAX))
    }

    fn get(&self, map: Map, key: &str) -> Result<Option<Bytes>> {
        Ok(self.map(map).get(key).cloned())
    }

    fn walk(&self, map: Map, after: &str, limit: usize) -> Result<Vec<(String, Bytes)>> {
        let mut keys: Vec<_> = self.map(map).iter().filter(|(key, _)| &***key > after).collect();
        keys.sort_unstable_by_key(|(key, _)| *key);
        Ok(keys.into_iter().take(limit).map(|(key, it)| (key.to_string(), it.clone())).collect())
    }

    fn put(&mut self, map: Map, key: &str, value: Bytes) -> Result<()> {
        self.changed = true;
        self.contents.maps[map as usize].insert(key.into(), value);
        Ok(())
    }

    fn delete(&mut self, map: Map, key: &str) -> Result<bool> {
        let deleted = self.contents.maps[map as usize].remove(key).is_some();
        self.changed |= deleted;
        Ok(deleted)
    }

    fn clear(&mut self) -> Result<()> {
        let old = std::mem::take(&mut self.contents);
        self.changed |= !old.is_empty();
        self.cleared.add(old);
        Ok(())
    }

    fn counter(&self, counter: Counter) -> Result<u64> {
        Ok(self.counters[counter as usize])
    }

    fn set_counter(&mut self, counter: Counter, value: u64) -> Result<()> {
        self.changed = true;
        self.wakes += u64::from(counter == Counter::Paused && value == 0);
        self.counters[counter as usize] = value;
        Ok(())
    }
}
