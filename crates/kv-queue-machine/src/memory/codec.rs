//! Tables as bytes.

use std::collections::HashMap;

use bytes::{BufMut, Bytes, BytesMut};
use kv_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};
use serde::{de::Deserializer, ser::Serializer};

use super::{MemTables, Order};
use crate::member::corrupt;
use crate::tables::{Counter, Map, Set};

/// The first byte of the format in which every set, map and counter is stored; another byte means
/// another format.
const VERSION: u8 = 3;

/// The first byte of the format of builds that kept no done jobs, and how many sets it has. Tables
/// with groups and without kept jobs are written in it, so that such builds read them.
const GROUPED: u8 = 2;
const GROUPED_SETS: usize = 10;

/// The first byte of the format of builds without groups, and how many sets, maps and counters it
/// has: the first ones of each enum. Tables without groups are written in it, so that such builds
/// read them.
const PLAIN: u8 = 1;
const PLAIN_SETS: usize = 6;
const PLAIN_MAPS: usize = 5;
const PLAIN_COUNTERS: usize = 6;

/// Members of each set, entries of each map, counters: each in the order of its enum.
#[derive(Serialize, Deserialize)]
struct Stored<'a> {
    #[serde(borrow)]
    sets: Vec<Vec<(u64, &'a str)>>,
    #[serde(borrow)]
    maps: Vec<Vec<(&'a str, Value<'a>)>>,
    counters: Vec<u64>,
}

/// Encodes as bytes, not as an array of numbers.
struct Value<'a>(&'a [u8]);

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Value<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <&'a [u8]>::deserialize(deserializer).map(Self)
    }
}

impl MemTables {
    /// The tables as bytes: a version, then MessagePack.
    ///
    /// # Errors
    /// `Serialization` if memory runs out.
    pub fn encode(&self) -> Result<Bytes> {
        let (version, sets, maps, counters) = self.shape();
        let stored = Stored {
            sets: self.contents.sets.iter().take(sets).map(members).collect(),
            maps: self.contents.maps.iter().take(maps).map(sorted).collect(),
            counters: self.counters.iter().copied().take(counters).collect(),
        };
        let mut bytes = BytesMut::new().writer();
        bytes.get_mut().put_u8(version);
        rmp_serde::encode::write(&mut bytes, &stored).map_err(|error| {
            Error::new(ErrorKind::Serialization, "the queue's tables cannot be encoded")
                .because(error)
        })?;
        Ok(bytes.into_inner().freeze())
    }

    /// The format to write, and how many sets, maps and counters it has.
    fn shape(&self) -> (u8, usize, usize, usize) {
        if self.set(Set::Done).len() > 0 {
            return shape(VERSION);
        }
        let has_groups = self.contents.sets.iter().skip(PLAIN_SETS).any(|set| set.len() > 0)
            || self.contents.maps.iter().skip(PLAIN_MAPS).any(|map| !map.is_empty())
            || self.counters.iter().skip(PLAIN_COUNTERS).any(|counter| *counter > 0);
        shape(if has_groups { GROUPED } else { PLAIN })
    }

    /// Reads tables from bytes; they count as unchanged.
    ///
    /// # Errors
    /// `Config` for another version of the format, `Backend` for bytes that are not tables.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let (version, packed) = bytes.split_first().ok_or_else(|| corrupt("its index"))?;
        if !(PLAIN..=VERSION).contains(version) {
            let message =
                format!("the queue is stored in format {version}; expected {PLAIN} to {VERSION}");
            return Err(Error::new(ErrorKind::Config, message));
        }
        let (_, sets, maps, counters) = shape(*version);
        let stored: Stored<'_> =
            rmp_serde::from_slice(packed).map_err(|error| corrupt("its index").because(error))?;
        let mut tables = Self::default();
        let found = (stored.sets.len(), stored.maps.len(), stored.counters.len());
        if found != (sets, maps, counters) {
            return Err(corrupt("its index"));
        }
        for (set, members) in tables.contents.sets.iter_mut().zip(stored.sets) {
            *set = Order::of(members.into_iter()).ok_or_else(|| corrupt("its index"))?;
        }
        for (map, entries) in tables.contents.maps.iter_mut().zip(stored.maps) {
            let owned =
                |(key, value): (&str, Value<'_>)| (key.into(), Bytes::copy_from_slice(value.0));
            map.extend(entries.into_iter().map(owned));
        }
        tables.counters.iter_mut().zip(stored.counters).for_each(|(to, from)| *to = from);
        Ok(tables)
    }
}

/// A format, and how many sets, maps and counters it has.
const fn shape(version: u8) -> (u8, usize, usize, usize) {
    match version {
        PLAIN => (PLAIN, PLAIN_SETS, PLAIN_MAPS, PLAIN_COUNTERS),
        GROUPED => (GROUPED, GROUPED_SETS, Map::ALL.len(), Counter::ALL.len()),
        _ => (VERSION, Set::ALL.len(), Map::ALL.len(), Counter::ALL.len()),
    }
}

fn members(set: &Order) -> Vec<(u64, &str)> {
    set.iter().map(|member| (member.score, &*member.name)).collect()
}

/// Sorted, so that equal tables give equal bytes.
fn sorted(map: &HashMap<Box<str>, Bytes>) -> Vec<(&str, Value<'_>)> {
    let mut entries: Vec<_> = map.iter().map(|(key, value)| (&**key, Value(value))).collect();
    entries.sort_unstable_by_key(|(key, _)| *key);
    entries
}
