//! The queue as producers and consumers use it.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use kv_core::queue::{Claim, Claimed, JobKey, MAX_BATCH, NewJob, Operation, Partition, Submitted};
use kv_core::{Achieved, Durability, Error, ErrorKind, Result, Store};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::builder::QueueBuilder;
use crate::delivery::{Delivery, Lease};
use crate::job::{Enqueue, Enqueued, Job, JobId};
use crate::link::Link;

/// A persistent queue of jobs on a [`Store`]: at least once, leased, fenced, exact about the end.
///
/// A clone is cheap. A producer needs `T: Serialize` only, a consumer `T: DeserializeOwned`.
/// Payloads are encoded by the store's serializer. Where the store is durable, so is the queue.
///
/// Enqueuing, dequeuing and settling are repeated when a reply is lost or the store is away: the
/// store recognises a repeated request, so none is executed twice. Jobs that are handed in, and
/// what is said about a delivery, are repeated for as long as the queue's
/// [timeout](QueueBuilder::timeout) allows, since a failover takes seconds; what looks for jobs,
/// four times. All ends within that timeout.
///
/// # Errors
/// Every verb may fail as the store does, and with `Closed` after [`close`](Self::close) or the
/// store's own.
///
/// ```
/// # use std::time::Duration;
/// use kv_memory::MemoryStore;
/// use kv_queue::{Job, Queue};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let store = kv_core::Store::new(MemoryStore::new());
/// let queue = Queue::<String>::open(&store, "fetch:run-42").await?;
/// let first = queue.enqueue(Job::new("page 1".to_owned()).unique("1")).await?;
/// let again = queue.enqueue(Job::new("page 1".to_owned()).unique("1")).await?;
/// assert!(again.is_duplicate() && again.id() == first.id());
///
/// for delivery in queue.dequeue(10).await? {
///     assert_eq!(delivery.payload(), "page 1");
///     delivery.ack().await?;
/// }
/// assert!(queue.drained().await?);
/// # Ok::<(), kv_core::Error>(()) }).unwrap();
/// ```
pub struct Queue<T> {
    link: Arc<Link>,
    payload: PhantomData<fn() -> T>,
}

impl<T> Queue<T> {
    pub(crate) const fn of(link: Arc<Link>) -> Self {
        Self { link, payload: PhantomData }
    }

    pub(crate) const fn link(&self) -> &Arc<Link> {
        &self.link
    }

    /// Opens a queue with the default settings, and creates it if it is new.
    ///
    /// # Errors
    /// As [`QueueBuilder::open`].
    pub async fn open(store: &Store, name: &str) -> Result<Self> {
        Self::builder(name).open(store).await
    }

    /// A queue with other settings than the default ones.
    pub fn builder(name: &str) -> QueueBuilder<T> {
        QueueBuilder::new(name)
    }

    /// Closes this handle and its clones: later verbs are errors of kind `Closed`, workers on
    /// them stop. Deliveries that are out can still be settled. Other handles of the same queue,
    /// and its jobs, are not touched. Closing again does nothing.
    ///
    /// # Errors
    /// None in this version.
    ///
    /// # Cancel safety
    /// The queue is closed from the first poll on.
    pub async fn close(&self) -> Result<()> {
        self.link.close();
        Ok(())
    }
}

impl<T: Serialize> Queue<T> {
    /// Adds a job, or tells which one holds its unique key.
    ///
    /// # Errors
    /// `TooLarge` for a payload beyond the queue's limit or a unique key of over 1,024 bytes,
    /// `Serialization` for one that the serializer cannot hold, `Backpressure` for a full queue.
    ///
    /// # Cancel safety
    /// A dropped future may or may not have added the job.
    pub async fn enqueue(&self, job: impl Into<Job<T>> + Send) -> Result<Enqueue>
    where
        T: Send,
    {
        let (number, job) = self.place(job.into()).map_err(|e| e.operation("enqueue"))?;
        let partition = self.link.partition(number)?;
        let answers = self.link.submit(partition, vec![job]).await;
        placed(number, &answers.map_err(|error| error.operation("enqueue"))?)
    }

