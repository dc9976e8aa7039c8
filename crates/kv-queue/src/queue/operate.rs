//! The queue as an operator uses it: looking, clearing, dead letters.

use std::time::Duration;

use bytes::Bytes;
use kv_core::queue::{
    Control, Controlled, Counts, Inspect, Inspected, JobKey, MAX_BATCH, Partition,
};
use kv_core::{Error, ErrorKind, Result};
use serde::de::DeserializeOwned;

use super::handle::Queue;
use super::job::JobId;

/// A job that failed for good, as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeadJob {
    /// Which.
    pub id: JobId,
    /// Its payload as stored, whether or not it decodes.
    pub payload: Bytes,
    /// Why it died.
    pub reason: String,
    /// Its failures since its progress last advanced.
    pub failures: u32,
    /// Its leases that ended unsettled.
    pub crashes: u32,
    /// Its deliveries.
    pub deliveries: u32,
    /// When it died, by the store's clock: time since 1970-01-01T00:00:00Z.
    pub died: Duration,
}

impl<T> Queue<T> {
    /// How many jobs wait: those that can run now and those that wait for a time.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn size(&self) -> Result<u64> {
        let stats = self.stats().await?;
        Ok(stats.ready + stats.timed)
    }

    /// How many jobs are where, summed over the partitions, which are looked at in turn.
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
        self.control_all("pause", || Control::Pause).await.map(drop)
    }

    /// Ends a pause.
    ///
    /// # Errors
    /// Those of the store; some partitions may still be paused then.
    pub async fn resume(&self) -> Result<()> {
        self.control_all("resume", || Control::Resume).await.map(drop)
    }

    /// Removes everything: jobs of every state, dead letters, unique keys. Running jobs find
    /// their lease lost. Returns how many jobs were removed.
    ///
    /// # Errors
    /// Those of the store; a part may be removed then.
    ///
    /// # Cancel safety
    /// A dropped future may have removed a part; calling it again removes the rest.
    pub async fn clear(&self) -> Result<u64> {
        self.control_all("clear", || Control::Purge { limit: MAX_BATCH }).await
    }

    /// Cancels jobs: those that wait are removed, those that run are told by their next verdict.
    /// Returns how many were there.
    ///
    /// # Errors
    /// `InvalidKey` for an id of another queue; those of the store.
    pub async fn cancel(&self, jobs: &[JobId]) -> Result<u64> {
        self.control_jobs("cancel", jobs, |keys| Control::Cancel { keys }).await
    }

    /// Makes up to `limit` dead letters of each partition claimable again, the oldest first,
    /// with fresh budgets. Returns how many.
    ///
    /// # Errors
    /// Those of the store; a part may be redriven then.
    pub async fn redrive(&self, limit: usize) -> Result<u64> {
        let mut redriven = 0;
        for partition in &self.connection().partitions {
            let mut left = limit;
            while left > 0 {
                let limit = left.min(MAX_BATCH);
                let control = Control::Redrive { keys: Vec::new(), limit };
                let done = self.control("redrive", partition, control).await;
                let done = done
                    .map_err(|error| if redriven == 0 { error } else { error.maybe_applied() })?;
                redriven += done.affected as u64;
                left -= limit;
                if !done.more {
                    break;
                }
            }
        }
        Ok(redriven)
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

    /// Up to `limit` dead letters, the oldest of each partition first.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn dead_letters(&self, limit: usize) -> Result<Vec<DeadJob>> {
        let mut letters = Vec::new();
        for partition in &self.connection().partitions {
            let mut after: Option<JobKey> = None;
            while letters.len() < limit {
                let asked = (limit - letters.len()).min(MAX_BATCH);
                let found = self.dead_page(partition, after, asked).await?;
                after = found.last().map(|letter| letter.id.key);
                let short = found.len() < asked;
                letters.extend(found);
                if short {
                    break;
                }
            }
        }
        Ok(letters)
    }

    async fn dead_page(
        &self,
        partition: &Partition,
        after: Option<JobKey>,
        limit: usize,
    ) -> Result<Vec<DeadJob>> {
        let bytes = usize::MAX;
        let answer = self.inspect("dead_letters", partition, Inspect::Dead { after, limit, bytes });
        let Inspected::Dead(letters) = answer.await? else { return Err(unexpected()) };
        let jobs = letters.into_iter().map(|letter| DeadJob {
            id: JobId { partition: partition.number, key: letter.key },
            payload: letter.body,
            reason: letter.reason,
            failures: letter.failures,
            crashes: letter.crashes,
            deliveries: letter.deliveries,
            died: letter.died,
        });
        Ok(jobs.collect())
    }

    async fn all_counts(&self) -> Result<Vec<Counts>> {
        let mut all = Vec::with_capacity(self.connection().partitions.len());
        for partition in &self.connection().partitions {
            match self.inspect("stats", partition, Inspect::Counts).await? {
                Inspected::Counts(counts) => all.push(counts),
                _ => return Err(unexpected()),
            }
        }
        Ok(all)
    }

    async fn inspect(
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

    /// The same in every partition, until nothing is left to do.
    async fn control_all(&self, verb: &'static str, make: impl Fn() -> Control) -> Result<u64> {
        let mut affected = 0;
        for partition in &self.connection().partitions {
            loop {
                let done = self.control(verb, partition, make()).await?;
                affected += done.affected as u64;
                if !done.more {
                    break;
                }
            }
        }
        Ok(affected)
    }

    async fn control_jobs(
        &self,
        verb: &'static str,
        jobs: &[JobId],
        make: impl Fn(Vec<JobKey>) -> Control,
    ) -> Result<u64> {
        for job in jobs {
            self.connection().partition(job.partition).map_err(|error| error.operation(verb))?;
        }
        let mut affected = 0;
        for partition in &self.connection().partitions {
            let own = jobs.iter().filter(|job| job.partition == partition.number);
            let keys: Vec<JobKey> = own.map(|job| job.key).collect();
            for keys in keys.chunks(MAX_BATCH) {
                let done = self.control(verb, partition, make(keys.to_vec())).await?;
                affected += done.affected as u64;
            }
        }
        Ok(affected)
    }
}

impl<T: DeserializeOwned> Queue<T> {
    /// The payloads of up to `n` jobs that could run now, of each partition those that would be
    /// delivered next, without taking them. One that does not decode is left out.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn peek(&self, n: usize) -> Result<Vec<T>> {
        let mut payloads = Vec::new();
        for partition in &self.connection().partitions {
            let limit = (n - payloads.len()).min(MAX_BATCH);
            if limit == 0 {
                break;
            }
            let request = Inspect::Peek { after: None, limit, bytes: usize::MAX };
            let answer = self.inspect("peek", partition, request).await?;
            let Inspected::Jobs(jobs) = answer else { return Err(unexpected()) };
            let decoded =
                jobs.iter().filter_map(|job| self.connection().serializer().decode(&job.body).ok());
            payloads.extend(decoded);
        }
        Ok(payloads)
    }
}

fn sum(counts: &[Counts]) -> Counts {
    let mut sum = Counts::default();
    counts.iter().for_each(|one| sum += *one);
    sum
}

fn unexpected() -> Error {
    Error::new(ErrorKind::Backend, "the engine answered another question")
}
