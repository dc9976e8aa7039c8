//! Pages as JSON, for programs: the same facts under the same rules, in the names of the command
//! `oc-kv --json`. Times are in seconds, dates in seconds since 1970-01-01T00:00:00Z.

use std::time::Duration;

use axum::http::header;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use kv_core::{Remaining, Serializer};
use kv_queue::{
    DeadJob, DelayedBy, GroupBlock, GroupState, JobInfo, JobStatus, ScheduleInfo, WorkerInfo,
};
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::sampler::QueueSample;
use crate::show::since_1970;

/// The answer to a program.
pub(crate) fn answer(value: &Value) -> Response {
    let kind = [(header::CONTENT_TYPE, "application/json")];
    (kind, value.to_string()).into_response()
}

/// Why there is none.
pub(crate) fn failure(failure: &Failure) -> Response {
    let mut response = answer(&json!({ "error": failure.text }));
    *response.status_mut() = failure.status;
    response
}

pub(crate) fn list<T>(items: impl IntoIterator<Item = T>, each: impl Fn(T) -> Value) -> Value {
    items.into_iter().map(each).collect()
}

pub(crate) fn queue(queue: &QueueSample) -> Value {
    let mut told = json!({
        "queue": queue.name,
        "partitions": queue.partitions,
        "done_per_s": queue.done_per_second,
        "added_per_s": queue.added_per_second,
    });
    match &queue.stats {
        Ok(stats) => add(
            &mut told,
            json!({
                "ready": stats.ready,
                "timed": stats.timed,
                "running": stats.leased,
                "dead": stats.dead,
                "done": stats.done,
                "entered": stats.entered,
                "cancelled": stats.cancelled,
                "evicted": stats.evicted,
                "paused": stats.paused,
            }),
        ),
        Err(why) => add(&mut told, json!({ "error": why })),
    }
    told
}

pub(crate) fn job(job: &JobInfo) -> Value {
    let mut told = json!({
        "id": job.id.to_string(),
        "state": job.status.state().name(),
        "priority": job.priority,
        "group": job.group,
        "unique": job.unique,
        "attempt": job.attempt,
        "failures": job.failures,
        "crashes": job.crashes,
        "snoozes": job.snoozes,
        "progress": job.progress,
        "cancelled": job.cancelled,
        "last_failure": job.last_failure,
    });
    add(&mut told, standing(&job.status));
    if let Some(past) = &job.detail {
        let failures =
            list(&past.history, |it| json!({ "at_s": seconds(it.at), "reason": it.reason }));
        let enqueued = past.enqueued.map(seconds);
        add(&mut told, json!({ "enqueued_at_s": enqueued, "past": failures }));
    }
    told
}

/// Since when, until when and why a job is where it is.
fn standing(status: &JobStatus) -> Value {
    match status {
        JobStatus::Ready { block } => limited_by(*block),
        JobStatus::Delayed { until, why, .. } => {
            let why = match why {
                DelayedBy::Delay => "delay",
                DelayedBy::Retry => "retry",
                DelayedBy::Snooze => "snooze",
            };
            json!({ "at_s": seconds(*until), "why": why })
        }
        JobStatus::Running { since, lease_left, worker, .. } => json!({
            "at_s": seconds(*since),
            "lease_left_s": seconds(*lease_left),
            "worker": worker,
        }),
        JobStatus::Dead { reason, died } => json!({ "at_s": seconds(*died), "why": reason }),
        JobStatus::Done { at } => json!({ "at_s": seconds(*at) }),
        _ => json!({}),
    }
}

fn limited_by(block: Option<GroupBlock>) -> Value {
    let (what, time) = match block {
        None => (None, None),
        Some(GroupBlock::Concurrency) => (Some("concurrency"), None),
        Some(GroupBlock::Rate(left)) => (Some("rate"), Some(seconds(left))),
        Some(GroupBlock::Paused(left)) => (Some("paused"), Some(seconds(left))),
    };
    json!({ "limited_by": what, "for_s": time })
}

pub(crate) fn letter(letter: &DeadJob) -> Value {
    json!({
        "id": letter.id.to_string(),
        "died_at_s": seconds(letter.died),
        "failures": letter.failures,
        "crashes": letter.crashes,
        "reason": letter.reason,
    })
}

pub(crate) fn group(group: &GroupState) -> Value {
    let mut told =
        json!({ "group": group.name, "waiting": group.waiting, "running": group.running });
    add(&mut told, limited_by(group.block));
    told
}

pub(crate) fn schedule(schedule: &ScheduleInfo) -> Value {
    let history = list(&schedule.history, |firing| {
        json!({
            "due_s": firing.due.map(|due| seconds(since_1970(due))),
            "at_s": seconds(since_1970(firing.at)),
            "job": firing.job.map(|job| job.to_string()),
        })
    });
    json!({
        "schedule": schedule.name,
        "cron": schedule.cron.expression(),
        "zone": schedule.cron.zone(),
        "paused": schedule.is_paused,
        "next_at_s": schedule.next.map(|next| seconds(since_1970(next))),
        "history": history,
    })
}

pub(crate) fn worker(worker: &WorkerInfo) -> Value {
    json!({
        "worker": worker.name,
        "host": worker.host,
        "pid": worker.pid,
        "version": worker.version,
        "since_s": seconds(worker.since),
        "running": worker.busy,
        "at_most": worker.concurrency,
        "jobs": list(&worker.running, |id| Value::from(id.to_string())),
    })
}

/// The time that a key has left; `null` for ever.
pub(crate) fn left(left: Remaining) -> Value {
    match left {
        Remaining::Forever => Value::Null,
        Remaining::Expires(time) => seconds(time).into(),
    }
}

/// What a job carries or a key has, as far as it decodes.
pub(crate) fn content(serializer: &Serializer, stored: &Bytes) -> Value {
    let hidden = || Value::from(format!("<{} bytes that do not decode>", stored.len()));
    serializer.decode(stored).unwrap_or_else(|_| hidden())
}

/// Adds the fields of an object to an object.
pub(crate) fn add(object: &mut Value, fields: Value) {
    if let (Value::Object(object), Value::Object(fields)) = (object, fields) {
        object.extend(fields);
    }
}

const fn seconds(time: Duration) -> f64 {
    time.as_secs_f64()
}
