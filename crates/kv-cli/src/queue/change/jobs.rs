//! What changes single jobs, and dead letters.

use kv_queue::{JobId, Queue};
use serde_json::{Value, json};

use super::changed;
use crate::arguments::Consent;
use crate::failure::{Failure, Result};
use crate::output::Output;

/// Makes these dead letters ready again, or up to `limit` of the oldest without ids.
pub(super) async fn redrive(
    queue: &Queue<Value>,
    ids: &[String],
    limit: Option<usize>,
    consent: Consent,
    output: &Output,
) -> Result<()> {
    if !ids.is_empty() {
        let ids = parsed(ids)?;
        let what = format!("redrive {} dead letters", ids.len());
        return changed(consent, &what, "redrove", queue.redrive_jobs(&ids), output).await;
    }
    let limit = limit.unwrap_or(usize::MAX);
    let count = queue.stats().await?.dead.min(limit as u64);
    let what = format!("redrive the oldest {count} dead letters");
    changed(consent, &what, "redrove", queue.redrive(limit), output).await
}

/// Lets delayed jobs run now.
pub(super) async fn run_now(queue: &Queue<Value>, ids: &[String], output: &Output) -> Result<()> {
    let count = queue.run_now(parsed(ids)?).await?;
    output.done(&format!("{count} may run now"), &json!({ "changed": count }));
    Ok(())
}

pub(super) async fn discard(
    queue: &Queue<Value>,
    ids: &[String],
    consent: Consent,
    output: &Output,
) -> Result<()> {
    let ids = parsed(ids)?;
    let what = format!("remove {} dead or done jobs for good", ids.len());
    changed(consent, &what, "removed", queue.discard(&ids), output).await
}

pub(super) async fn cancel(
    queue: &Queue<Value>,
    ids: &[String],
    consent: Consent,
    output: &Output,
) -> Result<()> {
    let ids = parsed(ids)?;
    let what = format!("cancel {} jobs", ids.len());
    changed(consent, &what, "cancelled", queue.cancel(&ids), output).await
}

fn parsed(ids: &[String]) -> Result<Vec<JobId>> {
    let parse = |id: &String| id.parse().map_err(|error| Failure::Usage(format!("{error}")));
    ids.iter().map(parse).collect()
}
