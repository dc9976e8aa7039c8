//! The queue as an operator uses it: counting, pausing, cancelling, clearing, deleting.
//!
//! Every verb is about the whole queue, and asks its partitions side by side.

use std::collections::BTreeMap;

use futures_util::stream::{self, StreamExt, TryStreamExt};
use kv_core::queue::{
    Control, Controlled, Counts, Inspect, Inspected, JobKey, MAX_BATCH, Partition, Peeked,
};
use kv_core::{Error, ErrorKind, Result};
use serde::de::DeserializeOwned;

use super::agreement;
use super::handle::Queue;
use super::job::JobId;
use super::pace::Pace;

/// How many partitions are asked at once.
const AT_ONCE: usize = 64;

impl<T> Queue<T> {
    /// How many jobs wait: those that can run now and those that wait for a time.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn size(&self) -> Result<u64> {
        let stats = self.stats().await?;
        Ok(stats.ready + stats.timed)
    }

    /// How many jobs are where, summed over the partitions, each counted in one step.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn stats(&self) -> Result<Counts> {
        Ok(sum(&self.all_counts().await?))
    }

    /// Whether everything is done: no job is ready, delayed or in flight in any partition.
    ///
    /// Jobs that submit others before they are settled cannot hide: across partitions, all are
    /// seen empty twice, with nothing added in between. Producers outside the jobs say
    /// themselves when they are done. Dead letters do not count.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn drained(&self) -> Result<bool> {
        Ok(self.outstanding().await?.is_none())
    }

    /// The counts of each partition, or `None` if everything is done.
    pub(crate) async fn outstanding(&self) -> Result<Option<Vec<Counts>>> {
        let counts = self.all_counts().await?;
        // One partition is one atomic look.
        if sum(&counts).outstanding() > 0 || counts.len() == 1 {
            return Ok(Some(counts).filter(|counts| sum(counts).outstanding() > 0));
        }
        let again = self.all_counts().await?;
        let (first, second) = (sum(&counts), sum(&again));
        let is_done = second.outstanding() == 0 && second.entered == first.entered;
        Ok(Some(again).filter(|_| !is_done))
    }

    /// Stops deliveries, in all processes, until [`resume`](Self::resume); running jobs go on.
    ///
    /// # Errors
    /// Those of the store; some partitions may be paused then.
    pub async fn pause(&self) -> Result<()> {
        self.control_all("pause", Control::Pause).await.map(drop)
    }

    /// Ends a pause.
    ///
    /// # Errors
    /// Those of the store; some partitions may still be paused then.
    pub async fn resume(&self) -> Result<()> {
        self.control_all("resume", Control::Resume).await.map(drop)
    }

    /// Removes everything: jobs of every state, dead letters, unique keys. Running jobs find
    /// their lease lost. Returns how many jobs were removed.
    ///
    /// It removes as many jobs as were there when it began, so it ends beside producers, too: what
    /// they add meanwhile may stay, and the unique keys of a partition that is not empty then.
    ///
    /// # Errors
    /// Those of the store; some partitions may be cleared then.
    ///
    /// # Cancel safety
    /// A dropped future may have cleared some partitions; calling it again clears the rest.
    pub async fn clear(&self) -> Result<u64> {
        let counts = self.all_counts().await.map_err(|error| error.operation("clear"))?;
        let partitions: Vec<_> =
            self.partitions().zip(&counts).map(|(it, counts)| self.purge(it, counts)).collect();
        let mut purged = stream::iter(partitions).buffer_unordered(AT_ONCE);
        let mut affected = 0;
        while let Some(purged) = purged.try_next().await? {
            affected += purged;
        }
        Ok(affected)
    }

    /// Purges a partition, at least of what these counts tell of.
    async fn purge(&self, partition: &Partition, counts: &Counts) -> Result<u64> {
        let (there, mut affected) = (counts.outstanding() + counts.dead, 0);
        loop {
            let purge = Control::Purge { limit: MAX_BATCH };
            let done = self.control("clear", partition, purge).await?;
            affected += done.affected as u64;
            if !done.more || affected > there {
                return Ok(affected);
            }
        }
    }

    /// Removes the queue whole: its jobs, its keys, its number of partitions. Closes this handle
    /// and its clones.
    ///
    /// Nobody else should have it open: what another handle writes later would bring a part of it
    /// back.
    ///
    /// # Errors
    /// Those of the store, a part may be removed then; `Unsupported` on a store whose engine
    /// cannot remove queues.
    ///
    /// # Cancel safety
    /// A dropped future may have removed a part; opening the queue and deleting it again removes
    /// the rest.
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

    /// Cancels jobs: those that wait and dead letters are removed. Those that run are told at
    /// once by a worker of this process, else by their next verdict; their key of
    /// [`unique_while_live`](crate::Job::unique_while_live) is free at once. Returns how many were
    /// there.
    ///
    /// # Errors
    /// `InvalidKey` for an id of another queue; those of the store.
    pub async fn cancel(&self, jobs: &[JobId]) -> Result<u64> {
        let affected = self.control_jobs("cancel", jobs, |keys| Control::Cancel { keys }).await?;
        self.requests().cancelled(jobs.iter().map(|job| (job.partition, job.key)));
        Ok(affected)
    }

    /// Removes these dead letters; jobs in other states are left alone. Returns how many were
    /// there.
    ///
    /// # Errors
    /// `InvalidKey` for an id of another queue; those of the store.
    pub async fn discard(&self, jobs: &[JobId]) -> Result<u64> {
        self.control_jobs("discard", jobs, |keys| Control::Discard { keys }).await
    }

    /// Makes up to `limit` dead letters of the queue claimable again, with fresh budgets: the
    /// oldest of each partition first, and all of one partition before the next. Returns how many:
    /// no more than were there when it began.
    ///
    /// # Errors
    /// Those of the store; a part may be redriven then.
    pub async fn redrive(&self, limit: usize) -> Result<u64> {
        let counts = async || self.all_counts().await.map_err(|error| error.operation("redrive"));
        let mut counted = counts().await?;
        // What dies meanwhile may die of the same thing again and again.
        let wanted = limit.min(usize::try_from(sum(&counted).dead).unwrap_or(usize::MAX));
        let mut left = wanted;
        loop {
            let effect = |error: Error| if left < wanted { error.maybe_applied() } else { error };
            let round = self.control_each("redrive", self.shares(&counted, left)).await;
            let redriven = usize::try_from(round.map_err(effect)?).unwrap_or(left);
            left = left.saturating_sub(redriven);
            if left == 0 || redriven == 0 {
                return Ok((wanted - left) as u64);
            }
            // Some went meanwhile that were counted.
            counted = counts().await.map_err(Error::maybe_applied)?;
        }
    }

    /// Requests that redrive up to so many dead letters together, as many in each partition as
    /// were counted there.
    fn shares(&self, counts: &[Counts], mut left: usize) -> Vec<(&Partition, Control)> {
        let mut requests = Vec::new();
        for (partition, counts) in self.partitions().zip(counts) {
            let mut dead = usize::try_from(counts.dead).unwrap_or(usize::MAX);
            while dead.min(left) > 0 {
                let limit = dead.min(left).min(MAX_BATCH);
                requests.push((partition, Control::Redrive { keys: Vec::new(), limit }));
                (dead, left) = (dead - limit, left - limit);
            }
        }
        requests
    }

    /// Makes these dead letters claimable again, with fresh budgets. Returns how many were there.
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

    /// Those of some partitions that have jobs which wait or run, or of which that is not known.
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

    async fn counts(&self, partition: &Partition) -> Result<Counts> {
        match self.inspect("stats", partition, Inspect::Counts).await? {
            Inspected::Counts(counts) => Ok(counts),
            _ => Err(unexpected()),
        }
    }

    fn partitions(&self) -> impl Iterator<Item = &Partition> {
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
        // Sent once: a redrive that is repeated would redrive more than it was asked for.
        let answer = connection.once(connection.engine.control(partition, request)).await;
        answer.map_err(|error| error.operation(verb))
    }

    /// The same in every partition; how many jobs were changed.
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

    /// Requests side by side; how many jobs were changed. After an error, those that were not
    /// begun are left.
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

