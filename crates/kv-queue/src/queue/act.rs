//! Actions on jobs that an operator names: by their ids, or by what they have in common.

use std::collections::BTreeMap;
use std::time::Duration;

use kv_core::queue::{Control, Counts, JobKey, MAX_BATCH, Partition, State};
use kv_core::{Error, ErrorKind, Result};

use super::handle::Queue;
use super::job::JobId;
use super::look::JobFilter;
use super::operate::sum;
use super::which::{Redrive, Which};

/// How many requests a round of a redrive sends at most.
const ROUND: usize = 1_000;

/// After how many rounds of a redrive that left as many dead letters as there were before it gives
/// up: jobs that die as fast as they are redriven would keep it busy for ever.
const STALLED: usize = 50;

impl<T> Queue<T> {
    /// Cancels jobs. Waiting jobs and dead letters are removed. A handler in a worker of this
    /// process is dropped at its next await. In another process the next renewal or verb except
    /// `ack` finds the job cancelled; an `ack` counts the job as done. The key of
    /// [`unique_while_live`](crate::Job::unique_while_live) is free at once. Returns how many of
    /// these jobs existed.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use kv_queue::{Job, JobFilter, Queue, State};
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// # let store = kv_core::Store::new(kv_memory::MemoryStore::new());
    /// let queue = Queue::<u32>::open(&store, "mail").await?;
    /// let first = queue.enqueue(1).await?.id();
    /// queue.enqueue_many((2..9).map(|n| Job::new(n).delay(Duration::from_secs(60)))).await?;
    /// assert_eq!(queue.cancel(first).await?, 1);
    /// assert_eq!(queue.cancel((State::Delayed, JobFilter::new())).await?, 7);
    /// # Ok::<(), kv_core::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// `InvalidKey` for an id of another queue; those of the store, after which some of the jobs may
    /// be cancelled.
    pub async fn cancel(&self, jobs: impl Into<Which>) -> Result<u64> {
        self.act("cancel", jobs.into(), |keys| Control::Cancel { keys }).await
    }

    /// Removes dead letters, and done jobs that are kept; jobs in other states stay. Returns how many
    /// were removed.
    ///
    /// # Errors
    /// `InvalidKey` for an id of another queue; those of the store, after which some of the jobs may
    /// be removed.
    pub async fn discard(&self, jobs: impl Into<Which>) -> Result<u64> {
        self.act("discard", jobs.into(), |keys| Control::Discard { keys }).await
    }

    /// Makes delayed jobs claimable at once, whatever they waited for; a group's limits still count.
    /// Jobs in other states stay as they are. Returns how many jobs were delayed.
    ///
    /// # Errors
    /// `InvalidKey` for an id of another queue; those of the store, after which some of the jobs may
    /// be claimable.
    pub async fn run_now(&self, jobs: impl Into<Which>) -> Result<u64> {
        let delay = Duration::ZERO;
        self.act("run now", jobs.into(), |keys| Control::Reschedule { keys, delay }).await
    }

    /// Lets waiting jobs, ready or delayed, wait this long from now by the store's clock. Jobs in
    /// other states stay as they are. Returns how many jobs waited.
    ///
    /// # Errors
    /// `InvalidKey` for an id of another queue; those of the store, after which some of the jobs may
    /// be moved.
    pub async fn reschedule(&self, jobs: impl Into<Which>, delay: Duration) -> Result<u64> {
        self.act("reschedule", jobs.into(), |keys| Control::Reschedule { keys, delay }).await
    }

    /// Makes dead letters ready again, with fresh budgets: [jobs](Which), or up to a number of them,
    /// the oldest of each partition first, and all of one partition before the next. Returns how
    /// many: with a number, no more than there were when the call began.
    ///
    /// # Errors
    /// `InvalidKey` for an id of another queue; those of the store, after which some of the dead
    /// letters may be redriven. `Conflict` if other jobs die as fast as these are redriven.
    pub async fn redrive(&self, letters: impl Into<Redrive>) -> Result<u64> {
        match letters.into() {
            Redrive::Oldest(limit) => self.redrive_oldest(limit).await,
            Redrive::Jobs(jobs) => self.redrive_jobs(jobs).await,
        }
    }

    /// Makes these dead letters ready again, with fresh budgets. Returns how many were redriven.
    ///
    /// # Errors
    /// As [`redrive`](Self::redrive).
    pub async fn redrive_jobs(&self, jobs: impl Into<Which>) -> Result<u64> {
        let make = |keys: Vec<JobKey>| Control::Redrive { limit: keys.len(), keys };
        self.act("redrive", jobs.into(), make).await
    }

