//! Enqueuing jobs.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::stream::{self, StreamExt, TryStreamExt};
use kv_core::queue::{
    BATCH_BYTES, MAX_BATCH, MAX_PRIORITY, MAX_UNIQUE_BYTES, NewJob, Submitted, Unique, UniqueScope,
    check_group,
};
use kv_core::{Achieved, Durability, Error, ErrorKind, Pace, Result};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::handle::Queue;
use super::job::{Enqueue, Enqueued, Job, JobId};
use crate::requests::Connection;

/// How many partitions a call works on at once.
const AT_ONCE: usize = 16;

impl<T: Serialize> Queue<T> {
    /// Adds a job, or returns the id of the job that holds its unique key.
    ///
    /// While the store is away, `enqueue` waits for up to the queue's
    /// [timeout](crate::QueueBuilder::timeout), 15 seconds by default. A web handler should use a
    /// queue handle that [fails fast](Self::fail_fast).
    ///
    /// # Errors
    /// `TooLarge` if the payload exceeds the queue's limit, the priority exceeds 15 or the group's
    /// name 256 bytes; `InvalidKey` if the unique key or the group's name is empty or the name has a
    /// control character; `Unsupported` for a group if the store's engine has none; `InvalidTtl` if a window or a time to live is zero;
    /// `Serialization` if the serializer cannot encode the payload; `Backpressure` if the queue is
    /// full.
    ///
    /// # Cancel safety
    /// A dropped future may or may not have added the job.
    pub async fn enqueue(&self, job: impl Into<Job<T>> + Send) -> Result<Enqueue>
    where
        T: Send,
    {
        let operation = |error: Error| error.operation("enqueue");
        let job = self.dated(job.into(), &mut None).await.map_err(operation)?;
        let (number, job) = self.place(job).map_err(operation)?;
        let answers = self.requests().submit(number, vec![job], self.fails_fast()).await;
        placed(number, &answers.map_err(operation)?)
    }

