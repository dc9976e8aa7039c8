//! The things that the queue's verbs name: partitions, jobs, handles, sessions, policies.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use super::{GroupLimit, MAX_PRIORITY};
use crate::{Error, ErrorKind};

/// One partition of one queue.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Partition {
    /// The queue's name as stored: unique among all queues of the store.
    pub queue: Arc<str>,
    /// The partition's number, from 0.
    pub number: u32,
}

/// A queue's name as it is stored: on a Redis Cluster, braces would choose the slot.
///
/// ```
/// assert_eq!(kv_core::queue::encode_name("fetch:{a}"), "fetch:%7Ba%7D");
/// ```
pub fn encode_name(name: &str) -> String {
    let mut encoded = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            '{' => encoded.push_str("%7B"),
            '}' => encoded.push_str("%7D"),
            '%' => encoded.push_str("%25"),
            other => encoded.push(other),
        }
    }
    encoded
}

/// Names a job within its partition, from its submission to its end, through retries and redrives.
///
/// In the order of keys a more urgent job comes first, and of two equally urgent jobs the earlier.
///
/// ```
/// use kv_core::queue::JobKey;
/// let key = JobKey::new(8, 42);
/// assert_eq!(key.to_string(), "8000000000002a");
/// assert_eq!("8000000000002a".parse::<JobKey>().unwrap(), key);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobKey {
    priority: u8,
    sequence: u64,
}

impl JobKey {
    /// How many bits of a rank are the sequence number.
    pub const SEQUENCE_BITS: u32 = 49;

    /// The highest sequence number, so that a rank stays below 2^53.
    pub const MAX_SEQUENCE: u64 = (1 << Self::SEQUENCE_BITS) - 1;

    /// A key of its parts, each clamped to its range.
    pub const fn new(priority: u8, sequence: u64) -> Self {
        let priority = if priority > MAX_PRIORITY { MAX_PRIORITY } else { priority };
        let sequence = if sequence > Self::MAX_SEQUENCE { Self::MAX_SEQUENCE } else { sequence };
        Self { priority, sequence }
    }

    /// From 0, the most urgent, to [`MAX_PRIORITY`].
    pub const fn priority(&self) -> u8 {
        self.priority
    }

    /// The sequence number of the job in its partition.
    pub const fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Priority and sequence as one number below 2^53: a claim takes the lowest first.
    pub const fn rank(&self) -> u64 {
        ((self.priority as u64) << Self::SEQUENCE_BITS) | self.sequence
    }
}

impl fmt::Display for JobKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}{:013x}", self.priority, self.sequence)
    }
}

impl FromStr for JobKey {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = || {
            let message = format!("{text:?} is no job key; expected 14 hexadecimal digits");
            Error::new(ErrorKind::InvalidKey, message)
        };
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if text.len() != 14 || !text.bytes().all(is_digit) {
            return Err(wrong());
        }
        let (priority, sequence) = text.split_at(1);
        let priority = u8::from_str_radix(priority, 16).map_err(|_| wrong())?;
        let sequence = u64::from_str_radix(sequence, 16).map_err(|_| wrong())?;
        if sequence > Self::MAX_SEQUENCE { Err(wrong()) } else { Ok(Self { priority, sequence }) }
    }
}

/// The right to settle one delivery of one job.
///
/// The token is a fencing token: it rises with every claim of a partition, so a write to another
/// system can carry the token and refuse an older one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Handle {
    /// The job.
    pub key: JobKey,
    /// The number of the claim; below 2^53.
    pub token: u64,
}

/// A sender's session and the sequence number of a request. An engine recognises a repeated request
/// by them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The session: a random name, new for each start of a sender; at most 64 bytes.
    pub name: Arc<str>,
    /// The sequence number: rises with every new request of the session; the same in a repeat.
    pub request: u64,
}

/// How long a unique key keeps duplicates out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UniqueScope {
    /// While the job waits, runs or is a dead letter.
    Live,
    /// This long from the submission, whatever happens to the job.
    Window(Duration),
    /// Until the queue is purged: once in the life of the run.
    Run,
}

/// Admits only one job under a key, within a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unique {
    /// The key; at most 1,024 bytes.
    pub key: String,
    /// How long the key keeps duplicates out.
    pub scope: UniqueScope,
}

/// The settings of a queue that its requests carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// A job with this many failures is dead: 5 by default, at least 1. The count starts anew when
    /// a checkpoint's progress advances.
    pub max_failures: u32,
    /// A job whose leases ended unsettled this many times is dead: 3 by default, at least 1.
    pub max_crashes: u32,
    /// After this many deliveries a job becomes dead instead of being delivered again: 1,000,000 by
    /// default, at least 1.
    ///
    /// A delivery counts if it ended in a failure, a crash or a snooze. A released delivery does
    /// not count. A running delivery counts when it ends. A snooze every second makes 86,400
    /// deliveries a day, so the default lasts more than ten days.
    pub max_deliveries: u32,
    /// How many dead letters a partition keeps: 10,000 by default. Beyond that the oldest are
    /// dropped, and counted as evicted.
    pub keep_dead: u32,
    /// How long a dead letter is kept; `None`, the default, sets no limit. Older letters are
    /// dropped, oldest first, whenever `keep_dead` is enforced, and counted as evicted.
    pub keep_dead_for: Option<Duration>,
    /// How many done jobs a partition keeps, with what they returned: none by default. Beyond that
    /// the oldest are dropped. A request whose policy keeps none leaves kept jobs as they are.
    pub keep_done: u32,
    /// How long a done job is kept; `None`, the default, sets no limit. Older jobs are dropped,
    /// oldest first, whenever `keep_done` is enforced.
    pub keep_done_for: Option<Duration>,
    /// The limit of every group that has none of its own; it allows everything by default. A
    /// changed limit counts for a group from its next claim on, or from the end of what limits it.
    pub group: GroupLimit,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            max_failures: 5,
            max_crashes: 3,
            max_deliveries: 1_000_000,
            keep_dead: 10_000,
            keep_dead_for: None,
            keep_done: 0,
            keep_done_for: None,
            group: GroupLimit::new(),
        }
    }
}
