//! Tables so simple that they are obviously correct.

use std::collections::BTreeMap;

use bytes::Bytes;
use kv_core::Result;

use crate::tables::{Counter, Map, Member, Set, Tables};

/// Every set is a list; each call searches and sorts it.
#[derive(Debug, Default)]
pub struct NaiveTables {
    sets: Vec<(Set, String, u64)>,
    maps: BTreeMap<(Map, String), Bytes>,
    counters: BTreeMap<Counter, u64>,
}

impl NaiveTables {
    pub(super) fn all(&self, set: Set) -> Vec<Member> {
        let of_set = self.sets.iter().filter(|(one, ..)| *one == set);
        let mut members: Vec<_> = of_set
            .map(|(_, name, score)| Member { score: *score, name: (**name).into() })
            .collect();
        members.sort();
        members
    }

    pub(super) fn entries(&self, map: Map) -> impl Iterator<Item = (&str, &Bytes)> {
        let of_map = self.maps.iter().filter(move |((one, _), _)| *one == map);
        of_map.map(|((_, key), value)| (&**key, value))
    }
}

impl Tables for NaiveTables {
    fn insert(&mut self, set: Set, score: u64, name: &str) -> Result<()> {
        self.remove(set, name)?;
        self.sets.push((set, name.to_owned(), score));
        Ok(())
    }

    fn remove(&mut self, set: Set, name: &str) -> Result<bool> {
        let before = self.sets.len();
        self.sets.retain(|(one, member, _)| !(*one == set && member == name));
        Ok(self.sets.len() < before)
    }

    fn score(&self, set: Set, name: &str) -> Result<Option<u64>> {
        let found = self.sets.iter().find(|(one, member, _)| *one == set && member == name);
        Ok(found.map(|(.., score)| *score))
    }

    fn first(&self, set: Set, limit: usize) -> Result<Vec<Member>> {
        Ok(self.all(set).into_iter().take(limit).collect())
    }

    fn first_until(&self, set: Set, score: u64, limit: usize) -> Result<Vec<Member>> {
        let due = self.all(set).into_iter().filter(|member| member.score <= score);
        Ok(due.take(limit).collect())
    }

    fn first_after(&self, set: Set, name: &str, limit: usize) -> Result<Vec<Member>> {
        let all = self.all(set);
        let start = all.iter().position(|member| &*member.name == name).map_or(0, |at| at + 1);
        Ok(all.into_iter().skip(start).take(limit).collect())
    }

    fn first_beyond(&self, set: Set, member: &Member, limit: usize) -> Result<Vec<Member>> {
        let all = self.all(set).into_iter();
        Ok(all.filter(|one| one > member).take(limit).collect())
    }

    fn find(&self, set: Set, prefix: &str) -> Result<Option<Member>> {
        Ok(self.first_under(set, prefix, 1)?.pop())
    }

    fn first_under(&self, set: Set, prefix: &str, limit: usize) -> Result<Vec<Member>> {
        let all = self.all(set).into_iter();
        Ok(all.filter(|member| member.name.starts_with(prefix)).take(limit).collect())
    }

    fn len_under(&self, set: Set, prefix: &str) -> Result<u64> {
        Ok(self.first_under(set, prefix, usize::MAX)?.len() as u64)
    }

    fn len(&self, set: Set) -> Result<u64> {
        Ok(self.all(set).len() as u64)
    }

    fn get(&self, map: Map, key: &str) -> Result<Option<Bytes>> {
        Ok(self.maps.get(&(map, key.to_owned())).cloned())
    }

    fn walk(&self, map: Map, after: &str, limit: usize) -> Result<Vec<(String, Bytes)>> {
        let keys = self.entries(map).filter(|(key, _)| *key > after).take(limit);
        Ok(keys.map(|(key, value)| (key.to_owned(), value.clone())).collect())
    }

    fn put(&mut self, map: Map, key: &str, value: Bytes) -> Result<()> {
        self.maps.insert((map, key.to_owned()), value);
        Ok(())
    }

    fn delete(&mut self, map: Map, key: &str) -> Result<bool> {
        Ok(self.maps.remove(&(map, key.to_owned())).is_some())
    }

    fn clear(&mut self) -> Result<()> {
        self.sets.clear();
        self.maps.clear();
        Ok(())
    }

    fn counter(&self, counter: Counter) -> Result<u64> {
        Ok(self.counters.get(&counter).copied().unwrap_or(0))
    }

    fn set_counter(&mut self, counter: Counter, value: u64) -> Result<()> {
        self.counters.insert(counter, value);
        Ok(())
    }
}
