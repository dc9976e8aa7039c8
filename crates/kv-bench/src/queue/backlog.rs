//! Whether a job costs more to process where many others wait.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use kv_core::{Clock, SystemClock};

use super::ours::{Kind, Ours};
use crate::Result;
use crate::contest::{Contestant, Plan};
use crate::model::{Sample, Settings, Target, Tier};
use crate::payload::{SMALL, Tally};
use crate::server::Bed;
use crate::statistics::count;

pub(crate) const SCENARIO: &str = "backlog";
const FIGURE: &str = "µs a job";
const ROUNDS: usize = 3;

/// How many jobs are claimed and acked by one request.
const CLAIM: usize = 100;

/// How many jobs are worked off before as many are added, half of the shortest backlog.
const SLICE: u64 = 500;
const SLICES: u64 = 40;

const BACKLOGS: [(u64, &str); 4] = [
    (1_000, "1,000 wait"),
    (10_000, "10,000 wait"),
    (100_000, "100,000 wait"),
    (1_000_000, "1,000,000 wait"),
];

/// The contest.
pub(crate) fn plan(bed: &Arc<Bed>, settings: &Settings) -> Plan {
    let about = format!(
        "Jobs wait; {SLICES} times, {SLICE} are processed, {CLAIM} a request, and as many are \
         added, which is not measured."
    );
    let mut plan = Plan::new(SCENARIO, "a long backlog", &about, FIGURE).at_most_rounds(ROUNDS);
    let shortest = BACKLOGS.first().map_or("", |(_, name)| name);
    for (waiting, name) in BACKLOGS {
        if settings.quick && waiting > 100_000 {
            continue;
        }
        let entry = Backlog { bed: bed.clone(), waiting };
        plan = plan.enter(name, Tier::Fenced, "kv-queue's engine, one task", entry);
        if name != shortest {
            plan = plan.target(Target::at_most_times(1.5, name, shortest, FIGURE));
        }
    }
    plan.floor(shortest)
}

struct Backlog {
    bed: Arc<Bed>,
    waiting: u64,
}

#[async_trait]
impl Contestant for Backlog {
    async fn turn(&mut self) -> Result<Sample> {
        self.bed.clear()?;
        let ours = Ours::open(&self.bed.url()).await?;
        ours.fill_in_order(self.waiting, SMALL).await?;
        let (engine, tally, clock) = (ours.engine()?, Tally::new(), SystemClock::new());
        let (mut took, mut server) = (Duration::ZERO, 0.0);
        for slice in 0..SLICES {
            let (before, start) = (self.bed.usage()?, clock.now());
            engine.process(CLAIM, SLICE, &tally).await?;
            took += clock.now() - start;
            server += self.bed.usage()?.cpu_seconds - before.cpu_seconds;
            ours.add(Kind::Plain, self.waiting + slice * SLICE + 1, SLICE, SMALL).await?;
        }
        // The oldest went first, so it is known which these were.
        tally.check(SLICE * SLICES)?;
        let jobs = count(usize::try_from(SLICE * SLICES)?);
        let figures = [(FIGURE, 1e6 * took.as_secs_f64()), ("server µs", 1e6 * server)];
        Ok(figures.map(|(name, value)| (name.to_owned(), value / jobs)).into())
    }
}
