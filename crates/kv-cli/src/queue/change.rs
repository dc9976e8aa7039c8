//! What changes queues and jobs.

use std::time::Duration;

use kv_core::Store;
use kv_queue::{Job, JobId, Queue};
use serde_json::{Value, json};

use super::attach;
use crate::arguments::ChangeVerb;
use crate::ask::may_change;
use crate::failure::{Failure, Result};
use crate::output::Output;
use crate::store::parse;

pub(super) async fn run(store: &Store, verb: ChangeVerb, output: &Output) -> Result<()> {
    match verb {
        ChangeVerb::Enqueue { queue, payload, unique, delay, priority, create } => {
            let queue = match create {
                Some(partitions) => {
                    Queue::builder(&queue).partitions(partitions).open(store).await?
                }
                None => attach(store, &queue).await?,
            };
            enqueue(&queue, job(parse(&payload, false)?, unique, delay, priority), output).await
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
            let changed = attach(store, &queue).await?.pause_group(&group, time).await?;
            let text = if time.is_zero() { "the pause has ended" } else { "paused" };
            output.done(text, &json!({ "changed": changed }));
            Ok(())
        }
        ChangeVerb::PauseSchedule { queue, schedule } => {
            let there = attach(store, &queue).await?.schedules().pause(&schedule).await?;
            schedule_changed(there, &schedule, "paused", output)
        }
        ChangeVerb::ResumeSchedule { queue, schedule } => {
            let there = attach(store, &queue).await?.schedules().resume(&schedule).await?;
            schedule_changed(there, &schedule, "resumed", output)
        }
        ChangeVerb::RunSchedule { queue, schedule } => {
            let job = attach(store, &queue).await?.schedules().run_now(&schedule).await?;
            let id = job.map(|id| id.to_string()).ok_or_else(|| no_schedule(&schedule))?;
            output.done(&id, &json!({ "id": id }));
            Ok(())
        }
        ChangeVerb::Redrive { queue, ids, limit, consent } => {
            let queue = attach(store, &queue).await?;
            if !ids.is_empty() {
                let ids = parsed(&ids)?;
                return match may_change(consent, &format!("redrive {} dead letters", ids.len()))? {
                    true => changed("redrove", queue.redrive_jobs(&ids).await?, output),
                    false => Ok(()),
                };
            }
            let dead = queue.stats().await?.dead;
            let limit = limit.unwrap_or(usize::MAX);
            let count = dead.min(limit as u64);
            match may_change(consent, &format!("redrive the oldest {count} dead letters"))? {
                true => changed("redrove", queue.redrive(limit).await?, output),
                false => Ok(()),
            }
        }
        ChangeVerb::Discard { queue, ids, consent } => {
            let (queue, ids) = (attach(store, &queue).await?, parsed(&ids)?);
            match may_change(consent, &format!("remove {} dead letters for good", ids.len()))? {
                true => changed("removed", queue.discard(&ids).await?, output),
                false => Ok(()),
            }
        }
        ChangeVerb::Cancel { queue, ids, consent } => {
            let (queue, ids) = (attach(store, &queue).await?, parsed(&ids)?);
            match may_change(consent, &format!("cancel {} jobs", ids.len()))? {
                true => changed("cancelled", queue.cancel(&ids).await?, output),
                false => Ok(()),
            }
        }
        ChangeVerb::Clear { queue, consent } => {
            let open = attach(store, &queue).await?;
            let stats = open.stats().await?;
            let jobs = stats.outstanding() + stats.dead;
            match may_change(consent, &format!("remove all {jobs} jobs of {queue:?}"))? {
                true => changed("removed", open.clear().await?, output),
                false => Ok(()),
            }
        }
        ChangeVerb::Delete { queue, consent } => {
            let open = attach(store, &queue).await?;
            let stats = open.stats().await?;
            let jobs = stats.outstanding() + stats.dead;
            if may_change(consent, &format!("delete the queue {queue:?} with {jobs} jobs"))? {
                open.delete().await?;
                output.done("deleted", &json!({ "deleted": true }));
            }
            Ok(())
        }
    }
}

fn schedule_changed(there: bool, name: &str, what: &str, output: &Output) -> Result<()> {
    if !there {
        return Err(no_schedule(name));
    }
    output.done(what, &json!({ "done": what }));
    Ok(())
}

fn no_schedule(name: &str) -> Failure {
    Failure::Missing(format!("no schedule {name:?} in this queue"))
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

fn parsed(ids: &[String]) -> Result<Vec<JobId>> {
    let parse = |id: &String| id.parse().map_err(|error| Failure::Usage(format!("{error}")));
    ids.iter().map(parse).collect()
}

fn changed(what: &str, count: u64, output: &Output) -> Result<()> {
    output.done(&format!("{what} {count}"), &json!({ "changed": count }));
    Ok(())
}