impl<T: DeserializeOwned> Queue<T> {
    /// The payloads of up to `n` jobs that could run now, of each partition those that would be
    /// delivered next, without taking them. One that does not decode is left out.
    ///
    /// # Errors
    /// Those of the store; `Serialization` if there are jobs and none of them is a `T`.
    pub async fn peek(&self, n: usize) -> Result<Vec<T>> {
        let (mut payloads, mut wrong, mut pace) = (Vec::new(), None, Pace::default());
        for partition in self.outstanding_among(self.partitions()).await {
            let mut after = None;
            while payloads.len() < n {
                let jobs = self.peek_page(partition, after, n - payloads.len()).await?;
                let Some(last) = jobs.last() else { break };
                after = Some(last.key);
                for job in jobs {
                    pace.handled(job.body.len()).await;
                    match self.connection().serializer().decode(&job.body) {
                        Ok(payload) => payloads.push(payload),
                        Err(error) => {
                            let id = JobId { partition: partition.number, key: job.key };
                            wrong.get_or_insert_with(|| error.key(&id.to_string()));
                        }
                    }
                }
            }
        }
        match wrong {
            Some(error) if payloads.is_empty() && n > 0 => Err(error.operation("peek")),
            _ => Ok(payloads),
        }
    }

    async fn peek_page(
        &self,
        partition: &Partition,
        after: Option<JobKey>,
        limit: usize,
    ) -> Result<Vec<Peeked>> {
        let (limit, bytes) = (limit.min(MAX_BATCH), self.connection().request_bytes());
        let request = Inspect::Peek { after, limit, bytes };
        match self.inspect("peek", partition, request).await? {
            Inspected::Jobs(jobs) => Ok(jobs),
            _ => Err(unexpected()),
        }
    }
}

fn sum(counts: &[Counts]) -> Counts {
    let mut sum = Counts::default();
    counts.iter().for_each(|one| sum += *one);
    sum
}

pub(super) fn unexpected() -> Error {
    Error::new(ErrorKind::Backend, "the engine answered another question")
}
