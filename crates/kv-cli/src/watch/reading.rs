//! What one queue is busy with: its workers, running jobs, groups and failures. No payload is read.

use std::sync::Arc;
use std::time::Duration;

use kv_core::{Clock, Error, Store};
use kv_queue::{DelayedBy, GroupState, JobFilter, JobInfo, JobStatus, Queue, State, WorkerInfo};

use crate::failure::causes;

/// How many jobs of a state, and groups, are read.
const MOST: usize = 100;

/// How long the store may take.
const LIMIT: Duration = Duration::from_secs(5);

/// What was read of a queue, or why nothing was.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) queue: String,
    /// When, by the clock that never goes back.
    pub(super) taken: Duration,
    pub(super) found: Result<Found, String>,
}

#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) workers: Vec<WorkerInfo>,
    /// The longest first.
    pub(super) running: Vec<JobInfo>,
    /// Those that are kept from a start first.
    pub(super) groups: Vec<GroupState>,
    /// Jobs that failed and are tried again, the next first.
    pub(super) retries: Vec<JobInfo>,
    /// The newest first, of all or of the oldest.
    pub(super) dead: Vec<JobInfo>,
    /// Whether there are more dead letters than were read.
    pub(super) more_dead: bool,
}

/// Reads about a queue, at a cost that its jobs do not raise.
pub(super) async fn read(store: &Store, clock: &Arc<dyn Clock>, queue: String) -> Reading {
    let found = match tokio::time::timeout(LIMIT, find(store, &queue)).await {
        Ok(Ok(Some(found))) => Ok(found),
        Ok(Ok(None)) => Err("there is no such queue".to_owned()),
        Ok(Err(error)) => Err(explained(&error)),
        Err(_) => Err(format!("the store did not answer within {} s", LIMIT.as_secs())),
    };
    Reading { queue, taken: clock.now(), found }
}

async fn find(store: &Store, name: &str) -> kv_core::Result<Option<Found>> {
    let Some(queue) = Queue::<()>::attach(store, name).await? else { return Ok(None) };
    let filter = || JobFilter::new().limit(MOST);
    let (workers, running, groups, delayed, dead) = tokio::try_join!(
        queue.workers(),
        queue.list(State::Running, filter()),
        queue.some_groups(MOST),
        queue.list(State::Delayed, filter()),
        queue.list(State::Dead, filter()),
    )?;
    let more_dead = dead.next.is_some();
    let retries = delayed.jobs.into_iter().filter(is_retry).collect();
    let mut found =
        Found { workers, running: running.jobs, groups, retries, dead: dead.jobs, more_dead };
    // Lists go partition by partition.
    found.running.sort_by_key(at);
    found.groups.sort_by_key(|group| group.block.is_none());
    found.retries.sort_by_key(at);
    found.dead.sort_by_key(|job| std::cmp::Reverse(at(job)));
    Ok(Some(found))
}

fn is_retry(job: &JobInfo) -> bool {
    matches!(job.status, JobStatus::Delayed { why: DelayedBy::Retry, .. })
}

/// When a job was claimed, is due or died.
pub(super) fn at(job: &JobInfo) -> Duration {
    match &job.status {
        JobStatus::Running { since: at, .. }
        | JobStatus::Delayed { until: at, .. }
        | JobStatus::Dead { died: at, .. } => *at,
        _ => Duration::ZERO,
    }
}

fn explained(error: &Error) -> String {
    let causes: Vec<String> = causes(error).collect();
    [&[error.to_string()][..], &causes].concat().join(": ")
}
