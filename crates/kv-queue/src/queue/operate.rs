//! The queue as an operator uses it: counting, pausing, cancelling, clearing, deleting.
//!
//! Every verb covers the whole queue, and asks up to 64 partitions at a time.

use std::collections::BTreeMap;

use futures_util::stream::{self, StreamExt, TryStreamExt};
use kv_core::queue::{
    Control, Controlled, Counts, Inspect, Inspected, JobKey, MAX_BATCH, Partition,
};
use kv_core::{Error, ErrorKind, Result};

use super::agreement;
use super::handle::Queue;
use super::job::JobId;

/// How many partitions a verb asks at once.
const AT_ONCE: usize = 64;

/// How many requests a round of a redrive sends at most.
const ROUND: usize = 1_000;

/// After how many rounds of a redrive that left as many dead letters as there were before it gives
/// up: jobs that die as fast as they are redriven would keep it busy for ever.
const STALLED: usize = 50;

impl<T> Queue<T> {
    /// How many jobs wait: the ready and the timed jobs.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn size(&self) -> Result<u64> {
        let stats = self.stats().await?;
        Ok(stats.ready + stats.timed)
    }

    /// The number of jobs in each state, summed over the partitions. Each partition is counted in
    /// one atomic step.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn stats(&self) -> Result<Counts> {
        Ok(sum(&self.all_counts().await?))
    }

    /// Whether everything is done: no job is ready, timed or leased in any partition.
    ///
    /// A job that enqueues another job before it is settled cannot hide: `drained` must see all
    /// partitions empty twice, with no job added in between. A producer outside the queue's jobs
    /// must announce its own end. Dead letters do not count.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn drained(&self) -> Result<bool> {
        Ok(self.outstanding().await?.is_none())
    }

    /// The counts of each partition, or `None` if everything is done.
    pub(crate) async fn outstanding(&self) -> Result<Option<Vec<Counts>>> {
        let counts = self.all_counts().await?;
        // A single partition is read in one atomic step.
        if sum(&counts).outstanding() > 0 || counts.len() == 1 {
            return Ok(Some(counts).filter(|counts| sum(counts).outstanding() > 0));
        }
        let again = self.all_counts().await?;
        let (first, second) = (sum(&counts), sum(&again));
        let is_done = second.outstanding() == 0 && second.entered == first.entered;
        Ok(Some(again).filter(|_| !is_done))
    }

    /// Stops deliveries in all processes until [`resume`](Self::resume). Running jobs go on.
    ///
    /// # Errors
    /// Those of the store; after an error some partitions may be paused.
    pub async fn pause(&self) -> Result<()> {
        self.control_all("pause", Control::Pause).await.map(drop)
    }

    /// Ends a pause.
    ///
    /// # Errors
    /// Those of the store; after an error some partitions may still be paused.
    pub async fn resume(&self) -> Result<()> {
        self.control_all("resume", Control::Resume).await.map(drop)
    }

    /// Removes all jobs, dead letters and unique keys. Running jobs lose their leases. Returns how
    /// many jobs were removed.
    ///
    /// Each partition is cleared in one step, however many jobs it has, so `clear` ends beside fast
    /// producers. Jobs that a producer adds afterwards stay, with their unique keys.
    ///
    /// # Errors
    /// Those of the store; after an error some partitions may be cleared.
    ///
    /// # Cancel safety
    /// A dropped future may have cleared some partitions; calling it again clears the rest.
    pub async fn clear(&self) -> Result<u64> {
        self.control_all("clear", Control::Purge).await
    }

    /// Removes the whole queue: its jobs, its keys, its number of partitions. Closes this handle
    /// and its clones.
    ///
    /// No other handle should have the queue open: a later write of that handle brings a part of
    /// the queue back.
    ///
    /// # Errors
    /// Those of the store, after which a part of the queue may be removed; `Unsupported` if the
    /// store's engine cannot remove queues.
    ///
    /// # Cancel safety
    /// A dropped future may have removed a part of the queue. Open the queue and delete it again to
    /// remove the rest.
    pub async fn delete(&self) -> Result<()> {
        let connection = self.connection();
        connection.check_open().map_err(|error| error.operation("delete"))?;
        self.requests().close();
        let Some(queue) = connection.partitions.first().map(|partition| &partition.queue) else {
            return Ok(());
        };
        let count = u32::try_from(connection.partitions.len()).unwrap_or(u32::MAX);
        let removed = connection.write(|| connection.engine.remove(queue, count)).await;
        removed.map_err(|error| error.operation("delete"))?;
        let forgotten = agreement::forget(connection.store(), &connection.settings.name).await;
        forgotten.map_err(|error| error.operation("delete").maybe_applied())
    }

    /// Cancels jobs. Waiting jobs and dead letters are removed. A handler in a worker of this
    /// process is dropped at its next await. In another process the next renewal or verb except
    /// `ack` finds the job cancelled; an `ack` counts the job as done. The key of
    /// [`unique_while_live`](crate::Job::unique_while_live) is free at once. Returns how many of
    /// these jobs existed.
    ///
    /// # Errors
    /// `InvalidKey` for an id of another queue; those of the store.
    pub async fn cancel(&self, jobs: &[JobId]) -> Result<u64> {
        let affected = self.control_jobs("cancel", jobs, |keys| Control::Cancel { keys }).await?;
        self.requests().cancelled(jobs.iter().map(|job| (job.partition, job.key)));
        Ok(affected)
    }

    /// Removes these dead letters; jobs in other states stay. Returns how many were removed.
    ///
    /// # Errors
    /// `InvalidKey` for an id of another queue; those of the store.
    pub async fn discard(&self, jobs: &[JobId]) -> Result<u64> {
        self.control_jobs("discard", jobs, |keys| Control::Discard { keys }).await
    }

    /// Makes up to `limit` dead letters of the queue ready again, with fresh budgets: the oldest of
    /// each partition first, and all of one partition before the next. Returns how many: no more
    /// than there were when the call began.
    ///
    /// # Errors
    /// Those of the store; after an error some of the dead letters may be redriven. `Conflict` if
    /// other jobs die as fast as these are redriven.
    pub async fn redrive(&self, limit: usize) -> Result<u64> {
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

    /// Makes these dead letters ready again, with fresh budgets. Returns how many were redriven.
    ///
    /// # Errors
    /// `InvalidKey` for an id of another queue; those of the store.
    pub async fn redrive_jobs(&self, jobs: &[JobId]) -> Result<u64> {
        self.control_jobs("redrive", jobs, |keys| {
            let limit = keys.len();
            Control::Redrive { keys, limit }
        })
        .await
    }

    pub(super) async fn all_counts(&self) -> Result<Vec<Counts>> {
        let counts: Vec<_> = self.partitions().map(|partition| self.counts(partition)).collect();
        stream::iter(counts).buffered(AT_ONCE).try_collect().await
    }

    /// The given partitions that have ready, timed or leased jobs, or that could not be counted.
    pub(super) async fn outstanding_among<'a>(
        &'a self,
        partitions: impl Iterator<Item = &'a Partition>,
    ) -> Vec<&'a Partition> {
        let asked: Vec<_> = partitions
            .map(async |partition| match self.counts(partition).await {
                Ok(counts) if counts.outstanding() == 0 => None,
                _ => Some(partition),
            })
            .collect();
        stream::iter(asked).buffered(AT_ONCE).filter_map(std::future::ready).collect().await
    }

    pub(super) async fn counts(&self, partition: &Partition) -> Result<Counts> {
        match self.inspect("stats", partition, Inspect::Counts).await? {
            Inspected::Counts(counts) => Ok(counts),
            _ => Err(unexpected()),
        }
    }

    pub(super) fn partitions(&self) -> impl Iterator<Item = &Partition> {
        self.connection().partitions.iter()
    }

    pub(super) async fn inspect(
        &self,
        verb: &'static str,
        partition: &Partition,
        request: Inspect,
    ) -> Result<Inspected> {
        let connection = self.connection();
        connection.check_open().map_err(|error| error.operation(verb))?;
        let answer = connection.read(|| connection.engine.inspect(partition, request)).await;
        answer.map_err(|error| error.operation(verb))
    }

    async fn control(
        &self,
        verb: &'static str,
        partition: &Partition,
        request: Control,
    ) -> Result<Controlled> {
        let connection = self.connection();
        connection.check_open().map_err(|error| error.operation(verb))?;
        // Sent once: a repeated redrive would redrive more letters than asked for.
        let answer = connection.once(connection.engine.control(partition, request)).await;
        answer.map_err(|error| error.operation(verb))
    }

    /// Sends the same request to every partition; returns how many jobs were changed.
    async fn control_all(&self, verb: &'static str, control: Control) -> Result<u64> {
        let requests = self.partitions().map(|partition| (partition, control.clone()));
        self.control_each(verb, requests).await
    }

    async fn control_jobs(
        &self,
        verb: &'static str,
        jobs: &[JobId],
        make: impl Fn(Vec<JobKey>) -> Control,
    ) -> Result<u64> {
        let mut by_partition: BTreeMap<u32, Vec<JobKey>> = BTreeMap::new();
        for job in jobs {
            self.connection().partition(job.partition).map_err(|error| error.operation(verb))?;
            by_partition.entry(job.partition).or_default().push(job.key);
        }
        let mut requests = Vec::new();
        for (number, keys) in by_partition {
            let partition = self.connection().partition(number)?;
            requests.extend(keys.chunks(MAX_BATCH).map(|keys| (partition, make(keys.to_vec()))));
        }
        self.control_each(verb, requests).await
    }

    /// Sends requests side by side; returns how many jobs were changed. After an error no further
    /// request begins.
    async fn control_each<'a>(
        &self,
        verb: &'static str,
        requests: impl IntoIterator<Item = (&'a Partition, Control)>,
    ) -> Result<u64> {
        let requests = requests.into_iter();
        let sent: Vec<_> =
            requests.map(|(partition, control)| self.control(verb, partition, control)).collect();
        let mut done = stream::iter(sent).buffer_unordered(AT_ONCE);
        let mut affected = 0;
        while let Some(done) = done.try_next().await? {
            affected += done.affected as u64;
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

fn sum(counts: &[Counts]) -> Counts {
    let mut sum = Counts::default();
    counts.iter().for_each(|one| sum += *one);
    sum
}

pub(super) fn unexpected() -> Error {
    Error::new(ErrorKind::Backend, "the engine answered another question")
}

/// An error: a page that was asked for after a job has that very job, so a walk would never end.
pub(super) fn no_further(job: JobId) -> Error {
    let message = format!("the engine shows job {job} again after itself; expected what follows");
    Error::new(ErrorKind::Backend, message)
}
