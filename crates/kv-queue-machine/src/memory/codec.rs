//! Tables as bytes.

use std::collections::HashMap;

use bytes::{BufMut, Bytes, BytesMut};
use kv_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};
use serde::{de::Deserializer, ser::Serializer};

use super::{MemTables, Order};
use crate::member::corrupt;
use crate::tables::{Counter, Map, Set};

/// The first byte of the format; another byte means another format.
const VERSION: u8 = 1;

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
        let stored = Stored {
            sets: self
                .contents
                .sets
                .iter()
                .map(|set| set.iter().map(|member| (member.score, &*member.name)).collect())
                .collect(),
            maps: self.contents.maps.iter().map(sorted).collect(),
            counters: self.counters.to_vec(),
        };
        let mut bytes = BytesMut::new().writer();
        bytes.get_mut().put_u8(VERSION);
        rmp_serde::encode::write(&mut bytes, &stored).map_err(|error| {
            Error::new(ErrorKind::Serialization, "the queue's tables cannot be encoded")
                .because(error)
        })?;
        Ok(bytes.into_inner().freeze())
    }

    /// Reads tables from bytes; they count as unchanged.
    ///
    /// # Errors
    /// `Config` for another version of the format, `Backend` for bytes that are not tables.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let (version, packed) = bytes.split_first().ok_or_else(|| corrupt("its index"))?;
        if *version != VERSION {
            let message = format!("the queue is stored in format {version}; expected {VERSION}");
            return Err(Error::new(ErrorKind::Config, message));
        }
        let stored: Stored<'_> =
            rmp_serde::from_slice(packed).map_err(|error| corrupt("its index").because(error))?;
        let mut tables = Self::default();
        if stored.sets.len() != Set::ALL.len()
            || stored.maps.len() != Map::ALL.len()
            || stored.counters.len() != Counter::ALL.len()
        {
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

/// Sorted, so that equal tables give equal bytes.
fn sorted(map: &HashMap<Box<str>, Bytes>) -> Vec<(&str, Value<'_>)> {
    let mut entries: Vec<_> = map.iter().map(|(key, value)| (&**key, Value(value))).collect();
    entries.sort_unstable_by_key(|(key, _)| *key);
    entries
}
