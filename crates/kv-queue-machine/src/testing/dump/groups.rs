//! Whether groups stand where their jobs, leases and records say.

use std::collections::{BTreeMap, BTreeSet};

use kv_core::queue::{JobKey, MAX_STAMP};

use super::{Dump, same};
use crate::group::GroupRecord;
use crate::member;
use crate::record::decode;
use crate::tables::{Map, Set};

impl Dump {
    /// A group with queued jobs is in exactly one place, and none is known that has nothing.
    pub(super) fn check_groups(&self) -> Result<(), String> {
        let (records, first) = (self.group_records()?, self.first_of_groups());
        let known: BTreeSet<String> = first.keys().chain(records.keys()).cloned().collect();
        same("groups", &self.names(Set::Groups), &known)?;
        let full = records.iter().filter(|(_, record)| record.full).map(|(name, _)| name.clone());
        let (ring, blocked) = (self.names(Set::Ring), self.names(Set::Blocked));
        let placed: Vec<String> = full.chain(ring).chain(blocked).collect();
        let places: BTreeSet<String> = placed.iter().cloned().collect();
        if places.len() < placed.len() {
            return Err(format!("groups in two places: {placed:?}"));
        }
        same("groups with queued jobs", &places, &first.keys().cloned().collect())?;
        self.check_ring(&first)?;
        self.check_running(&records)?;
        self.check_forgotten(&records, &first)
    }

    fn group_records(&self) -> Result<BTreeMap<String, GroupRecord>, String> {
        let records = self.map(Map::Group).iter();
        let decoded = records.map(|(name, record)| Ok((name.clone(), decode("a group", record)?)));
        decoded.collect::<kv_core::Result<_>>().map_err(|error| error.to_string())
    }

    /// The priority of the first queued job of each group.
    fn first_of_groups(&self) -> BTreeMap<String, u8> {
        let mut first = BTreeMap::new();
        for queued in self.set(Set::Queued) {
            let group = member::group_of(&queued.name).unwrap_or_default();
            first.entry(group.to_owned()).or_insert_with(|| member::priority_of(&queued.name));
        }
        first
    }

    fn check_ring(&self, first: &BTreeMap<String, u8>) -> Result<(), String> {
        let is_right = |name: &str, score: u64| {
            first.get(name).is_some_and(|first| u64::from(*first) == score >> JobKey::SEQUENCE_BITS)
        };
        match self.set(Set::Ring).iter().find(|group| !is_right(&group.name, group.score)) {
            Some(wrong) => Err(format!("{wrong:?} is not at the priority of its first job")),
            None => Ok(()),
        }
    }

    /// A group counts as many running jobs as its jobs have leases.
    fn check_running(&self, records: &BTreeMap<String, GroupRecord>) -> Result<(), String> {
        let mut leases: BTreeMap<String, u32> = BTreeMap::new();
        for lease in self.set(Set::Leases) {
            let key = member::parse_lease(&lease.name).map_err(|error| error.to_string())?.key;
            if let Some(group) = self.record(&key.to_string())?.group {
                *leases.entry(group).or_default() += 1;
            }
        }
        let running = records.iter().filter(|(_, record)| record.running > 0);
        let running = running.map(|(name, record)| (name.clone(), record.running)).collect();
        if leases == running {
            return Ok(());
        }
        Err(format!("leases of groups {leases:?}, running by their records {running:?}"))
    }

    fn check_forgotten(
        &self,
        records: &BTreeMap<String, GroupRecord>,
        first: &BTreeMap<String, u8>,
    ) -> Result<(), String> {
        for group in self.set(Set::Groups) {
            let expected = match first.contains_key(&*group.name) {
                true => MAX_STAMP,
                false => records.get(&*group.name).map_or(0, GroupRecord::forgotten_at),
            };
            if group.score != expected {
                return Err(format!("{group:?} is to be forgotten at {expected}"));
            }
        }
        Ok(())
    }
}
