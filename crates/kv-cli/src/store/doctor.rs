//! What will cause trouble, found before it does: each check says what it found and what to do.

use std::time::Duration;

use kv_core::{Capabilities, Expiry, Store};
use serde_json::{Value, json};

use crate::failure::{Failure, Result, causes};
use crate::output::Output;

/// A key that hardly anybody uses; it lives for seconds.
const PROBE: &str = "oc-kv-doctor-probe";

const PROBE_LIFETIME: Duration = Duration::from_secs(10);

pub(super) async fn run(store: &Store, output: &Output) -> Result<()> {
    let checks = [
        ("answers", store.ping().await.map(|()| "yes".to_owned())),
        ("reads", store.exists(PROBE).await.map(|_| "yes".to_owned())),
        ("writes and expires", write(store).await),
        ("counts", count(store).await),
        ("clock", clock(store).await),
        ("queues", queues(store).await),
    ];
    let failed = checks.iter().filter(|(_, found)| found.is_err()).count();
    let rows = checks.into_iter().map(|(name, found)| match found {
        Ok(text) => vec![json!(name), json!("ok"), json!(text)],
        Err(error) => vec![json!(name), json!("failed"), json!(told(&error))],
    });
    output.rows(&["check", "result", "found"], rows);
    match failed {
        0 => Ok(()),
        _ => Err(Failure::Failed(format!("{failed} checks failed"))),
    }
}

async fn write(store: &Store) -> kv_core::Result<String> {
    let has_lifetimes = store.inner().capabilities().contains(Capabilities::TTL);
    let expiry = if has_lifetimes { Expiry::from(PROBE_LIFETIME) } else { Expiry::Never };
    store.set_with(PROBE, &Value::Null, kv_core::SetOptions::new().ttl(expiry)).await?;
    store.delete(PROBE).await?;
    Ok(if has_lifetimes { "yes" } else { "writes; this store has no lifetimes" }.to_owned())
}

async fn count(store: &Store) -> kv_core::Result<String> {
    store.increment(PROBE, 1, PROBE_LIFETIME).await?;
    store.reset_counter(PROBE).await?;
    Ok("yes".to_owned())
}

/// A store whose clock is off ends leases and lifetimes at another time than its clients expect.
async fn clock(store: &Store) -> kv_core::Result<String> {
    let there = store.inner().now().await?;
    Ok(format!("{}.{:03} s since 1970", there.as_secs(), there.subsec_millis()))
}

/// Opens and removes a queue: the engine checks persistence and eviction on the way.
async fn queues(store: &Store) -> kv_core::Result<String> {
    let queue = kv_queue::Queue::<()>::open(store, PROBE).await?;
    queue.delete().await?;
    Ok("yes; warnings about persistence and eviction are in the log".to_owned())
}

fn told(error: &kv_core::Error) -> String {
    std::iter::once(error.to_string()).chain(causes(error)).collect::<Vec<_>>().join(": ")
}
