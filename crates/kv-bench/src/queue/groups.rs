//! Working off what waits in groups that take turns, beside the same jobs without groups.

use std::sync::Arc;

use super::ours::{Add, How, Kind, Process};
use crate::contest::Plan;
use crate::model::{Settings, Target, Tier};
use crate::payload::{BATCH, SMALL};
use crate::server::Bed;
use crate::work::{JOBS_A_SECOND, Turns};

pub(crate) const SCENARIO: &str = "groups";
const PLAIN: &str = "kv-queue, no groups";
const GROUPED: &str = "kv-queue, groups";

/// All contests of the scenario.
pub(crate) fn plans(bed: &Arc<Bed>, settings: &Settings) -> [Plan; 3] {
    let groups = Kind::GROUPS;
    let about = format!("{groups} groups with a concurrency and a rate that keep nothing waiting.");
    let worker = |kind| Process { how: How::Worker, kind, tasks: 100, bytes: SMALL };
    let engine = |kind| Process { how: How::Engine, kind, tasks: 100, bytes: SMALL };
    let add = |kind| Add { kind, batch: BATCH, tasks: 4, bytes: SMALL };
    let (many, few) = (settings.size(100_000), settings.size(50_000));
    let by = "100 tasks: `exchange`, one ack, claim 1";
    [
        Plan::new(SCENARIO, "groups, requests shared", &about, JOBS_A_SECOND)
            .enter(
                PLAIN,
                Tier::Fenced,
                "`Worker::concurrency(100)`",
                Turns::new(bed, worker(Kind::Plain), many),
            )
            .enter(GROUPED, Tier::Fenced, "the same", Turns::new(bed, worker(Kind::Grouped), many))
            .floor(PLAIN)
            .target(Target::at_least(0.35, GROUPED, PLAIN, JOBS_A_SECOND)),
        Plan::new(SCENARIO, "groups, one job a request", &about, JOBS_A_SECOND)
            .enter(PLAIN, Tier::Fenced, by, Turns::new(bed, engine(Kind::Plain), few))
            .enter(GROUPED, Tier::Fenced, "the same", Turns::new(bed, engine(Kind::Grouped), few))
            .floor(PLAIN)
            .target(Target::at_least(0.5, GROUPED, PLAIN, JOBS_A_SECOND)),
        Plan::new(SCENARIO, "groups, add 1,000 a request", &about, JOBS_A_SECOND)
            .enter(PLAIN, Tier::Fenced, "`enqueue_many`", Turns::new(bed, add(Kind::Plain), many))
            .enter(GROUPED, Tier::Fenced, "the same", Turns::new(bed, add(Kind::Grouped), many))
            .floor(PLAIN),
    ]
}
