//! Asking about jobs: what an engine tells of one, and of a page of them.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use bytes::Bytes;

use super::{GroupBlock, JobKey, MAX_STAMP};
use crate::{Error, ErrorKind};

/// The states in which jobs are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Waits for a claim.
    Ready,
    /// Waits for its time.
    Delayed,
    /// Has a lease.
    Running,
    /// A dead letter.
    Dead,
    /// Done and kept.
    Done,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 5] = [Self::Ready, Self::Delayed, Self::Running, Self::Dead, Self::Done];

    /// The state's name, such as `ready`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Delayed => "delayed",
            Self::Running => "running",
            Self::Dead => "dead",
            Self::Done => "done",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for State {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let found = Self::ALL.into_iter().find(|state| state.name() == text);
        found.ok_or_else(|| {
            let message =
                format!("{text:?} is no state; expected ready, delayed, running, dead or done");
            Error::new(ErrorKind::InvalidKey, message)
        })
    }
}

/// Where a job stands. Times are by the store's clock, since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Waits for a claim.
    Ready,
    /// Waits for its time.
    Delayed {
        /// When the job is due.
        due: Duration,
        /// Why the job waits.
        why: DelayedBy,
    },
    /// Has a lease.
    Running {
        /// The token of the lease. It is the time of the claim in microseconds, or later where two
        /// claims came at once.
        token: u64,
        /// When the lease ends.
        ends: Duration,
    },
    /// A dead letter.
    Dead {
        /// When the job died.
        died: Duration,
    },
    /// Done and kept.
    Done {
        /// When the job was done.
        at: Duration,
    },
}

impl Standing {
    /// The state.
    pub const fn state(&self) -> State {
        match self {
            Self::Ready => State::Ready,
            Self::Delayed { .. } => State::Delayed,
            Self::Running { .. } => State::Running,
            Self::Dead { .. } => State::Dead,
            Self::Done { .. } => State::Done,
        }
    }
}

/// Why a job waits for its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DelayedBy {
    /// It was submitted with a delay, an operator delayed it, or it waits alone for a limit.
    Delay,
    /// It failed.
    Retry,
    /// Its handler snoozed it.
    Snooze,
}

/// What an engine tells of a job in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobView {
    /// The job.
    pub key: JobKey,
    /// Where the job stands.
    pub standing: Standing,
    /// The job's group.
    pub group: Option<String>,
    /// The unique key that lasts as long as the job.
    pub unique: Option<String>,
    /// Failures since the progress last advanced, for the budget.
    pub failures: u32,
    /// Deliveries that ended in a failure.
    pub failed: u32,
    /// Deliveries whose lease ended.
    pub crashes: u32,
    /// Deliveries that ended in a snooze.
    pub snoozes: u32,
    /// The highest progress; `None` without a checkpoint.
    pub progress: Option<u64>,
    /// The last failure; of a dead letter, why it died.
    pub reason: String,
    /// Whether the running job was cancelled, and its worker has not heard of it.
    pub cancelled: bool,
}

/// Everything that an engine tells of one job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobDetail {
    /// What a list has, too.
    pub view: JobView,
    /// When the job was submitted, if that was noted.
    pub enqueued: Option<Duration>,
    /// The last failures, the oldest first.
    pub history: Vec<PastFailure>,
    /// What keeps the group of a ready job from a start.
    pub block: Option<GroupBlock>,
    /// The payload, or what a done job returned, if asked for and there.
    pub bytes: Option<Bytes>,
}

/// How many failures of a job are kept.
pub const MAX_HISTORY: usize = 10;

/// A failure of a job that was delivered again or died.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastFailure {
    /// When the delivery ended, by the store's clock: time since 1970-01-01T00:00:00Z.
    pub at: Duration,
    /// What went wrong.
    pub reason: String,
}

/// A page of jobs in one state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobPage {
    /// The time of the page by the store's clock, since 1970-01-01T00:00:00Z.
    pub now: Duration,
    /// The jobs, in the order of the state's list.
    pub jobs: Vec<JobView>,
    /// Where the next page begins; `None` after the last.
    pub next: Option<ListPlace>,
}

/// A place in the list of a state, between two jobs. It stays where it is when jobs come and go.
///
/// ```
/// use kv_core::queue::{ListPlace, State};
/// let place: ListPlace = "dead:1700000000000000:8000000000002a".parse().unwrap();
/// assert_eq!(place.state(), State::Dead);
/// assert_eq!(place.to_string(), "dead:1700000000000000:8000000000002a");
/// assert!("dead:soon:8000000000002a".parse::<ListPlace>().is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ListPlace {
    state: State,
    score: u64,
    name: String,
}

/// The longest name of a place: a group, a line feed, a job's place and its key.
const MAX_NAME: usize = super::MAX_GROUP_BYTES + 1 + 43;

impl ListPlace {
    /// Behind this member of a state's list. Ready jobs are in the order of their names, and their
    /// score is zero.
    pub const fn new(state: State, score: u64, name: String) -> Self {
        Self { state, score, name }
    }

    /// The state whose list it is.
    pub const fn state(&self) -> State {
        self.state
    }

    /// The number by which the list is ordered.
    pub const fn score(&self) -> u64 {
        self.score
    }

    /// The name by which jobs of one number are ordered.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for ListPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.state, self.score, self.name)
    }
}

impl FromStr for ListPlace {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = || {
            let message = "no place in a list of jobs; expected one that a page returned";
            Error::new(ErrorKind::InvalidKey, message)
        };
        let mut parts = text.splitn(3, ':');
        let mut next = || parts.next().ok_or_else(wrong);
        let state = next()?.parse().map_err(|_| wrong())?;
        let score = next()?.parse().map_err(|_| wrong())?;
        let name = next()?.to_owned();
        if score > MAX_STAMP || name.len() > MAX_NAME {
            return Err(wrong());
        }
        Ok(Self { state, score, name })
    }
}