    async fn redrive_oldest(&self, limit: usize) -> Result<u64> {
        let counts = async || self.all_counts().await.map_err(|error| error.operation("redrive"));
        let mut counted = counts().await?;
        // What dies meanwhile may die of the same thing again and again.
        let wanted = limit.min(usize::try_from(sum(&counted).dead).unwrap_or(usize::MAX));
        let (mut left, mut stalled) = (wanted, 0);
        loop {
            let effect = |error: Error| if left < wanted { error.maybe_applied() } else { error };
            let round = self.control_each("redrive", self.shares(&counted, left)).await;
            let redriven = usize::try_from(round.map_err(effect)?).unwrap_or(left);
            left = left.saturating_sub(redriven);
            if left == 0 || redriven == 0 {
                return Ok((wanted - left) as u64);
            }
            // Some went meanwhile that were counted, or there are more than a round takes.
            let before = sum(&counted).dead;
            counted = counts().await.map_err(Error::maybe_applied)?;
            stalled += usize::from(sum(&counted).dead >= before);
            if stalled == STALLED {
                return Err(stall(sum(&counted).dead));
            }
        }
    }

    /// Requests that together redrive up to this many dead letters, in each partition at most as
    /// many as were counted there; the first [`ROUND`] of them.
    fn shares(&self, counts: &[Counts], mut left: usize) -> Vec<(&Partition, Control)> {
        let mut requests = Vec::new();
        for (partition, counts) in self.partitions().zip(counts) {
            let mut dead = usize::try_from(counts.dead).unwrap_or(usize::MAX);
            while dead.min(left) > 0 && requests.len() < ROUND {
                let limit = dead.min(left).min(MAX_BATCH);
                requests.push((partition, Control::Redrive { keys: Vec::new(), limit }));
                (dead, left) = (dead - limit, left - limit);
            }
        }
        requests
    }

    async fn act(
        &self,
        verb: &'static str,
        which: Which,
        make: impl Fn(Vec<JobKey>) -> Control,
    ) -> Result<u64> {
        let (state, filter) = match which {
            Which::Jobs(jobs) => return self.act_on(verb, &jobs, &make).await,
            Which::All(state, filter) => (state, filter),
        };
        let mut filter = JobFilter { limit: MAX_BATCH, ..filter };
        // No more than there are now: others may come as fast as these go.
        let mut left = self.jobs_in(verb, state).await?;
        let mut affected = 0;
        loop {
            let part = |error: Error| if affected > 0 { error.maybe_applied() } else { error };
            let page = self.page(state, &filter).await;
            let page = page.map_err(|error| part(error.operation(verb)))?;
            let jobs: Vec<_> = page.jobs.iter().map(|job| job.id).take(left).collect();
            left -= jobs.len();
            affected += self.act_on(verb, &jobs, &make).await.map_err(part)?;
            match page.next {
                // A place stays where it is when the jobs before it are gone.
                Some(next) if left > 0 => filter.after = Some(next),
                _ => return Ok(affected),
            }
        }
    }

    /// How many jobs are in a state; for kept ones, which nobody counts, as many as can be.
    async fn jobs_in(&self, verb: &'static str, state: State) -> Result<usize> {
        let counts = self.all_counts().await.map_err(|error| error.operation(verb))?;
        let counts = sum(&counts);
        let jobs = match state {
            State::Ready => counts.ready,
            State::Delayed => counts.timed,
            State::Running => counts.leased,
            State::Dead => counts.dead,
            State::Done => counts.done,
        };
        Ok(usize::try_from(jobs).unwrap_or(usize::MAX))
    }

    async fn act_on(
        &self,
        verb: &'static str,
        jobs: &[JobId],
        make: &impl Fn(Vec<JobKey>) -> Control,
    ) -> Result<u64> {
        let mut by_partition: BTreeMap<u32, Vec<JobKey>> = BTreeMap::new();
        for job in jobs {
            self.connection().partition(job.partition).map_err(|error| error.operation(verb))?;
            by_partition.entry(job.partition).or_default().push(job.key);
        }
        let (mut requests, mut cancels) = (Vec::new(), false);
        for (number, keys) in by_partition {
            let partition = self.connection().partition(number)?;
            for keys in keys.chunks(MAX_BATCH) {
                let control = make(keys.to_vec());
                cancels |= matches!(control, Control::Cancel { .. });
                requests.push((partition, control));
            }
        }
        let affected = self.control_each(verb, requests).await?;
        if cancels {
            self.requests().cancelled(jobs.iter().map(|job| (job.partition, job.key)));
        }
        Ok(affected)
    }
}

fn stall(dead: u64) -> Error {
    let message = format!(
        "after each of {STALLED} rounds as many dead letters were there as before it, now {dead}; \
         expected fewer"
    );
    Error::new(ErrorKind::Conflict, message).operation("redrive").maybe_applied()
}
