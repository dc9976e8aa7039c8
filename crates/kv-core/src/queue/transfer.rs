//! Bringing a queue to another store as it is: pages of a partition, read there and stored here.

use std::time::Duration;

use bytes::Bytes;

use super::{JobKey, SavedProgress};

/// Reads a page of everything that is stored of a partition, without changing it.
///
/// A page ends at its limit, or before a job whose body and checkpoint would raise the sum over its
/// bytes. It has at least one job if any is left. Callers ask for the page at
/// [`Exported::next`] until there is none. Pages are whole for a partition at rest; of a job that
/// moves meanwhile, the pages may tell twice or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// Where the last page ended, as it says itself; `None` to begin.
    pub at: Option<String>,
    /// At most this many jobs or unique keys, at least one and at most
    /// [`MAX_BATCH`](super::MAX_BATCH).
    pub limit: usize,
    /// About how many bytes of bodies and checkpoints.
    pub bytes: usize,
}

/// A page of a partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// Jobs and dead letters.
    pub jobs: Vec<JobImage>,
    /// Unique keys that keep duplicates out.
    pub unique: Vec<UniqueImage>,
    /// The numbers of the whole partition, when the page was read.
    pub numbers: Numbers,
    /// Jobs of this page that are left out, because a part of them is unreadable or gone.
    pub broken: u64,
    /// Where the next page begins; `None` after the last.
    pub next: Option<String>,
}

/// Stores jobs as they are. The jobs keep their keys, so their order is the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Import {
    /// At most [`MAX_BATCH`](super::MAX_BATCH).
    pub jobs: Vec<JobImage>,
    /// At most [`MAX_BATCH`](super::MAX_BATCH).
    pub unique: Vec<UniqueImage>,
    /// The partition's own numbers rise to these, and a pause begins if there is one here.
    pub numbers: Numbers,
}

/// What an import did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Jobs that were added.
    pub added: u64,
    /// Jobs that were there with the same body already, and stay as they are.
    pub present: u64,
}

/// Everything stored of one job. Times are since 1970-01-01T00:00:00Z, by the store's clock: two
/// stores must agree about the date.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobImage {
    /// The job's key.
    pub key: JobKey,
    /// Where the job is.
    pub state: JobState,
    /// The job's payload.
    pub body: Bytes,
    /// The checkpoint, with the highest progress.
    pub checkpoint: Option<SavedProgress>,
    /// The unique key that lasts as long as the job.
    pub unique: Option<String>,
    /// When the job expires, unless it was delivered before.
    pub deadline: Option<Duration>,
    /// Failures since the progress last advanced.
    pub failures: u32,
    /// Deliveries that ended in a failure.
    pub failed: u32,
    /// Deliveries whose lease ended.
    pub crashes: u32,
    /// Deliveries that ended in a snooze.
    pub snoozes: u32,
    /// Whether the job was cancelled while it ran, and its worker has not heard of it.
    pub cancelled: bool,
    /// The last failure; of a dead letter, why it died.
    pub reason: String,
    /// The job's place among the ready jobs, if it came back: the last sequence number by then, and
    /// the time.
    pub came_back: Option<(u64, Duration)>,
}

/// Where a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobState {
    /// It can be claimed. A job that is leased counts as ready at the place that it had, as after a
    /// [`Release`](super::Operation::Release).
    Ready,
    /// It waits for its time.
    Timed {
        /// When it is due.
        due: Duration,
    },
    /// It is a dead letter.
    Dead {
        /// When it died.
        died: Duration,
    },
}

/// A unique key and the job that holds it, which may be gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UniqueImage {
    /// The key.
    pub key: String,
    /// The job.
    pub holder: JobKey,
    /// When the key is free again, if it ends by time.
    pub until: Option<Duration>,
}

/// The numbers of a partition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Numbers {
    /// The last sequence number.
    pub sequence: u64,
    /// The last token.
    pub token: u64,
    /// Jobs ever acked.
    pub done: u64,
    /// Jobs ever cancelled.
    pub cancelled: u64,
    /// Dead letters ever dropped.
    pub evicted: u64,
    /// Whether claims are paused.
    pub paused: bool,
}