    /// Adds a job as [`enqueue`](Self::enqueue) does, and waits until copies have it, or the job
    /// that holds its unique key: what they had when the time for that was over. Too little is no
    /// error, and the job is there: see [`Achieved::meets`].
    ///
    /// ```
    /// # use kv_core::{Durability, Store};
    /// # use kv_queue::{Job, Queue};
    /// # async fn example(store: Store) -> kv_core::Result<()> {
    /// let queue = Queue::<String>::open(&store, "fetch").await?;
    /// let wanted = Durability::replicas(1);
    /// let (_, achieved) = queue.enqueue_durable("/".to_owned(), wanted).await?;
    /// assert!(achieved.meets(wanted), "no replica has it");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`enqueue`](Self::enqueue); `Unsupported` on a store that declares no durability,
    /// `Config` for one that is to be reached later than a call may take. Nothing is added then.
    ///
    /// # Cancel safety
    /// A dropped future may or may not have added the job.
    pub async fn enqueue_durable(
        &self,
        job: impl Into<Job<T>> + Send,
        durability: Durability,
    ) -> Result<(Enqueue, Achieved)>
    where
        T: Send,
    {
        let operation = |error: Error| error.operation("enqueue_durable");
        let (number, job) = self.place(job.into()).map_err(operation)?;
        let partition = self.link.partition(number)?;
        let answers = self.link.submit_durable(partition, vec![job], durability).await;
        let (answers, achieved) = answers.map_err(operation)?;
        Ok((placed(number, &answers)?, achieved))
    }

    /// Adds many jobs, in requests of up to 1,000 for each partition.
    ///
    /// # Errors
    /// As [`enqueue`](Self::enqueue). Everything is encoded before anything is sent; an error of
    /// a later request says `MaybeApplied`, since earlier ones were executed.
    ///
    /// # Cancel safety
    /// A dropped future may have added any number of the jobs.
    pub async fn enqueue_many<J>(&self, jobs: J) -> Result<Enqueued>
    where
        J: IntoIterator<Item: Into<Job<T>>> + Send,
        T: Send,
    {
        let batches = self.batches(jobs).map_err(|error| error.operation("enqueue_many"))?;
        let mut enqueued = Enqueued::default();
        for (number, batch) in batches {
            let answers = self.link.submit(self.link.partition(number)?, batch).await;
            enqueued.count(&answers.map_err(|error| enqueued.blame(error, "enqueue_many"))?);
        }
        Ok(enqueued)
    }

    /// Adds many jobs as [`enqueue_many`](Self::enqueue_many) does, and waits until copies have
    /// them: the least that any of the requests had reached.
    ///
    /// # Errors
    /// As [`enqueue_many`](Self::enqueue_many) and [`enqueue_durable`](Self::enqueue_durable).
    ///
    /// # Cancel safety
    /// A dropped future may have added any number of the jobs.
    pub async fn enqueue_many_durable<J>(
        &self,
        jobs: J,
        durability: Durability,
    ) -> Result<(Enqueued, Achieved)>
    where
        J: IntoIterator<Item: Into<Job<T>>> + Send,
        T: Send,
    {
        let name = "enqueue_many_durable";
        let batches = self.batches(jobs).map_err(|error| error.operation(name))?;
        let (mut enqueued, mut least) = (Enqueued::default(), None::<Achieved>);
        for (number, batch) in batches {
            let partition = self.link.partition(number)?;
            let answers = self.link.submit_durable(partition, batch, durability).await;
            let (answers, achieved) = answers.map_err(|error| enqueued.blame(error, name))?;
            enqueued.count(&answers);
            least = Some(least.map_or(achieved, |least| least.least(achieved)));
        }
        Ok((enqueued, least.unwrap_or_default()))
    }

    /// Jobs by partition, in requests of a size that an engine takes.
    fn batches<J>(&self, jobs: J) -> Result<Vec<(u32, Vec<NewJob>)>>
    where
        J: IntoIterator<Item: Into<Job<T>>>,
    {
        let mut by_partition: BTreeMap<u32, Vec<NewJob>> = BTreeMap::new();
        for job in jobs {
            let (number, job) = self.place(job.into())?;
            by_partition.entry(number).or_default().push(job);
        }
        let mut batches = Vec::new();
        for (number, mut jobs) in by_partition {
            while !jobs.is_empty() {
                let rest = jobs.split_off(jobs.len().min(MAX_BATCH));
                batches.push((number, jobs));
                jobs = rest;
            }
        }
        Ok(batches)
    }

    /// Encodes a job and finds its partition: by its unique key, which always has the same one,
    /// else in turn.
    fn place(&self, job: Job<T>) -> Result<(u32, NewJob)> {
        self.link.check_open()?;
        let Job { payload, priority, delay, unique, time_to_live } = job;
        let body = self.link.serializer().encode(&payload)?;
        let limit = self.link.settings.max_payload;
        if body.len() > limit {
            let message = format!("a payload of {} bytes; expected at most {limit}", body.len());
            return Err(Error::new(ErrorKind::TooLarge, message));
        }
        let partitions = self.link.partitions.len().max(1) as u64;
        let spread = match &unique {
            Some(unique) => stable_hash(unique.key.as_bytes()),
            None => self.link.turn() as u64,
        };
        let number = u32::try_from(spread % partitions).unwrap_or(0);
        Ok((number, NewJob { body, priority, delay, unique, time_to_live }))
    }
}

