//! From one store to another: values, counters, queues.

use std::path::PathBuf;

use kv_config::StoreCopy;
use kv_core::Store;
use kv_queue::Queue;
use serde_json::{Value, json};

use crate::arguments::{Consent, Source};
use crate::ask::may_change;
use crate::config;
use crate::failure::{Failure, Result};
use crate::output::Output;

/// The store to copy to.
pub(super) fn destination(
    url: Option<String>,
    config: Option<PathBuf>,
    prefix: Option<String>,
) -> Source {
    Source { config, url, prefix, namespace: None }
}

pub(super) async fn run(
    store: &Store,
    to: &Source,
    consent: Consent,
    output: &Output,
) -> Result<()> {
    if store.prefix() != store.inner().key_prefix() {
        let message = "a copy is of the whole store; leave --namespace out";
        return Err(Failure::Usage(message.to_owned()));
    }
    let queues = kv_queue::queues(store).await?;
    let destination = config::load(to)?.open().await?;
    let what = format!("copy everything, {} queues among it, into another store", queues.len());
    if !may_change(consent, &what)? {
        return Ok(destination.close().await?);
    }
    let mut copy = StoreCopy::between(&**store.inner(), &**destination.inner());
    for queue in &queues {
        copy = copy.queue(&*queue.name, queue.partitions);
    }
    let done = copy
        .run(|so_far| output.progress(&format!("{} values, {} jobs", so_far.values, so_far.jobs)))
        .await?;
    for queue in &queues {
        // The destination lists its queues, too.
        let builder = Queue::<Value>::builder(&queue.name).partitions(queue.partitions);
        builder.open(&destination).await?;
    }
    destination.close().await?;
    let text = format!(
        "copied {} values and {} jobs; {} jobs were there, {} entries are left out",
        done.values, done.jobs, done.present, done.left_out
    );
    let value = json!({ "values": done.values, "jobs": done.jobs, "present": done.present,
        "left_out": done.left_out });
    output.done(&text, &value);
    Ok(())
}
