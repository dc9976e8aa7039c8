//! What is stored of groups fits together, and to the jobs.

use std::collections::{BTreeMap, BTreeSet};

use kv_core::queue::Partition;
use kv_testbed::Connection;

use super::{FILLER, Stored, ask, decimal, key, pairs, texts};

/// The time of a group that is not to be forgotten.
const NEVER: &str = "1fffffffffffff";

/// What stands in GROUPED and GROUPS.
pub(super) struct Groups {
    /// Members of GROUPED by the letter with which they begin, without it.
    members: BTreeMap<char, BTreeSet<String>>,
    /// Words of the records.
    records: BTreeMap<String, Vec<String>>,
}

impl Groups {
    pub(super) fn read(connection: &mut Connection, partition: &Partition) -> Result<Self, String> {
        let mut members: BTreeMap<char, BTreeSet<String>> = BTreeMap::new();
        let found = ask(connection, &["ZRANGE", &key(partition, "grouped"), "0", "-1"])?;
        for member in texts(&found) {
            let letter = member.chars().next().unwrap_or_default();
            members.entry(letter).or_default().insert(member.get(1..).unwrap_or_default().into());
        }
        let records = pairs(&ask(connection, &["HGETALL", &key(partition, "groups")])?);
        let words = |record: String| record.split(' ').map(str::to_owned).collect();
        let records = records.into_iter().map(|(name, record)| (name, words(record))).collect();
        Ok(Self { members, records })
    }

    /// The group of each queued job, and its member as READY would have it.
    pub(super) fn queued(&self) -> Vec<(String, String)> {
        let split = |member: &String| {
            let (group, member) = member.split_once('\n').unwrap_or_default();
            (group.to_owned(), member.to_owned())
        };
        self.of('q').map(split).collect()
    }

    fn of(&self, letter: char) -> impl Iterator<Item = &String> {
        self.members.get(&letter).into_iter().flatten()
    }

    /// Each group is where its record says, in one place if it has queued jobs, and runs as many
    /// jobs as have leases.
    pub(super) fn check(&self, stored: &Stored) -> Result<(), String> {
        if let Some(odd) = self.members.keys().find(|letter| !"bgqr".contains(**letter)) {
            return Err(format!("GROUPED has members with {odd:?}"));
        }
        let mut queued: BTreeMap<String, String> = BTreeMap::new();
        for (group, member) in self.queued() {
            queued.entry(group).or_insert(member);
        }
        for (name, record) in &self.records {
            self.check_group(name, record, queued.get(name), stored)?;
        }
        let placed: BTreeSet<String> = ['b', 'r'].iter().flat_map(|it| self.named(*it)).collect();
        let known: BTreeSet<String> = self.named('g').collect();
        let recorded: BTreeSet<String> = self.records.keys().cloned().collect();
        let is_known = |name: &String| known.contains(name);
        if known != recorded || !placed.iter().chain(queued.keys()).all(is_known) {
            return Err(format!("groups {known:?}, records {recorded:?}, placed {placed:?}"));
        }
        Ok(())
    }

    fn named(&self, letter: char) -> impl Iterator<Item = String> {
        self.of(letter).map(|member| member.get(14..).unwrap_or_default().to_owned())
    }

    fn check_group(
        &self,
        name: &str,
        record: &[String],
        first: Option<&String>,
        stored: &Stored,
    ) -> Result<(), String> {
        let odd = |what: &str| Err(format!("group {name:?} {what}: {record:?}, first {first:?}"));
        let [place, listed, running, next, paused, started, own] = record else {
            return odd("has other words");
        };
        let numbers = [running, next, paused, started].map(|number| decimal(number));
        let [Some(running), Some(next), Some(paused), Some(_)] = numbers else {
            return odd("has no numbers");
        };
        let leases = stored.leases.iter().filter(|(member, _)| member != FILLER);
        let jobs = leases.filter_map(|(member, _)| stored.records.get(member.get(..14)?));
        if jobs.filter(|job| job.group == name).count() as u64 != running {
            return odd("runs another number of jobs");
        }
        if !self.has(listed, name) || listed.len() != 15 {
            return odd("is not listed");
        }
        let is_placed = match place.len() {
            1 => place == "f" && first.is_some() || place == "-" && first.is_none(),
            _ => place.len() == 15 && self.has(place, name) && first.is_some(),
        };
        let priority = first.and_then(|member| member.get(..1));
        if !is_placed || place.starts_with('r') && place.get(1..2) != priority {
            return odd("is not in its place");
        }
        let forgotten = match first.is_some() || running > 0 || own != "-" {
            true => NEVER.to_owned(),
            false => format!("{:014x}", next.max(paused)),
        };
        match listed.get(1..) == Some(&*forgotten) {
            true => Ok(()),
            false => odd("is forgotten at another time"),
        }
    }

    fn has(&self, place: &str, name: &str) -> bool {
        let mut chars = place.chars();
        let members = chars.next().and_then(|letter| self.members.get(&letter));
        members.is_some_and(|all| all.contains(&format!("{}{name}", chars.as_str())))
    }
}
