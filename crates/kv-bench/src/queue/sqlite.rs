//! The queue in a file, beside a queue written by hand on bare SQLite.

mod floor;

use std::time::Duration;

use async_trait::async_trait;
use kv_core::{Clock, SystemClock};

use super::ours::{How, Kind, Ours, Process};
use crate::Result;
use crate::contest::{Contestant, Plan};
use crate::file::Folder;
use crate::model::{Sample, Settings, Target, Tier};
use crate::payload::{SMALL, Tally};
use crate::statistics::count;
use crate::work::JOBS_A_SECOND;

use floor::Floor;

pub(crate) const SCENARIO: &str = "sqlite";
const FLOOR: &str = "floor";
const WORKER: &str = "kv-queue, Worker";
const ENGINE: &str = "kv-queue, engine";
const TASKS: usize = 100;
const COST: &str = "µs a job";
const ROUNDS: usize = 3;

/// How many jobs are worked off before as many are added, and how often.
const SLICE: u64 = 500;
const SLICES: u64 = 20;

const BACKLOGS: [(u64, &str); 4] = [
    (1_000, "1,000 wait"),
    (10_000, "10,000 wait"),
    (100_000, "100,000 wait"),
    (1_000_000, "1,000,000 wait"),
];

/// All contests of the scenario.
pub(crate) fn plans(settings: &Settings) -> [Plan; 2] {
    [process(settings.size(50_000)), backlog(settings)]
}

fn process(jobs: u64) -> Plan {
    let about = format!(
        "{jobs} jobs of {SMALL} B wait in a file, `normal`; {TASKS} handlers that do nothing. \
         A request settles and claims up to {TASKS}."
    );
    let in_file = |how| InFile { how, jobs };
    Plan::new(SCENARIO, "process in a file", &about, JOBS_A_SECOND)
        .enter(
            FLOOR,
            Tier::CrashSafe,
            "bare SQLite: one transaction deletes what was done and leases the next, on the \
             thread that hands out to the handlers' tasks",
            in_file(Who::Floor),
        )
        .enter(
            WORKER,
            Tier::Fenced,
            "`Worker::concurrency(100)`, until drained",
            in_file(Who::Worker),
        )
        .enter(
            ENGINE,
            Tier::Fenced,
            "one task: `exchange`, ack and claim 100",
            in_file(Who::Engine),
        )
        .floor(FLOOR)
        .target(Target::at_least(0.4, WORKER, FLOOR, JOBS_A_SECOND))
}

fn backlog(settings: &Settings) -> Plan {
    let about = format!(
        "Jobs wait in a file; {SLICES} times, {SLICE} are processed, {TASKS} a request, and as \
         many are added, which is not measured."
    );
    let mut plan = Plan::new(SCENARIO, "a long backlog in a file", &about, COST);
    let shortest = BACKLOGS.first().map_or("", |(_, name)| name);
    for (waiting, name) in BACKLOGS {
        if waiting > settings.size(settings.stored) {
            continue;
        }
        plan = plan.enter(name, Tier::Fenced, "kv-queue's engine, one task", Backlog { waiting });
        if name != shortest {
            plan = plan.target(Target::at_most_times(1.5, name, shortest, COST));
        }
    }
    plan.floor(shortest).at_most_rounds(ROUNDS)
}

#[derive(Clone, Copy)]
enum Who {
    Floor,
    Worker,
    Engine,
}

struct InFile {
    how: Who,
    jobs: u64,
}

#[async_trait]
impl Contestant for InFile {
    async fn turn(&mut self) -> Result<Sample> {
        let folder = Folder::new()?;
        let path = folder.join("queue.db");
        let took = match self.how {
            Who::Floor => Floor::open(&path)?.process(self.jobs).await?,
            Who::Worker => worker(Ours::in_file(&path).await?, self.jobs).await?,
            Who::Engine => engine(Ours::in_file(&path).await?, self.jobs).await?,
        };
        let jobs = count(usize::try_from(self.jobs)?);
        Ok(Sample::from([(JOBS_A_SECOND.to_owned(), jobs / took.as_secs_f64())]))
    }
}

async fn worker(ours: Ours, jobs: u64) -> Result<Duration> {
    let store = ours.store.clone();
    let process = Process { how: How::Worker, tasks: TASKS, bytes: SMALL, kind: Kind::Plain };
    let ready = process.fill(ours, jobs).await?;
    let clock = SystemClock::new();
    process.process(&ready).await?;
    let took = clock.now();
    ready.check(jobs).await?;
    store.close().await?;
    Ok(took)
}

async fn engine(ours: Ours, jobs: u64) -> Result<Duration> {
    ours.fill(jobs, SMALL).await?;
    let (engine, tally, clock) = (ours.engine()?, Tally::new(), SystemClock::new());
    engine.process(TASKS, u64::MAX, &tally).await?;
    let took = clock.now();
    tally.check(jobs)?;
    ours.store.close().await?;
    Ok(took)
}

struct Backlog {
    waiting: u64,
}

#[async_trait]
impl Contestant for Backlog {
    async fn turn(&mut self) -> Result<Sample> {
        let folder = Folder::new()?;
        let ours = Ours::in_file(&folder.join("queue.db")).await?;
        ours.fill_in_order(self.waiting, SMALL).await?;
        let (engine, tally, clock) = (ours.engine()?, Tally::new(), SystemClock::new());
        let mut took = Duration::ZERO;
        for slice in 0..SLICES {
            let start = clock.now();
            engine.process(TASKS, SLICE, &tally).await?;
            took += clock.now() - start;
            ours.add(Kind::Plain, self.waiting + slice * SLICE + 1, SLICE, SMALL).await?;
        }
        tally.check(SLICE * SLICES)?;
        ours.store.close().await?;
        let jobs = count(usize::try_from(SLICE * SLICES)?);
        Ok(Sample::from([(COST.to_owned(), 1e6 * took.as_secs_f64() / jobs)]))
    }

    async fn prove(&mut self) -> Result<()> {
        Ok(())
    }
}
