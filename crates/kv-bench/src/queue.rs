//! `kv-bench queue`: the queue on Redis and in a file, beside bare floors and peers.

mod backlog;
mod beside;
mod bulk;
pub(crate) mod floor;
mod groups;
mod idle;
mod latency;
mod memory;
pub(crate) mod ours;
mod peers;
mod process;
mod sqlite;

use std::sync::Arc;

use crate::arguments::Arguments;
use crate::contest::Plan;
use crate::machine::{Machine, output};
use crate::model::{Run, Settings};
use crate::payload::{LARGE, SMALL};
use crate::server::Bed;
use crate::{Result, contest, fault_check};

/// The scenarios whose server has an append-only file, and whose jobs are large.
const DURABLE: &str = "durable";
const LARGE_JOBS: &str = "large";

/// What can be asked for by `--only`.
const SCENARIOS: [&str; 13] = [
    process::SCENARIO,
    bulk::SCENARIO,
    bulk::ONE_BY_ONE,
    DURABLE,
    LARGE_JOBS,
    groups::SCENARIO,
    backlog::SCENARIO,
    memory::SCENARIO,
    latency::SCENARIO,
    idle::SCENARIO,
    beside::SCENARIO,
    sqlite::SCENARIO,
    peers::SCENARIO,
];

/// Runs what is asked for.
pub(crate) async fn run(arguments: &Arguments) -> Result<Run> {
    let Arguments { settings, peers, .. } = arguments;
    settings.check(&SCENARIOS)?;
    let bed = Arc::new(Bed::start()?);
    let mut machine = Machine::look();
    machine.redis = Some(bed.version()?);
    let mut gate = fault_check::queue(&bed).await?;
    let mut plans = plans(&bed, settings);
    let mut skipped = Vec::new();
    if settings.wants(DURABLE) {
        plans.extend(durable(&Arc::new(Bed::start_durable()?), settings));
    }
    if settings.wants(peers::SCENARIO) {
        machine.node = peers.node.as_ref().and_then(|_| output("node", &["--version"]));
        plans.extend(peers::plans(&bed, settings, peers));
        skipped = peers::missing(peers);
    }
    contest::prove_all(&mut plans).await?;
    gate.push("every contestant: 1,000 jobs were added, or processed, each once".to_owned());
    let contests = contest::hold_all(plans, settings.rounds).await?;
    Ok(Run { machine, settings: settings.clone(), gate, skipped, contests })
}

fn plans(bed: &Arc<Bed>, settings: &Settings) -> Vec<Plan> {
    let mut plans = Vec::new();
    if settings.wants(process::SCENARIO) {
        plans.extend(process::plans(bed, settings));
    }
    if settings.wants(bulk::SCENARIO) {
        plans.extend(bulk::plans(bed, settings));
    }
    if settings.wants(bulk::ONE_BY_ONE) {
        plans.push(bulk::single(bed, settings));
    }
    if settings.wants(groups::SCENARIO) {
        plans.extend(groups::plans(bed, settings));
    }
    if settings.wants(LARGE_JOBS) {
        plans.extend(large(bed, settings));
    }
    if settings.wants(sqlite::SCENARIO) {
        plans.extend(sqlite::plans(settings));
    }
    for (scenario, plan) in [
        (backlog::SCENARIO, backlog::plan as fn(&Arc<Bed>, &Settings) -> Plan),
        (memory::SCENARIO, memory::plan),
        (latency::SCENARIO, latency::plan),
        (idle::SCENARIO, idle::plan),
        (beside::SCENARIO, beside::plan),
    ] {
        if settings.wants(scenario) {
            plans.push(plan(bed, settings));
        }
    }
    plans
}

/// The main contests on a server with an append-only file.
fn durable(bed: &Arc<Bed>, settings: &Settings) -> [Plan; 3] {
    let jobs = settings.size(100_000);
    [
        process::one_by_one(DURABLE, bed, settings),
        process::coalesced(DURABLE, bed, SMALL, jobs),
        bulk::bulk(DURABLE, bed, 4, SMALL, jobs),
    ]
    .map(|plan| plan.for_information("appendfsync everysec"))
}

/// The main contests with large jobs.
fn large(bed: &Arc<Bed>, settings: &Settings) -> [Plan; 2] {
    let jobs = settings.size(20_000);
    [process::coalesced(LARGE_JOBS, bed, LARGE, jobs), bulk::bulk(LARGE_JOBS, bed, 4, LARGE, jobs)]
        .map(|plan| plan.for_information("10 KiB a job"))
}
