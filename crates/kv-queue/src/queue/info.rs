//! What a queue tells of a job.

use std::time::Duration;

use bytes::Bytes;
use kv_core::queue::{DelayedBy, GroupBlock, JobDetail, JobView, PastFailure, Standing, State};

use super::job::JobId;

/// A job as it is stored, from [`Queue::job`](crate::Queue::job) or
/// [`Queue::list`](crate::Queue::list).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct JobInfo {
    /// The job.
    pub id: JobId,
    /// Where the job stands.
    pub status: JobStatus,
    /// From 0, the most urgent, to 15.
    pub priority: u8,
    /// The job's group.
    pub group: Option<String>,
    /// The unique key that lasts as long as the job, as stored.
    pub unique: Option<String>,
    /// The number of the attempt that runs, comes next or was the last one, from 1.
    pub attempt: u32,
    /// Failures since the progress last advanced.
    pub failures: u32,
    /// Leases that ended before the job was settled.
    pub crashes: u32,
    /// Deliveries that ended in a snooze.
    pub snoozes: u32,
    /// The highest progress that the job saved; 0 after a plain checkpoint.
    pub progress: Option<u64>,
    /// The last failure, with its causes; `None` if the job never failed.
    pub last_failure: Option<String>,
    /// Whether the running job was cancelled and its worker has not heard of it.
    pub cancelled: bool,
    /// What only [`Queue::job`](crate::Queue::job) tells; `None` in a list.
    pub detail: Option<JobPast>,
}

/// What is told of a single job only.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct JobPast {
    /// When the job was submitted, by the store's clock, since 1970-01-01T00:00:00Z; `None` unless
    /// the handle that submitted the job [notes times](crate::QueueBuilder::note_times).
    pub enqueued: Option<Duration>,
    /// The last 10 failures, the oldest first, each with its time and its causes.
    pub history: Vec<PastFailure>,
    /// The payload as stored, even if it does not decode; of a done job, what it returned.
    pub bytes: Option<Bytes>,
}

/// Where a job stands. Dates are by the store's clock, since 1970-01-01T00:00:00Z.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum JobStatus {
    /// It waits for a claim.
    Ready {
        /// What keeps its group from a start; `None` in a list.
        block: Option<GroupBlock>,
    },
    /// It waits for its time.
    Delayed {
        /// When it is due.
        until: Duration,
        /// How long that is from now; zero if it is due and waits for maintenance.
        left: Duration,
        /// Why.
        why: DelayedBy,
    },
    /// It has a lease.
    Running {
        /// The fencing token of the delivery.
        token: u64,
        /// When it was claimed, to a few microseconds.
        since: Duration,
        /// How long until its lease ends, unless that is renewed; zero if it has ended.
        lease_left: Duration,
        /// Which worker runs it, if one says so; `None` in a list.
        worker: Option<String>,
    },
    /// It failed for good.
    Dead {
        /// Why.
        reason: String,
        /// When.
        died: Duration,
    },
    /// It is done and kept.
    Done {
        /// When it was done.
        at: Duration,
    },
}

impl JobStatus {
    /// The state, without what belongs to it.
    pub const fn state(&self) -> State {
        match self {
            Self::Ready { .. } => State::Ready,
            Self::Delayed { .. } => State::Delayed,
            Self::Running { .. } => State::Running,
            Self::Dead { .. } => State::Dead,
            Self::Done { .. } => State::Done,
        }
    }
}

impl JobInfo {
    pub(super) fn of_view(partition: u32, now: Duration, view: JobView) -> Self {
        let JobView { key, standing, group, unique, failures, failed, crashes, .. } = view;
        let JobView { snoozes, progress, reason, cancelled, .. } = view;
        let ended = failed.saturating_add(crashes);
        // A dead letter has no next attempt.
        let attempt = match standing {
            Standing::Dead { .. } => ended.max(1),
            _ => ended.saturating_add(1),
        };
        let last_failure = Some(reason).filter(|reason| !reason.is_empty());
        let reason = last_failure.clone().unwrap_or_default();
        Self {
            id: JobId { partition, key },
            status: status(standing, now, reason),
            priority: key.priority(),
            group,
            unique,
            attempt,
            failures,
            crashes,
            snoozes,
            progress,
            last_failure,
            cancelled,
            detail: None,
        }
    }

    pub(super) fn of_detail(partition: u32, now: Duration, detail: JobDetail) -> Self {
        let JobDetail { view, enqueued, history, block: blocked, bytes } = detail;
        let mut info = Self::of_view(partition, now, view);
        if let JobStatus::Ready { block } = &mut info.status {
            *block = blocked;
        }
        Self { detail: Some(JobPast { enqueued, history, bytes }), ..info }
    }
}

fn status(standing: Standing, now: Duration, reason: String) -> JobStatus {
    match standing {
        Standing::Ready => JobStatus::Ready { block: None },
        Standing::Delayed { due, why } => {
            JobStatus::Delayed { until: due, left: due.saturating_sub(now), why }
        }
        Standing::Running { token, ends } => JobStatus::Running {
            token,
            since: Duration::from_micros(token).min(now),
            lease_left: ends.saturating_sub(now),
            worker: None,
        },
        Standing::Dead { died } => JobStatus::Dead { reason, died },
        Standing::Done { at } => JobStatus::Done { at },
    }
}
