//! What a program enqueued.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kv_core::queue::{NewJob, Submitted};
use kv_core::{Bytes, Result, Serializer};
use serde::de::DeserializeOwned;

use crate::queue::JobId;

/// How many jobs a recorder keeps; it then forgets the oldest.
const MOST: usize = 100_000;

/// Writes down the jobs that are enqueued on the queues to which it was
/// [given](crate::QueueBuilder::record_to). Clones share what they have written down.
///
/// ```
/// use kv_queue::testing::Recorder;
/// use kv_queue::{Job, Queue};
/// use std::time::Duration;
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// # let store = kv_core::Store::new(kv_memory::MemoryStore::new());
/// let recorder = Recorder::new();
/// let queue = Queue::<String>::builder("mail").record_to(&recorder).open(&store).await?;
/// let job = Job::new("hello".to_owned()).unique("ada").delay(Duration::from_secs(60)).priority(3);
/// queue.enqueue(job).await?;
/// let jobs = recorder.take();
/// assert_eq!((jobs.len(), &*jobs[0].payload::<String>()?), (1, "hello"));
/// assert_eq!((jobs[0].delay, jobs[0].priority), (Duration::from_secs(60), 3));
/// assert_eq!((jobs[0].unique.as_deref(), jobs[0].is_duplicate), (Some("ada"), false));
/// # Ok::<(), kv_core::Error>(()) }).unwrap();
/// ```
#[derive(Clone, Default)]
pub struct Recorder(Arc<Mutex<VecDeque<EnqueuedJob>>>);

/// A job as it was enqueued.
#[derive(Clone)]
#[non_exhaustive]
pub struct EnqueuedJob {
    /// The job, or the job that holds its unique key.
    pub id: JobId,
    /// Whether the job was refused as a duplicate.
    pub is_duplicate: bool,
    /// From 0, the most urgent, to 15.
    pub priority: u8,
    /// How long the job waits before it can run.
    pub delay: Duration,
    /// Its unique key, as the store has it: that of a job in a group begins with the group.
    pub unique: Option<String>,
    /// The time within which it must be delivered.
    pub time_to_live: Option<Duration>,
    /// Its group.
    pub group: Option<String>,
    body: Bytes,
    serializer: Serializer,
}

impl EnqueuedJob {
    /// The payload.
    ///
    /// # Errors
    /// `Serialization` if it does not decode as a `T`.
    pub fn payload<T: DeserializeOwned>(&self) -> Result<T> {
        self.serializer.decode(&self.body)
    }
}

impl std::fmt::Debug for EnqueuedJob {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EnqueuedJob")
            .field("id", &self.id)
            .field("is_duplicate", &self.is_duplicate)
            .field("priority", &self.priority)
            .field("delay", &self.delay)
            .finish_non_exhaustive()
    }
}

impl Recorder {
    /// A recorder that has written down nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// The jobs in the order in which they were enqueued; at most the last 100,000.
    pub fn jobs(&self) -> Vec<EnqueuedJob> {
        self.lock().iter().cloned().collect()
    }

    /// The same, and forgets them.
    pub fn take(&self) -> Vec<EnqueuedJob> {
        std::mem::take(&mut *self.lock()).into()
    }

    pub(crate) fn record(
        &self,
        serializer: &Serializer,
        partition: u32,
        jobs: Vec<NewJob>,
        answers: &[Submitted],
    ) {
        let mut recorded = self.lock();
        for (job, answer) in jobs.into_iter().zip(answers) {
            let (key, is_duplicate) = match answer {
                Submitted::Added(key) => (*key, false),
                Submitted::Duplicate(key) => (*key, true),
            };
            let NewJob { body, priority, delay, unique, time_to_live, group, .. } = job;
            if recorded.len() == MOST {
                recorded.pop_front();
            }
            recorded.push_back(EnqueuedJob {
                id: JobId { partition, key },
                is_duplicate,
                priority,
                delay,
                unique: unique.map(|unique| unique.key),
                time_to_live,
                group: group.as_deref().map(str::to_owned),
                body,
                serializer: serializer.clone(),
            });
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<EnqueuedJob>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recorder").field("jobs", &self.lock().len()).finish()
    }
}