/// What became of the one job of a request.
fn placed(number: u32, answers: &[Submitted]) -> Result<Enqueue> {
    let id = |key: &JobKey| JobId { partition: number, key: *key };
    match answers.first() {
        Some(Submitted::Added(key)) => Ok(Enqueue::Added(id(key))),
        Some(Submitted::Duplicate(key)) => Ok(Enqueue::Duplicate(id(key))),
        None => Err(Error::new(ErrorKind::Backend, "the engine gave no answer")),
    }
}

impl<T: DeserializeOwned> Queue<T> {
    /// Takes up to `n` jobs that can run now, the most urgent and then the oldest of a partition
    /// first; none if there are none. Each is leased: settle it, or it comes back.
    ///
    /// A job whose payload is no `T` goes to the dead letters with its bytes, and does not count.
    ///
    /// # Errors
    /// Those of the store, if not one job was taken; otherwise what was taken is returned.
    ///
    /// # Cancel safety
    /// Jobs that a dropped future has taken come back when their lease ends.
    pub async fn dequeue(&self, n: usize) -> Result<Vec<Delivery<T>>> {
        self.look(n).await.map_err(|error| error.operation("dequeue"))
    }

    /// Looks through the partitions for up to `n` jobs.
    async fn look(&self, n: usize) -> Result<Vec<Delivery<T>>> {
        self.link.check_open()?;
        let mut found = Vec::new();
        for partition in self.link.in_turn() {
            let lacking = n - found.len();
            if lacking == 0 {
                break;
            }
            if let Err(error) = self.look_into(partition, lacking, &mut found).await {
                if found.is_empty() {
                    return Err(error);
                }
                // What was taken is handed out; the error will show at the next look.
                break;
            }
        }
        Ok(found)
    }

    async fn look_into(
        &self,
        partition: &Partition,
        mut lacking: usize,
        found: &mut Vec<Delivery<T>>,
    ) -> Result<()> {
        let mut tended = self.link.is_tend_due(partition);
        if tended {
            self.link.tend(partition).await?;
        }
        while lacking > 0 {
            let limit = lacking.min(MAX_BATCH);
            let claim = Claim { limit, bytes: usize::MAX, lease: self.link.settings.lease };
            let answer = self.link.exchange(partition, Vec::new(), Vec::new(), Some(claim)).await?;
            let claimed = answer.claimed.len();
            for claimed in answer.claimed {
                if let Some(delivery) = self.decode(partition.number, claimed).await {
                    found.push(delivery);
                    lacking = lacking.saturating_sub(1);
                }
            }
            if claimed == limit {
                continue;
            }
            if answer.next_due != Some(Duration::ZERO) || tended {
                break;
            }
            self.link.tend(partition).await?;
            tended = true;
        }
        Ok(())
    }

    async fn decode(&self, partition: u32, claimed: Claimed) -> Option<Delivery<T>> {
        match self.link.serializer().decode(&claimed.body) {
            Ok(payload) => {
                let lease = Arc::new(Lease::of(&self.link, partition, claimed));
                Some(Delivery::new(payload, lease))
            }
            Err(error) => {
                let handle = claimed.handle;
                let fail = set_aside(JobId { partition, key: handle.key }, &error);
                if let Err(error) = self.link.ask(partition, handle, Some(fail)).await {
                    // It comes back when its lease ends; the others must not wait for that.
                    tracing::warn!(%error, "job could not be set aside");
                }
                None
            }
        }
    }
}

/// What becomes of a job whose payload does not decode.
pub(crate) fn set_aside(id: JobId, error: &Error) -> Operation {
    tracing::warn!(job = %id, "payload does not decode; set aside as a dead letter");
    Operation::Fail { reason: format!("the payload does not decode: {error}") }
}

/// FNV-1a, which must never change: it says in which partition a unique key is looked for.
/// Source: RFC 9923.
fn stable_hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

impl<T> Clone for Queue<T> {
    fn clone(&self) -> Self {
        Self::of(Arc::clone(&self.link))
    }
}

impl<T> fmt::Debug for Queue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.link.partitions.first().map(|partition| &*partition.queue);
        f.debug_struct("Queue")
            .field("name", &name.unwrap_or_default())
            .field("partitions", &self.link.partitions.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::stable_hash;

    #[test]
    fn the_hash_of_a_unique_key_is_the_published_one() {
        assert_eq!(stable_hash(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(stable_hash(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(stable_hash(b"foobar"), 0x8594_4171_f739_67e8);
    }
}
