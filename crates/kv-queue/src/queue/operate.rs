//! The queue as an operator uses it: counting, pausing, cancelling, clearing, deleting.
//!
//! Every verb covers the whole queue, and asks up to 64 partitions at a time.

use futures_util::stream::{self, StreamExt, TryStreamExt};
use kv_core::queue::{Control, Controlled, Counts, Inspect, Inspected, Partition};
use kv_core::{Error, ErrorKind, Result};

use super::handle::Queue;
use super::job::JobId;
use super::{agreement, registry, workers};

/// How many partitions a verb asks at once.
const AT_ONCE: usize = 64;

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

    /// Removes the whole queue: its jobs, its keys, its schedules, its number of partitions. Closes this handle
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
        let (store, name) = (connection.store(), &connection.settings.name);
        let removed = connection.write(|| connection.engine.remove(queue, count)).await;
        removed.map_err(|error| error.operation("delete"))?;
        let forgotten = async {
            #[cfg(feature = "schedule")]
            crate::schedule::forget(connection).await?;
            workers::forget(store, name).await?;
            registry::remove(store, name).await?;
            agreement::forget(store, name).await
        };
        forgotten.await.map_err(|error| error.operation("delete").maybe_applied())
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
        let answer =
            connection.read(|| connection.engine.inspect(partition, request.clone())).await;
        answer.map_err(|error| error.operation(verb))
    }

    pub(super) async fn control(
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

    /// Sends requests side by side; returns how many jobs were changed. After an error no further
    /// request begins.
    pub(super) async fn control_each<'a>(
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

pub(super) fn sum(counts: &[Counts]) -> Counts {
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
