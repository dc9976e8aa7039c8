//! URL tracking: what was processed, and when, remembered for a day.
//!
//! A URL may be longer than a key and hold any character, so the key is its hash, and the URL
//! stands in the value.
//!
//! ```text
//! cargo run --package kv-config --example url_tracking
//! ```

use std::time::Duration;

use kv_core::{Clock, Result, SetOptions, Store, SystemClock};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

const DAY: Duration = Duration::from_secs(86_400);

/// What is kept of a URL, under `processed:<hash of the URL>`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Processed {
    pub(crate) url: String,
    /// Seconds since 1970-01-01T00:00:00Z.
    pub(crate) processed_at: u64,
    pub(crate) bundle_refs: Vec<String>,
}

pub(crate) struct Tracker {
    processed: Store,
}

impl Tracker {
    pub(crate) fn new(store: &Store) -> Self {
        Self { processed: store.namespace("processed") }
    }

    /// Two processes can both see `false`, and process the URL twice. Where once is a must,
    /// `set_if_absent` claims it, or a queue with unique jobs does.
    pub(crate) async fn is_processed(&self, url: &str) -> Result<bool> {
        self.processed.exists(&key_of(url)).await
    }

    pub(crate) async fn record(&self, url: &str, bundle_refs: &[&str]) -> Result<()> {
        let record = Processed {
            url: url.to_owned(),
            processed_at: SystemClock::new().wall().as_secs(),
            bundle_refs: bundle_refs.iter().map(ToString::to_string).collect(),
        };
        let options = SetOptions::new().ttl(DAY);
        self.processed.set_with(&key_of(url), &record, options).await.map(drop)
    }

    pub(crate) async fn find(&self, url: &str) -> Result<Option<Processed>> {
        self.processed.get(&key_of(url)).await
    }
}

fn key_of(url: &str) -> String {
    Sha256::digest(url).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Visits three links, two of which are the same; returns those that were processed now.
pub(crate) async fn run(store: &Store) -> Result<Vec<&'static str>> {
    let tracker = Tracker::new(store);
    let links = ["https://example.org/a", "https://example.org/b", "https://example.org/a"];
    let mut visited = Vec::new();
    for url in links {
        if !tracker.is_processed(url).await? {
            tracker.record(url, &["bundle-1"]).await?;
            visited.push(url);
        }
    }
    Ok(visited)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let store = kv_config::from_env().await?;
    println!("processed now: {:?}", run(&store).await?);
    if let Some(record) = Tracker::new(&store).find("https://example.org/a").await? {
        println!("on record: {record:?}");
    }
    store.close().await
}
