//! Groups: turns, limits, pauses, and what is left of them.

#[path = "groups/left.rs"]
mod left;
#[path = "groups/limits.rs"]
mod limits;
#[path = "groups/paused.rs"]
mod paused;
#[path = "groups/turns.rs"]
mod turns;

use kv_core::queue::{GroupLimit, GroupState, Inspect, Inspected, NewJob};
use kv_queue_machine::testing::Dump;

use crate::bench::{Bench, job};

pub(crate) fn of(group: &str, body: &str) -> NewJob {
    NewJob { group: Some(group.into()), ..job(body) }
}

pub(crate) fn many(group: &str, jobs: usize) -> Vec<NewJob> {
    vec![of(group, group); jobs]
}

impl Bench {
    /// A bench on which groups have this limit.
    pub(crate) fn limited(limit: GroupLimit) -> Self {
        let mut bench = Self::new();
        bench.policy.group = limit;
        bench
    }

    pub(crate) fn groups(&mut self) -> Vec<GroupState> {
        let default = self.policy.group;
        let request = Inspect::Groups { after: None, limit: 100, default };
        match self.machine().inspect(&request) {
            Ok(Inspected::Groups(groups)) => groups,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn check(&self) {
        Dump::from(&self.tables).check().unwrap();
    }
}
