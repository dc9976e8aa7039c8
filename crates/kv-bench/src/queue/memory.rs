//! How much memory of the server a waiting job takes.

use std::sync::Arc;

use async_trait::async_trait;

use super::floor::Floor;
use super::ours::{Kind, Ours};
use crate::Result;
use crate::contest::{Contestant, Plan};
use crate::model::{Sample, Settings, Target, Tier};
use crate::payload::SMALL;
use crate::server::Bed;
use crate::statistics::count;

pub(crate) const SCENARIO: &str = "memory";
const FIGURE: &str = "bytes a job beyond its payload";
const ROUNDS: usize = 3;

/// Jobs that are there before, so that nothing is counted that comes once.
const WARM_UP: u64 = 1_000;

/// The contest.
pub(crate) fn plan(bed: &Arc<Bed>, settings: &Settings) -> Plan {
    let jobs = settings.size(100_000);
    let adding = |what| Adding { bed: bed.clone(), what, jobs };
    let about = format!(
        "The growth of `used_memory` by {jobs} waiting jobs of {SMALL} B, after {WARM_UP} others. \
         The unique key has {} bytes.",
        Kind::KEY_BYTES
    );
    let (plain, unique) = ("kv-queue", "kv-queue, unique keys");
    let most = 400.0 + 2.0 * count(Kind::KEY_BYTES);
    Plan::new(SCENARIO, "memory of waiting jobs", &about, FIGURE)
        .enter(
            "floor",
            Tier::CrashSafe,
            "a member of a sorted set, a field of a hash",
            adding(None),
        )
        .enter(plain, Tier::Fenced, "`enqueue_many`", adding(Some(Kind::Plain)))
        .enter(unique, Tier::Fenced, "`enqueue_many`, a key each", adding(Some(Kind::Unique)))
        .floor("floor")
        .target(Target::at_most(250.0, plain, FIGURE))
        .target(Target::at_most(most, unique, FIGURE))
        .at_most_rounds(ROUNDS)
}

/// Adds jobs to the library's queue, or to the floor.
struct Adding {
    bed: Arc<Bed>,
    what: Option<Kind>,
    jobs: u64,
}

#[async_trait]
impl Contestant for Adding {
    async fn turn(&mut self) -> Result<Sample> {
        self.bed.clear()?;
        let grown = match self.what {
            Some(kind) => {
                let ours = Ours::open(&self.bed.url()).await?;
                ours.add(kind, 1, WARM_UP, SMALL).await?;
                let before = self.bed.usage()?;
                ours.add(kind, WARM_UP + 1, self.jobs, SMALL).await?;
                self.bed.usage()?.memory_bytes - before.memory_bytes
            }
            None => {
                let floor = Floor::connect(self.bed.port()).await?;
                floor.fill(WARM_UP, SMALL).await?;
                let before = self.bed.usage()?;
                floor.fill(self.jobs, SMALL).await?;
                self.bed.usage()?.memory_bytes - before.memory_bytes
            }
        };
        let each = grown / count(usize::try_from(self.jobs)?);
        Ok(Sample::from([(FIGURE.to_owned(), each - count(SMALL))]))
    }
}
