//! Adding jobs.

use std::sync::Arc;

use super::floor;
use super::ours::{Add, Kind};
use crate::contest::Plan;
use crate::model::{Settings, Target, Tier};
use crate::payload::{BATCH, SMALL};
use crate::server::Bed;
use crate::work::{JOBS_A_SECOND, Turns};

pub(crate) const SCENARIO: &str = "bulk";
pub(crate) const ONE_BY_ONE: &str = "single";
const FLOOR: &str = "floor";
const OURS: &str = "kv-queue";
const UNIQUE: &str = "kv-queue, unique keys";

/// All contests of the scenario.
pub(crate) fn plans(bed: &Arc<Bed>, settings: &Settings) -> Vec<Plan> {
    let jobs = settings.size(100_000);
    let work = Add { kind: Kind::Unique, batch: BATCH, tasks: 4, bytes: SMALL };
    let unique = Turns::new(bed, work, jobs);
    let about = "`enqueue_many` of 1,000, a key of 41 bytes each, unique in the run";
    vec![
        bulk(SCENARIO, bed, 4, SMALL, jobs)
            .enter(UNIQUE, Tier::Fenced, about, unique)
            .target(Target::at_least(0.25, UNIQUE, FLOOR, JOBS_A_SECOND)),
        bulk(SCENARIO, bed, 1, SMALL, jobs),
    ]
}

/// 1,000 jobs a request.
pub(crate) fn bulk(scenario: &str, bed: &Arc<Bed>, tasks: usize, bytes: usize, jobs: u64) -> Plan {
    let ours = Add { kind: Kind::Plain, batch: BATCH, tasks, bytes };
    let floor = floor::Add { tasks, batch: BATCH, bytes };
    let name = format!("add 1,000 a request, {tasks} at a time");
    let about = format!("{bytes} B a job. Tasks: {tasks}.");
    Plan::new(scenario, &name, &about, JOBS_A_SECOND)
        .enter(FLOOR, Tier::CrashSafe, "one script call adds 1,000", Turns::new(bed, floor, jobs))
        .enter(OURS, Tier::Fenced, "`enqueue_many` of 1,000", Turns::new(bed, ours, jobs))
        .floor(FLOOR)
        .target(Target::at_least(0.8, OURS, FLOOR, JOBS_A_SECOND))
}

/// A request for each job.
pub(crate) fn single(bed: &Arc<Bed>, settings: &Settings) -> Plan {
    let jobs = settings.size(50_000);
    let ours = Add { kind: Kind::Plain, batch: 1, tasks: 50, bytes: SMALL };
    let floor = floor::Add { tasks: 50, batch: 1, bytes: SMALL };
    let about = "50 tasks, 200 B a job.";
    Plan::new(ONE_BY_ONE, "add one by one", about, JOBS_A_SECOND)
        .enter(FLOOR, Tier::CrashSafe, "one script call for each job", Turns::new(bed, floor, jobs))
        .enter(OURS, Tier::Fenced, "`enqueue`", Turns::new(bed, ours, jobs))
        .floor(FLOOR)
        .target(Target::at_least(0.6, OURS, FLOOR, JOBS_A_SECOND))
}
