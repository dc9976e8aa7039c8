//! Working off what waits.

use std::sync::Arc;

use super::floor::{Coalesced, FusedOne};
use super::ours::{How, Kind, Process};
use crate::contest::Plan;
use crate::model::{Settings, Target, Tier};
use crate::payload::SMALL;
use crate::server::Bed;
use crate::work::{JOBS_A_SECOND, Turns};

pub(crate) const SCENARIO: &str = "process";
const FLOOR: &str = "floor";
const WORKER: &str = "kv-queue, Worker";
const ENGINE: &str = "kv-queue, engine";

/// All contests of the scenario.
pub(crate) fn plans(bed: &Arc<Bed>, settings: &Settings) -> Vec<Plan> {
    vec![
        one_by_one(SCENARIO, bed, settings),
        coalesced(SCENARIO, bed, SMALL, settings.size(100_000)),
        few(bed, 10, settings.size(20_000)),
        few(bed, 1, settings.size(5_000)),
    ]
}

/// A request for each job, 100 tasks.
pub(crate) fn one_by_one(scenario: &str, bed: &Arc<Bed>, settings: &Settings) -> Plan {
    let jobs = settings.size(50_000);
    let ours =
        |how| Turns::new(bed, Process { how, kind: Kind::Plain, tasks: 100, bytes: SMALL }, jobs);
    let floor = Turns::new(bed, FusedOne { tasks: 100, bytes: SMALL }, jobs);
    let about = "100 tasks, a request for each job: it acks the last one and claims the next.";
    Plan::new(scenario, "process, one job a request", about, JOBS_A_SECOND)
        .enter(FLOOR, Tier::CrashSafe, "100 tasks, one script call each: ack, claim 1", floor)
        .enter(
            ENGINE,
            Tier::Fenced,
            "100 tasks, each on a session: `exchange`, one ack, claim 1",
            ours(How::Engine),
        )
        .enter(
            "kv-queue, calls",
            Tier::Fenced,
            "100 tasks: `dequeue(1)`, `ack()`",
            ours(How::Calls),
        )
        .floor(FLOOR)
        .target(Target::at_least(0.55, ENGINE, FLOOR, JOBS_A_SECOND))
}

/// Requests shared by 100 handlers.
pub(crate) fn coalesced(scenario: &str, bed: &Arc<Bed>, bytes: usize, jobs: u64) -> Plan {
    let work = Process { how: How::Worker, kind: Kind::Plain, tasks: 100, bytes };
    let ours = Turns::new(bed, work, jobs);
    let floor = Turns::new(bed, Coalesced { handlers: 100, bytes }, jobs);
    let about = format!("100 handlers that do nothing, {bytes} B a job; requests are shared.");
    Plan::new(scenario, "process, requests shared", &about, JOBS_A_SECOND)
        .enter(
            FLOOR,
            Tier::CrashSafe,
            "one fetcher claims 100 at a time for 100 tasks, acks go with the next claim",
            floor,
        )
        .enter(WORKER, Tier::Fenced, "`Worker::concurrency(100)`, until drained", ours)
        .floor(FLOOR)
        .target(Target::at_least(0.5, WORKER, FLOOR, JOBS_A_SECOND))
}

/// Few at a time, for information.
fn few(bed: &Arc<Bed>, tasks: usize, jobs: u64) -> Plan {
    let ours = |how| Turns::new(bed, Process { how, kind: Kind::Plain, tasks, bytes: SMALL }, jobs);
    let floor = Turns::new(bed, FusedOne { tasks, bytes: SMALL }, jobs);
    let name = format!("process, {tasks} at a time");
    Plan::new(SCENARIO, &name, "Few handlers at a time.", JOBS_A_SECOND)
        .enter(FLOOR, Tier::CrashSafe, "one script call for each job: ack, claim 1", floor)
        .enter(ENGINE, Tier::Fenced, "`exchange`, one ack, claim 1", ours(How::Engine))
        .enter(WORKER, Tier::Fenced, &format!("`Worker::concurrency({tasks})`"), ours(How::Worker))
        .floor(FLOOR)
}
