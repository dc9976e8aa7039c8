//! Work on a server as a contestant: prepared, done and checked in each turn on an empty server.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use kv_core::{Clock, SystemClock};

use crate::Result;
use crate::contest::Contestant;
use crate::model::Sample;
use crate::server::Bed;
use crate::statistics::count;

/// The figure of most contests.
pub(crate) const JOBS_A_SECOND: &str = "jobs/s";

/// How many jobs show that a contestant does what it should.
const PROOF: u64 = 1_000;

/// Something that is done a number of times, to jobs unless it says so.
#[async_trait]
pub(crate) trait Work: Send + Sync {
    /// What is prepared for one turn.
    type Ready: Send;

    /// How often it is done in a second.
    fn figure(&self) -> &'static str {
        JOBS_A_SECOND
    }

    /// Whether what is done takes up memory of the server.
    fn takes_memory(&self) -> bool {
        false
    }

    /// Gets everything ready that is not measured.
    async fn prepare(&self, bed: &Bed, jobs: u64) -> Result<Self::Ready>;

    /// Does what is measured; how long it took, if it was measured by another process.
    async fn run(&self, ready: &mut Self::Ready) -> Result<Option<Duration>>;

    /// Fails unless each job was done once.
    async fn check(&self, bed: &Bed, ready: Self::Ready, jobs: u64) -> Result<()>;
}

/// A contestant who does a work to so many jobs a turn.
pub(crate) struct Turns<W> {
    bed: Arc<Bed>,
    work: W,
    jobs: u64,
}

impl<W: Work> Turns<W> {
    pub(crate) fn new(bed: &Arc<Bed>, work: W, jobs: u64) -> Self {
        Self { bed: bed.clone(), work, jobs }
    }

    async fn play(&self, jobs: u64) -> Result<Sample> {
        self.bed.clear()?;
        let mut ready = self.work.prepare(&self.bed, jobs).await?;
        self.bed.command(&["CONFIG", "RESETSTAT"])?;
        let before = self.bed.usage()?;
        let clock = SystemClock::new();
        let measured = self.work.run(&mut ready).await?;
        let took = measured.unwrap_or_else(|| clock.now());
        let after = self.bed.usage()?;
        self.work.check(&self.bed, ready, jobs).await?;
        let jobs = count(usize::try_from(jobs)?);
        let grown = (after.memory_bytes - before.memory_bytes) / jobs;
        let mut sample = after.since(&before, jobs);
        if self.work.takes_memory() {
            sample.insert("bytes in memory".to_owned(), grown);
        }
        sample.insert(self.work.figure().to_owned(), jobs / took.as_secs_f64());
        Ok(sample)
    }
}

#[async_trait]
impl<W: Work> Contestant for Turns<W> {
    async fn turn(&mut self) -> Result<Sample> {
        self.play(self.jobs).await
    }

    async fn prove(&mut self) -> Result<()> {
        self.play(PROOF.min(self.jobs)).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Loses the last job.
    struct Careless;

    #[async_trait]
    impl Work for Careless {
        type Ready = u64;

        async fn prepare(&self, _: &Bed, _: u64) -> Result<u64> {
            Ok(0)
        }

        async fn run(&self, done: &mut u64) -> Result<Option<Duration>> {
            *done = 9;
            Ok(None)
        }

        async fn check(&self, _: &Bed, done: u64, jobs: u64) -> Result<()> {
            if done == jobs { Ok(()) } else { Err(format!("{done} of {jobs}").into()) }
        }
    }

    #[tokio::test]
    async fn a_turn_whose_work_was_not_all_done_has_no_figure() {
        let bed = Arc::new(Bed::start().unwrap());
        let mut turns = Turns::new(&bed, Careless, 10);
        assert_eq!(turns.turn().await.unwrap_err().to_string(), "9 of 10");
        assert!(turns.prove().await.is_err());
        turns.jobs = 9;
        let sample = turns.turn().await.unwrap();
        assert!(sample.get(JOBS_A_SECOND).is_some_and(|rate| *rate > 0.0), "{sample:?}");
    }
}
