//! Jobs and workers that are asked about.

use std::time::Duration;

use kv_core::Store;
use kv_queue::{
    DelayedBy, GroupBlock, JobFilter, JobId, JobInfo, JobStatus, Queue, State, WorkerInfo,
};
use serde_json::{Value, json};

use crate::failure::{Failure, Result};
use crate::output::Output;

/// A page of the jobs in a state, and where the next one begins.
pub(super) async fn jobs(
    queue: &Queue<Value>,
    state: State,
    filter: JobFilter,
    output: &Output,
) -> Result<()> {
    let page = queue.list(state, filter).await?;
    let rows = page.jobs.into_iter().map(|job| {
        vec![
            json!(job.id.to_string()),
            json!(state.name()),
            json!(job.priority),
            json!(job.group),
            json!(job.attempt),
            at(&job.status),
            json!(job.last_failure),
        ]
    });
    let headings = ["id", "state", "priority", "group", "attempt", "at_s", "last_failure"];
    output.rows(&headings, rows);
    if let Some(next) = page.next {
        let value = json!({ "next": next });
        output.note(&format!("more with --after {next}"), &value);
    }
    Ok(())
}

/// When a job is due, was claimed, died or was done, in seconds since 1970.
fn at(status: &JobStatus) -> Value {
    match status {
        JobStatus::Delayed { until: at, .. }
        | JobStatus::Running { since: at, .. }
        | JobStatus::Dead { died: at, .. }
        | JobStatus::Done { at } => json!(at.as_secs()),
        _ => Value::Null,
    }
}

/// Everything about a job.
/// The job that is meant: by its id, or by the unique key that it holds.
pub(super) async fn named(
    queue: &Queue<Value>,
    id: Option<&str>,
    unique: Option<&str>,
    group: Option<&str>,
) -> Result<JobId> {
    let Some(key) = unique else {
        let id = id.unwrap_or_default();
        return id.parse().map_err(|error| Failure::Usage(format!("{error}")));
    };
    let found = match group {
        Some(group) => queue.find_unique_in(group, key).await?,
        None => queue.find_unique(key).await?,
    };
    found.ok_or_else(|| Failure::Missing(format!("no job holds the unique key {key:?}")))
}

pub(super) async fn job(
    store: &Store,
    queue: &Queue<Value>,
    id: JobId,
    payloads: bool,
    output: &Output,
) -> Result<()> {
    let Some(job) = queue.job(id).await? else {
        let message = format!("no job {id}: it is done and not kept, was cancelled, or never was");
        return Err(Failure::Missing(message));
    };
    output.fields(&fields(store, &job, payloads));
    Ok(())
}

fn fields(store: &Store, job: &JobInfo, payloads: bool) -> Vec<(&'static str, Value)> {
    let mut fields = vec![
        ("id", json!(job.id.to_string())),
        ("state", json!(job.status.state().name())),
        ("at_s", at(&job.status)),
        ("why", why(&job.status)),
        ("priority", json!(job.priority)),
        ("group", json!(job.group)),
        ("unique", json!(job.unique)),
        ("attempt", json!(job.attempt)),
        ("failures", json!(job.failures)),
        ("crashes", json!(job.crashes)),
        ("snoozes", json!(job.snoozes)),
        ("progress", json!(job.progress)),
        ("cancelled", json!(job.cancelled)),
    ];
    if let JobStatus::Running { worker, lease_left, .. } = &job.status {
        fields.push(("worker", json!(worker)));
        fields.push(("lease_left_s", json!(lease_left.as_secs_f64())));
    }
    let Some(detail) = &job.detail else { return fields };
    fields.push(("enqueued_at_s", json!(detail.enqueued.map(|at| at.as_secs()))));
    let past = detail.history.iter();
    let past: Vec<_> =
        past.map(|past| json!({ "at_s": past.at.as_secs(), "reason": past.reason })).collect();
    fields.push(("past", json!(past)));
    if let Some(bytes) = detail.bytes.as_ref().filter(|_| payloads) {
        let what = if job.status.state() == State::Done { "returned" } else { "payload" };
        let decoded = store.serializer().decode::<Value>(bytes);
        let hidden = || json!(format!("<{} bytes that do not decode>", bytes.len()));
        fields.push((what, decoded.unwrap_or_else(|_| hidden())));
    }
    fields
}

fn why(status: &JobStatus) -> Value {
    let left = |what: &str, left: &Duration| json!(format!("{what} for {left:?}"));
    match status {
        JobStatus::Ready { block: Some(GroupBlock::Concurrency) } => json!("its group is full"),
        JobStatus::Ready { block: Some(GroupBlock::Rate(time)) } => left("its group's rate", time),
        JobStatus::Ready { block: Some(GroupBlock::Paused(time)) } => {
            left("its group is paused", time)
        }
        JobStatus::Delayed { why: DelayedBy::Delay, .. } => json!("delay"),
        JobStatus::Delayed { why: DelayedBy::Retry, .. } => json!("retry"),
        JobStatus::Delayed { why: DelayedBy::Snooze, .. } => json!("snooze"),
        JobStatus::Dead { reason, .. } => json!(reason),
        _ => Value::Null,
    }
}

/// The workers of a queue.
pub(super) async fn workers(queue: &Queue<Value>, output: &Output) -> Result<()> {
    let row = |worker: WorkerInfo| {
        vec![
            json!(worker.name),
            json!(worker.host),
            json!(worker.pid),
            json!(worker.version),
            json!(worker.since.as_secs()),
            json!(worker.busy),
            json!(worker.concurrency),
        ]
    };
    let headings = ["worker", "host", "pid", "version", "since_s", "running", "at_most"];
    output.rows(&headings, queue.workers().await?.into_iter().map(row));
    Ok(())
}
