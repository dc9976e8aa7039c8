//! What changes schedules.

use kv_queue::Queue;
use serde_json::{Value, json};

use crate::failure::{Failure, Result};
use crate::output::Output;

pub(super) async fn pause(queue: &Queue<Value>, name: &str, output: &Output) -> Result<()> {
    changed(queue.schedules().pause(name).await?, name, "paused", output)
}

pub(super) async fn resume(queue: &Queue<Value>, name: &str, output: &Output) -> Result<()> {
    changed(queue.schedules().resume(name).await?, name, "resumed", output)
}

/// Enqueues the job of a schedule, beside its times.
pub(super) async fn run(queue: &Queue<Value>, name: &str, output: &Output) -> Result<()> {
    let job = queue.schedules().run_now(name).await?.ok_or_else(|| missing(name))?;
    output.done(&job.to_string(), &json!({ "id": job.to_string() }));
    Ok(())
}

fn changed(is_there: bool, name: &str, what: &str, output: &Output) -> Result<()> {
    if !is_there {
        return Err(missing(name));
    }
    output.done(what, &json!({ "done": what }));
    Ok(())
}

fn missing(name: &str) -> Failure {
    Failure::Missing(format!("no schedule {name:?} in this queue"))
}
