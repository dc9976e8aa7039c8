//! What changes single jobs, and dead letters.

use kv_queue::{JobId, Queue};
use serde_json::Value;

use super::changed;
use crate::arguments::Consent;
use crate::ask::may_change;
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
        return match may_change(consent, &format!("redrive {} dead letters", ids.len()))? {
            true => changed("redrove", queue.redrive_jobs(&ids).await?, output),
            false => Ok(()),
        };
    }
    let limit = limit.unwrap_or(usize::MAX);
    let count = queue.stats().await?.dead.min(limit as u64);
    match may_change(consent, &format!("redrive the oldest {count} dead letters"))? {
        true => changed("redrove", queue.redrive(limit).await?, output),
        false => Ok(()),
    }
}

pub(super) async fn discard(
    queue: &Queue<Value>,
    ids: &[String],
    consent: Consent,
    output: &Output,
) -> Result<()> {
    let ids = parsed(ids)?;
    match may_change(consent, &format!("remove {} dead letters for good", ids.len()))? {
        true => changed("removed", queue.discard(&ids).await?, output),
        false => Ok(()),
    }
}

pub(super) async fn cancel(
    queue: &Queue<Value>,
    ids: &[String],
    consent: Consent,
    output: &Output,
) -> Result<()> {
    let ids = parsed(ids)?;
    match may_change(consent, &format!("cancel {} jobs", ids.len()))? {
        true => changed("cancelled", queue.cancel(&ids).await?, output),
        false => Ok(()),
    }
}

fn parsed(ids: &[String]) -> Result<Vec<JobId>> {
    let parse = |id: &String| id.parse().map_err(|error| Failure::Usage(format!("{error}")));
    ids.iter().map(parse).collect()
}
