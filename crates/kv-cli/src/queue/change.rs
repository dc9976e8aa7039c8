//! What changes queues and jobs.

mod jobs;
mod schedules;

use std::time::Duration;

use kv_core::Store;
use kv_queue::{Job, Queue};
use serde_json::{Value, json};

use super::attach;
use crate::arguments::{ChangeVerb, Consent};
use crate::ask::may_change;
use crate::failure::Result;
use crate::output::Output;
use crate::store::parse;

pub(super) async fn run(store: &Store, verb: ChangeVerb, output: &Output) -> Result<()> {
    match verb {
        ChangeVerb::Enqueue { queue, payload, unique, delay, priority, create } => {
            let job = job(parse(&payload, false)?, unique, delay, priority);
            let queue = match create {
                Some(partitions) => {
                    Queue::builder(&queue).partitions(partitions).open(store).await?
                }
                None => attach(store, &queue).await?,
            };
            enqueue(&queue, job, output).await
        }
        ChangeVerb::Pause { queue } => {
            attach(store, &queue).await?.pause().await?;
            output.done("paused", &json!({ "paused": true }));
            Ok(())
        }
        ChangeVerb::Resume { queue } => {
            attach(store, &queue).await?.resume().await?;
            output.done("resumed", &json!({ "paused": false }));
            Ok(())
        }
        ChangeVerb::PauseGroup { queue, group, time } => {
            pause_group(&attach(store, &queue).await?, &group, time, output).await
        }
        ChangeVerb::PauseSchedule { queue, schedule } => {
            schedules::pause(&attach(store, &queue).await?, &schedule, output).await
        }
        ChangeVerb::ResumeSchedule { queue, schedule } => {
            schedules::resume(&attach(store, &queue).await?, &schedule, output).await
        }
        ChangeVerb::RunSchedule { queue, schedule } => {
            schedules::run(&attach(store, &queue).await?, &schedule, output).await
        }
        ChangeVerb::Redrive { queue, ids, limit, consent } => {
            jobs::redrive(&attach(store, &queue).await?, &ids, limit, consent, output).await
        }
        ChangeVerb::RunNow { queue, ids } => {
            jobs::run_now(&attach(store, &queue).await?, &ids, output).await
        }
        ChangeVerb::Discard { queue, ids, consent } => {
            jobs::discard(&attach(store, &queue).await?, &ids, consent, output).await
        }
        ChangeVerb::Cancel { queue, ids, consent } => {
            jobs::cancel(&attach(store, &queue).await?, &ids, consent, output).await
        }
        ChangeVerb::Clear { queue, consent } => {
            clear(&attach(store, &queue).await?, &queue, consent, output).await
        }
        ChangeVerb::Delete { queue, consent } => {
            delete(&attach(store, &queue).await?, &queue, consent, output).await
        }
    }
}

fn job(
    payload: Value,
    unique: Option<String>,
    delay: Option<Duration>,
    priority: Option<u8>,
) -> Job<Value> {
    let mut job = Job::new(payload);
    if let Some(key) = unique {
        job = job.unique(key);
    }
    if let Some(delay) = delay {
        job = job.delay(delay);
    }
    if let Some(priority) = priority {
        job = job.priority(priority);
    }
    job
}

async fn enqueue(queue: &Queue<Value>, job: Job<Value>, output: &Output) -> Result<()> {
    let answer = queue.enqueue(job).await?;
    let (id, is_duplicate) = (answer.id().to_string(), answer.is_duplicate());
    let text = if is_duplicate { format!("{id} holds the unique key") } else { id.clone() };
    output.done(&text, &json!({ "id": id, "duplicate": is_duplicate }));
    Ok(())
}

async fn pause_group(
    queue: &Queue<Value>,
    group: &str,
    time: Duration,
    output: &Output,
) -> Result<()> {
    let changed = queue.pause_group(group, time).await?;
    let text = if time.is_zero() { "the pause has ended" } else { "paused" };
    output.done(text, &json!({ "changed": changed }));
    Ok(())
}

async fn clear(queue: &Queue<Value>, name: &str, consent: Consent, output: &Output) -> Result<()> {
    let jobs = all_jobs(queue).await?;
    let what = format!("remove all {jobs} jobs of {name:?}");
    changed(consent, &what, "removed", queue.clear(), output).await
}

async fn delete(queue: &Queue<Value>, name: &str, consent: Consent, output: &Output) -> Result<()> {
    let jobs = all_jobs(queue).await?;
    if may_change(consent, &format!("delete the queue {name:?} with {jobs} jobs"))? {
        queue.delete().await?;
        output.done("deleted", &json!({ "deleted": true }));
    }
    Ok(())
}

async fn all_jobs(queue: &Queue<Value>) -> Result<u64> {
    let stats = queue.stats().await?;
    Ok(stats.outstanding() + stats.dead)
}

/// Changes jobs if that is agreed to, and says how many.
async fn changed(
    consent: Consent,
    what: &str,
    done: &str,
    change: impl Future<Output = kv_core::Result<u64>>,
    output: &Output,
) -> Result<()> {
    if may_change(consent, what)? {
        let count = change.await?;
        output.done(&format!("{done} {count}"), &json!({ "changed": count }));
    }
    Ok(())
}