    /// Adds a job as [`enqueue`](Self::enqueue) does, and waits until copies have the job, or the
    /// job that holds its unique key. Also returns how many copies have it when the wait is over.
    /// Reaching fewer copies than asked is not an error, and the job is added; compare with
    /// [`Achieved::meets`].
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
    /// As [`enqueue`](Self::enqueue); `Unsupported` if the store does not declare durable writes;
    /// `Config` if the wait for copies may last longer than a call may take. In both cases no job
    /// is added.
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
        let job = self.dated(job.into(), &mut None).await.map_err(operation)?;
        let (number, job) = self.place(job).map_err(operation)?;
        let sent = self.requests().submit_durable(number, vec![job], self.fails_fast(), durability);
        let (answers, achieved) = sent.await.map_err(operation)?;
        Ok((placed(number, &answers)?, achieved))
    }

    /// Adds many jobs. Returns an answer for each, in the order of the jobs.
    ///
    /// A request carries up to 1,000 jobs and about 1 MiB. Requests to one partition go one after
    /// another; up to 16 partitions are served at a time. Each request has the queue's whole
    /// [timeout](crate::QueueBuilder::timeout).
    ///
    /// ```
    /// # use kv_queue::{Enqueue, Job, Queue};
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// # let store = kv_core::Store::new(kv_memory::MemoryStore::new());
    /// let queue = Queue::<&str>::open(&store, "fetch").await?;
    /// let pages = ["/a", "/b", "/a"];
    /// let enqueued = queue.enqueue_many(pages.map(|page| Job::new(page).unique(page))).await?;
    /// assert_eq!((enqueued.added, enqueued.duplicates), (2, 1));
    /// assert_eq!(enqueued.jobs[2], Enqueue::Duplicate(enqueued.jobs[0].id()));
    /// # Ok::<(), kv_core::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As [`enqueue`](Self::enqueue), with the position of the job, from 0. All jobs are checked
    /// and encoded before the first request. An error of a later request says `MaybeApplied`, since
    /// earlier requests were executed.
    ///
    /// # Cancel safety
    /// A dropped future may have added any number of the jobs.
    pub async fn enqueue_many<J>(&self, jobs: J) -> Result<Enqueued>
    where
        J: IntoIterator<Item: Into<Job<T>>, IntoIter: Send> + Send,
        T: Send,
    {
        let batches = self.batches(jobs.into_iter()).await;
        let batches = batches.map_err(|error| error.operation("enqueue_many"))?;
        let submit = |number, jobs| async move {
            let answers = self.requests().submit(number, jobs, self.fails_fast()).await?;
            Ok((answers, Achieved::default()))
        };
        let enqueued = submit_all(self.connection(), batches, submit).await;
        enqueued.map(|(enqueued, _)| enqueued).map_err(|error| error.operation("enqueue_many"))
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
        J: IntoIterator<Item: Into<Job<T>>, IntoIter: Send> + Send,
        T: Send,
    {
        let operation = |error: Error| error.operation("enqueue_many_durable");
        let batches = self.batches(jobs.into_iter()).await.map_err(operation)?;
        let submit = |number, jobs| {
            self.requests().submit_durable(number, jobs, self.fails_fast(), durability)
        };
        submit_all(self.connection(), batches, submit).await.map_err(operation)
    }

    /// Jobs by partition, in requests of a size that travels well.
    async fn batches<J>(
        &self,
        jobs: impl Iterator<Item = J> + Send,
    ) -> Result<BTreeMap<u32, VecDeque<Batch>>>
    where
        J: Into<Job<T>>,
    {
        let mut batches: BTreeMap<u32, VecDeque<Batch>> = BTreeMap::new();
        let (mut pace, mut now) = (Pace::default(), None);
        for (at, job) in jobs.enumerate() {
            let placed = self.dated(job.into(), &mut now).await.and_then(|job| self.place(job));
            let (number, job) = placed.map_err(|error| error.at(&format!("job {at}")))?;
            pace.handled(job.body.len()).await;
            let own = batches.entry(number).or_default();
            match own.back_mut().filter(|batch| batch.has_room_for(&job)) {
                Some(batch) => batch.push(at, job),
                None => own.push_back(Batch::of(at, job)),
            }
        }
        Ok(batches)
    }

    /// The job with a delay in place of a date. Asks for the store's time once.
    async fn dated(&self, job: Job<T>, now: &mut Option<Duration>) -> Result<Job<T>> {
        let Some(date) = job.run_at else { return Ok(job) };
        let connection = self.connection();
        connection.check_open()?;
        let now = match *now {
            Some(now) => now,
            None => *now.insert(connection.now().await?),
        };
        Ok(job.delay(date.saturating_sub(now)))
    }

    /// Checks and encodes a job, and finds its partition: by its group or else by its unique key,
    /// which always map to the same one, else in turn.
    fn place(&self, job: Job<T>) -> Result<(u32, NewJob)> {
        let connection = self.connection();
        connection.check_open()?;
        let Job { payload, priority, delay, run_at: _, unique, time_to_live, group } = job;
        group.as_deref().map_or(Ok(()), check_group)?;
        let unique = unique.map(|unique| checked(unique, group.as_deref())).transpose()?;
        if time_to_live.is_some_and(|time| time.is_zero()) {
            let message = "a time to live of zero; expected a time, or none for no end";
            return Err(Error::new(ErrorKind::InvalidTtl, message));
        }
        if priority > MAX_PRIORITY {
            let message = format!("priority {priority}; expected 0 to {MAX_PRIORITY}");
            return Err(Error::new(ErrorKind::TooLarge, message));
        }
        let body = connection.serializer().encode(&payload)?;
        let limit = connection.settings.max_payload;
        if body.len() > limit {
            let message = format!("a payload of {} bytes; expected at most {limit}", body.len());
            return Err(Error::new(ErrorKind::TooLarge, message));
        }
        let number = partition_for(connection, group.as_deref(), unique.as_ref());
        let group = group.map(Into::into);
        let note_time = self.connection().settings.note_times;
        let job = NewJob { body, priority, delay, unique, time_to_live, group, note_time };
        Ok((number, job))
    }
}

/// The partition of a job: by its group or else by its unique key, which always map to the same one,
/// else in turn.
pub(crate) fn partition_for(
    connection: &Connection,
    group: Option<&str>,
    unique: Option<&Unique>,
) -> u32 {
    let partitions = connection.partitions.len();
    match (group, unique) {
        (Some(group), _) => partition_of(group.as_bytes(), partitions),
        (None, Some(unique)) => partition_of(unique.key.as_bytes(), partitions),
        (None, None) => modulo(connection.turn() as u64, partitions),
    }
}

