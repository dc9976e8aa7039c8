//! What a producer hands in, and what it gets back.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use kv_core::queue::{JobKey, Unique, UniqueScope};
use kv_core::{Error, ErrorKind};

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
    pub(crate) unique: Option<Unique>,
    pub(crate) time_to_live: Option<Duration>,
}

impl<T> Job<T> {
    /// The priority of a job that names none: the middle.
    pub const DEFAULT_PRIORITY: u8 = 8;

    /// A job that can run at once, of middle priority.
    pub const fn new(payload: T) -> Self {
        Self {
            payload,
            priority: Self::DEFAULT_PRIORITY,
            delay: Duration::ZERO,
            unique: None,
            time_to_live: None,
        }
    }

    /// From 0, the most urgent, to 15. Enqueuing refuses others.
    #[must_use]
    pub fn priority(self, priority: u8) -> Self {
        Self { priority, ..self }
    }

    /// How long to wait before it can run.
    #[must_use]
    pub fn delay(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }

    /// Admits one job under this key in the whole life of the queue, until it is
    /// [cleared](crate::Queue::clear): what a crawler wants of a URL.
    ///
    /// A key of more than 1,024 bytes is kept as its SHA-256.
    #[must_use]
    pub fn unique(self, key: impl Into<String>) -> Self {
        self.unique_in(key, UniqueScope::Run)
    }

    /// Admits one job under this key at a time: another can follow when this one is done.
    #[must_use]
    pub fn unique_while_live(self, key: impl Into<String>) -> Self {
        self.unique_in(key, UniqueScope::Live)
    }

    /// Admits one job under this key within this time, whatever becomes of it.
    #[must_use]
    pub fn unique_for(self, key: impl Into<String>, window: Duration) -> Self {
        self.unique_in(key, UniqueScope::Window(window))
    }

    /// If it was not started within this time, it becomes a dead letter.
    #[must_use]
    pub fn time_to_live(self, time: Duration) -> Self {
        Self { time_to_live: Some(time), ..self }
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

/// Names a job of a queue for as long as it exists.
///
/// ```
/// use kv_queue::JobId;
/// let id: JobId = "3-8000000000002a".parse().unwrap();
/// assert_eq!(id.to_string(), "3-8000000000002a");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId {
    pub(crate) partition: u32,
    pub(crate) key: JobKey,
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

/// What became of one job that was enqueued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enqueue {
    /// It was added under this id.
    Added(JobId),
    /// This job holds its unique key; nothing was added.
    Duplicate(JobId),
}

impl Enqueue {
    /// The job that was added, or the one in its way.
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

/// What became of many jobs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Enqueued {
    /// How many jobs were added.
    pub added: usize,
    /// How many jobs had a unique key that another job holds.
    pub duplicates: usize,
    /// What became of each, in the order in which they were handed in.
    pub jobs: Vec<Enqueue>,
}

impl Enqueued {
    pub(crate) fn of(jobs: Vec<Enqueue>) -> Self {
        let duplicates = jobs.iter().filter(|job| job.is_duplicate()).count();
        Self { added: jobs.len() - duplicates, duplicates, jobs }
    }
}
