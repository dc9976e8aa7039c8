//! What a producer enqueues, and what it gets back.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use kv_core::queue::{JobKey, Unique, UniqueScope};
use kv_core::{Error, ErrorKind};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A job to be enqueued: a payload and how to treat it.
///
/// ```
/// use kv_queue::Job;
/// use std::time::Duration;
/// let job = Job::new("https://example.org/1").unique("example.org/1").delay(Duration::from_secs(5));
/// # let _ = job;
/// let plain: Job<u32> = 7.into();
/// # let _ = plain;
/// ```
#[derive(Clone, Debug)]
pub struct Job<T> {
    pub(crate) payload: T,
    pub(crate) priority: u8,
    pub(crate) delay: Duration,
    /// The date before which the job cannot run, since 1970-01-01T00:00:00Z; replaces the delay.
    pub(crate) run_at: Option<Duration>,
    pub(crate) unique: Option<Unique>,
    pub(crate) time_to_live: Option<Duration>,
    pub(crate) group: Option<String>,
}

impl<T> Job<T> {
    /// The priority of a job without one: 8, the middle.
    pub const DEFAULT_PRIORITY: u8 = 8;

    /// A job that can run at once, with the default priority, 8.
    pub const fn new(payload: T) -> Self {
        Self {
            payload,
            priority: Self::DEFAULT_PRIORITY,
            delay: Duration::ZERO,
            run_at: None,
            unique: None,
            time_to_live: None,
            group: None,
        }
    }

    /// From 0, the most urgent, to 15. `enqueue` refuses a larger number.
    #[must_use]
    pub fn priority(self, priority: u8) -> Self {
        Self { priority, ..self }
    }

    /// How long the job waits before it can run: not at all by default. Replaces
    /// [`run_at`](Self::run_at).
    #[must_use]
    pub fn delay(self, delay: Duration) -> Self {
        Self { delay, run_at: None, ..self }
    }

    /// The date before which the job cannot run; a date in the past means at once. Replaces
    /// [`delay`](Self::delay).
    ///
    /// The store's clock decides, not the producer's: the enqueue asks the store for its time, which
    /// costs one request on a server, and the job becomes due at this date by the store's clock,
    /// later by no more than the time between that answer and the enqueue. Clocks of producers and
    /// workers do not matter. If the store has no clock of its own, the queue's
    /// [clock](crate::QueueBuilder::clock) decides. If the store's clock is set later, the job moves
    /// with it.
    ///
    /// ```
    /// use kv_queue::Job;
    /// use std::time::{Duration, UNIX_EPOCH};
    /// let new_year = UNIX_EPOCH + Duration::from_secs(1_798_761_600);
    /// let job = Job::new("congratulate").run_at(new_year);
    /// # drop(job);
    /// ```
    #[must_use]
    pub fn run_at(self, date: SystemTime) -> Self {
        let date = date.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { delay: Duration::ZERO, run_at: Some(date), ..self }
    }

    /// Admits one job under this key until the queue is [cleared](crate::Queue::clear): a crawler
    /// visits each URL once.
    ///
    /// A key of more than 1,024 bytes is kept as its SHA-256.
    #[must_use]
    pub fn unique(self, key: impl Into<String>) -> Self {
        self.unique_in(key, UniqueScope::Run)
    }

    /// Admits one job under this key at a time: the next job can be enqueued when this job is done
    /// or cancelled.
    #[must_use]
    pub fn unique_while_live(self, key: impl Into<String>) -> Self {
        self.unique_in(key, UniqueScope::Live)
    }

    /// Admits one job under this key within this time, whatever becomes of the job.
    #[must_use]
    pub fn unique_for(self, key: impl Into<String>, window: Duration) -> Self {
        self.unique_in(key, UniqueScope::Window(window))
    }

    /// Puts the job in a group, such as the host that it asks. Groups take turns, and a
    /// [`GroupLimit`](crate::GroupLimit) bounds what each may do at a time.
    ///
    /// The name has 1 to 256 bytes and no control character. All jobs of a group are in one
    /// partition. A unique key of a job with a group is unique within the group.
    #[must_use]
    pub fn group(self, name: impl Into<String>) -> Self {
        Self { group: Some(name.into()), ..self }
    }

    /// If the job was not delivered within this time, it becomes a dead letter.
    #[must_use]
    pub fn time_to_live(self, time: Duration) -> Self {
        Self { time_to_live: Some(time), ..self }
    }

    /// The same job with another payload.
    pub(crate) fn map<U>(self, payload: impl FnOnce(T) -> U) -> Job<U> {
        let Self { payload: old, priority, delay, run_at, unique, time_to_live, group } = self;
        Job { payload: payload(old), priority, delay, run_at, unique, time_to_live, group }
    }

    fn unique_in(self, key: impl Into<String>, scope: UniqueScope) -> Self {
        Self { unique: Some(Unique { key: key.into(), scope }), ..self }
    }
}

impl<T> From<T> for Job<T> {
    fn from(payload: T) -> Self {
        Self::new(payload)
    }
}

/// Names a job of a queue, from its submission to its end.
///
/// ```
/// use kv_queue::JobId;
/// let id: JobId = "3-8000000000002a".parse().unwrap();
/// assert_eq!(id.to_string(), "3-8000000000002a");
/// assert_eq!(serde_json::to_string(&id).unwrap(), "\"3-8000000000002a\"");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId {
    pub(crate) partition: u32,
    pub(crate) key: JobKey,
}

/// As its text.
impl Serialize for JobId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for JobId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.partition, self.key)
    }
}

impl FromStr for JobId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = || {
            let message = format!("{text:?} is no job id; expected one such as 0-8000000000002a");
            Error::new(ErrorKind::InvalidKey, message)
        };
        let (partition, key) = text.split_once('-').ok_or_else(wrong)?;
        let partition = partition.parse().map_err(|_| wrong())?;
        Ok(Self { partition, key: key.parse().map_err(|_| wrong())? })
    }
}

/// The answer to one enqueued job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enqueue {
    /// The job was added under this id.
    Added(JobId),
    /// The job with this id holds the unique key; no job was added.
    Duplicate(JobId),
}

impl Enqueue {
    /// The added job, or the job that holds its unique key.
    pub const fn id(&self) -> JobId {
        match self {
            Self::Added(id) | Self::Duplicate(id) => *id,
        }
    }

    /// Whether the job was refused as a duplicate.
    pub const fn is_duplicate(&self) -> bool {
        matches!(self, Self::Duplicate(_))
    }
}

/// The answers to many enqueued jobs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Enqueued {
    /// How many jobs were added.
    pub added: usize,
    /// How many jobs had a unique key that another job holds.
    pub duplicates: usize,
    /// The answer to each job, in the order of the jobs.
    pub jobs: Vec<Enqueue>,
}

impl Enqueued {
    pub(crate) fn of(jobs: Vec<Enqueue>) -> Self {
        let duplicates = jobs.iter().filter(|job| job.is_duplicate()).count();
        Self { added: jobs.len() - duplicates, duplicates, jobs }
    }
}