/// Jobs of one partition for one request, with their places among all.
struct Batch {
    places: Vec<usize>,
    jobs: Vec<NewJob>,
    bytes: usize,
}

impl Batch {
    fn of(at: usize, job: NewJob) -> Self {
        Self { places: vec![at], bytes: size(&job), jobs: vec![job] }
    }

    fn has_room_for(&self, job: &NewJob) -> bool {
        self.jobs.len() < MAX_BATCH && self.bytes.saturating_add(size(job)) <= BATCH_BYTES
    }

    /// The second half of its jobs, if it has more bytes than this and can be split.
    fn split(&mut self, bytes: usize) -> Option<Self> {
        if self.bytes <= bytes || self.jobs.len() < 2 {
            return None;
        }
        let half = self.jobs.len() / 2;
        let (places, jobs) = (self.places.split_off(half), self.jobs.split_off(half));
        let rest = Self { places, bytes: jobs.iter().map(size).sum(), jobs };
        self.bytes = self.bytes.saturating_sub(rest.bytes);
        Some(rest)
    }

    fn push(&mut self, at: usize, job: NewJob) {
        self.places.push(at);
        self.bytes = self.bytes.saturating_add(size(&job));
        self.jobs.push(job);
    }
}

fn size(job: &NewJob) -> usize {
    let group = job.group.as_ref().map_or(0, |group| group.len());
    job.body.len() + job.unique.as_ref().map_or(0, |unique| unique.key.len()) + group
}

/// Hands in all batches: those of a partition one after another, so that its jobs keep their
/// order, and up to [`AT_ONCE`] partitions side by side. After a timeout they are smaller.
async fn submit_all<F, Fut>(
    connection: &Connection,
    batches: BTreeMap<u32, VecDeque<Batch>>,
    submit: F,
) -> Result<(Enqueued, Achieved)>
where
    F: Fn(u32, Vec<NewJob>) -> Fut,
    Fut: Future<Output = Result<(Vec<Submitted>, Achieved)>>,
{
    let total = batches.values().flatten().map(|batch| batch.jobs.len()).sum();
    let answers = Mutex::new(Answers::to(total));
    let (heard, submit) = (&answers, &submit);
    let partitions = batches.into_iter().map(|(number, mut batches)| async move {
        while let Some(mut batch) = batches.pop_front() {
            while let Some(rest) = batch.split(connection.request_bytes()) {
                batches.push_front(rest);
            }
            let Batch { places, jobs, .. } = batch;
            let (submitted, achieved) = submit(number, jobs).await?;
            if submitted.len() != places.len() {
                return Err(other_answers(number, places.len(), submitted.len()));
            }
            let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
            heard.take(number, &places, &submitted, achieved);
        }
        Ok(())
    });
    let sent = stream::iter(partitions).buffer_unordered(AT_ONCE).try_collect::<()>().await;
    let answers = answers.into_inner().unwrap_or_else(PoisonError::into_inner);
    match sent {
        Ok(()) => answers.finish(),
        Err(error) if answers.is_empty() => Err(error),
        Err(error) => Err(error.maybe_applied()),
    }
}

/// The answers to many jobs, as they come.
struct Answers {
    jobs: Vec<Option<Enqueue>>,
    least: Option<Achieved>,
}

impl Answers {
    fn to(jobs: usize) -> Self {
        Self { jobs: vec![None; jobs], least: None }
    }

    fn is_empty(&self) -> bool {
        self.least.is_none()
    }

    fn take(&mut self, number: u32, places: &[usize], answers: &[Submitted], achieved: Achieved) {
        for (place, answer) in places.iter().zip(answers) {
            if let Some(job) = self.jobs.get_mut(*place) {
                *job = Some(enqueue(number, *answer));
            }
        }
        self.least = Some(self.least.map_or(achieved, |least| least.least(achieved)));
    }

    fn finish(self) -> Result<(Enqueued, Achieved)> {
        let jobs: Option<Vec<_>> = self.jobs.into_iter().collect();
        let enqueued = Enqueued::of(jobs.ok_or_else(no_answer)?);
        Ok((enqueued, self.least.unwrap_or_default()))
    }
}

