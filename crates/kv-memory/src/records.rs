//! The records of one shard of the map, and how one is found: by its key, or by its slot.

use dashmap::SharedValue;
use hashbrown::raw::RawTable;

use crate::order::Order;
use crate::record::Record;

/// A key's hash and the shard that it is in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) hash: u64,
    pub(crate) shard: usize,
}

/// The records of a shard by key, as the map has them.
pub(crate) type Records = RawTable<(Box<str>, SharedValue<Record>)>;

/// The record of a key.
#[inline]
pub(crate) fn find<'r>(records: &'r Records, hash: u64, key: &str) -> Option<&'r Record> {
    records.get(hash, |(stored, _)| **stored == *key).map(|(_, record)| record.get())
}

/// The key and the record that a slot stands for.
pub(crate) fn find_at(records: &Records, hash: u64, at: u32) -> Option<(&str, &Record)> {
    let found = records.get(hash, |(_, record)| record.get().at == at);
    found.map(|(key, record)| (&**key, record.get()))
}

/// The hash of a key as the order knows it: near at hand, where the key would have to be fetched.
pub(crate) fn hash_in(order: &Order, (_, record): &(Box<str>, SharedValue<Record>)) -> u64 {
    order.hash(record.get().at).unwrap_or_default()
}
