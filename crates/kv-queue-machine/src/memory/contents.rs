//! The sets and maps of a partition, and giving their memory back in steps.

use std::collections::{HashMap, hash_map};

use bytes::Bytes;

use super::order::Order;
use crate::tables::{Map, Set};

/// All sets and maps.
#[derive(Clone, Debug, Default)]
pub(super) struct Contents {
    pub(super) sets: [Order; Set::ALL.len()],
    pub(super) maps: [HashMap<Box<str>, Bytes>; Map::ALL.len()],
}

impl Contents {
    pub(super) fn is_empty(&self) -> bool {
        self.sets.iter().all(|set| set.len() == 0) && self.maps.iter().all(HashMap::is_empty)
    }
}

/// Contents that tables no longer have.
///
/// To drop a million jobs takes a fraction of a second, so a host drops them in steps, without the
/// partition's lock.
///
/// ```
/// use kv_queue_machine::{MemTables, Set, Tables};
/// let mut tables = MemTables::default();
/// for number in 0..3 {
///     tables.insert(Set::Ready, number, &number.to_string())?;
/// }
/// tables.clear()?;
/// let mut cleared = tables.take_cleared();
/// assert!(cleared.drop_some(2), "one is left");
/// assert!(!cleared.drop_some(2));
/// # Ok::<(), kv_core::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct Cleared {
    sets: Vec<Order>,
    maps: Vec<hash_map::IntoIter<Box<str>, Bytes>>,
}

/// A copy of tables shares no memory with them, so it has nothing to give back.
impl Clone for Cleared {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Cleared {
    pub(super) fn add(&mut self, contents: Contents) {
        self.sets.extend(contents.sets.into_iter().filter(|set| set.len() > 0));
        let maps = contents.maps.into_iter().filter(|map| !map.is_empty());
        self.maps.extend(maps.map(HashMap::into_iter));
    }

    /// Adds what other tables no longer have.
    pub fn append(&mut self, mut other: Self) {
        self.sets.append(&mut other.sets);
        self.maps.append(&mut other.maps);
    }

    /// Drops up to `limit` members or values. Returns whether any may be left.
    pub fn drop_some(&mut self, limit: usize) -> bool {
        if let Some(set) = self.sets.last_mut() {
            if !set.drop_first(limit) {
                self.sets.pop();
            }
        } else if let Some(map) = self.maps.last_mut()
            && map.by_ref().take(limit).count() < limit
        {
            self.maps.pop();
        }
        !self.sets.is_empty() || !self.maps.is_empty()
    }
}