/// What became of the one job of a request.
pub(crate) fn placed(number: u32, answers: &[Submitted]) -> Result<Enqueue> {
    answers.first().map(|answer| enqueue(number, *answer)).ok_or_else(no_answer)
}

const fn enqueue(partition: u32, answer: Submitted) -> Enqueue {
    match answer {
        Submitted::Added(key) => Enqueue::Added(JobId { partition, key }),
        Submitted::Duplicate(key) => Enqueue::Duplicate(JobId { partition, key }),
    }
}

fn other_answers(partition: u32, jobs: usize, answers: usize) -> Error {
    let message = format!(
        "partition {partition} gave {answers} answers to {jobs} jobs; expected one for each"
    );
    Error::new(ErrorKind::Backend, message).maybe_applied()
}

fn no_answer() -> Error {
    Error::new(ErrorKind::Backend, "the engine gave no answer").maybe_applied()
}

/// A unique key that an engine takes. A key in a group stands there behind a line feed and the
/// group's name. A key that is too long, or begins like those in a group, stands there by its hash.
pub(super) fn checked(unique: Unique, group: Option<&str>) -> Result<Unique> {
    if unique.key.is_empty() {
        let message = "an empty unique key; expected at least one character";
        return Err(Error::new(ErrorKind::InvalidKey, message));
    }
    if matches!(unique.scope, UniqueScope::Window(window) if window.is_zero()) {
        let message = "a unique key for a time of zero; expected a time";
        return Err(Error::new(ErrorKind::InvalidTtl, message));
    }
    Ok(Unique { key: stored(unique.key, group), scope: unique.scope })
}

fn stored(key: String, group: Option<&str>) -> String {
    let key = match group {
        Some(group) => format!("\n{group}\n{key}"),
        None if key.starts_with('\n') => hashed(&key),
        None => key,
    };
    if key.len() <= MAX_UNIQUE_BYTES { key } else { hashed(&key) }
}

fn hashed(key: &str) -> String {
    let digest = Sha256::digest(key.as_bytes());
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

/// The partition in which a group or a unique key always is.
pub(super) fn partition_of(name: &[u8], partitions: usize) -> u32 {
    modulo(stable_hash(name), partitions)
}

fn modulo(number: u64, partitions: usize) -> u32 {
    u32::try_from(number % partitions.max(1) as u64).unwrap_or(0)
}

/// FNV-1a, which must never change: it says in which partition a group or a unique key is looked for.
/// Source: RFC 9923.
fn stable_hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_of_a_unique_key_is_the_published_one() {
        assert_eq!(stable_hash(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(stable_hash(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(stable_hash(b"foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn a_unique_key_in_a_group_is_never_that_of_another_group_or_of_none() {
        let scope = UniqueScope::Run;
        let kept = |key: &str, group| {
            checked(Unique { key: key.to_owned(), scope }, group).expect("a key").key
        };
        assert_eq!(kept("k", None), "k");
        assert_eq!(kept("k", Some("a")), "\na\nk");
        assert!(kept("\na\nk", None).starts_with("sha256:"));
        assert_ne!(kept("b\nk", Some("a")), kept("k", Some("b")));
        let long = "k".repeat(MAX_UNIQUE_BYTES);
        assert_ne!(kept(&long, Some("a")), kept(&long, Some("b")));
        assert!(kept(&long, Some("a")).len() <= MAX_UNIQUE_BYTES);
    }

    #[test]
    fn a_batch_is_split_down_to_a_size_and_keeps_its_order() {
        let job = || NewJob {
            body: "12345678".into(),
            priority: 8,
            delay: Duration::ZERO,
            unique: None,
            time_to_live: None,
            group: None,
            note_time: false,
        };
        let mut batch = Batch::of(0, job());
        (1..5).for_each(|at| batch.push(at, job()));
        let rest = batch.split(20).expect("40 bytes");
        assert_eq!((&batch.places[..], batch.bytes), (&[0, 1][..], 16));
        assert_eq!((&rest.places[..], rest.bytes), (&[2, 3, 4][..], 24));
        assert!(batch.split(20).is_none());
        assert!(Batch::of(0, job()).split(1).is_none(), "one job stays whole");
    }
}
