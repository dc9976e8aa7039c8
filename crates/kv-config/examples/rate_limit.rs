//! A rate limit that concurrent callers cannot slip past.
//!
//! To read a number, compare it and write it back lets two callers read the same number, and each
//! write begins the window anew, so that under steady load it never ends. One atomic increment
//! does neither: each caller gets a number of its own, and the lifetime applies when the counter
//! is created and never again.
//!
//! ```text
//! cargo run --package kv-config --example rate_limit
//! ```

use std::time::Duration;

use kv_core::{BoxError, Result, Store};
use tokio::task::JoinSet;

/// At most `max` requests to an endpoint within a window.
#[derive(Clone)]
pub(crate) struct RateLimit {
    counters: Store,
    max: i64,
    window: Duration,
}

#[derive(Debug, PartialEq)]
pub(crate) enum Verdict {
    Admitted,
    /// What a server says in `Retry-After`.
    RetryAfter(Duration),
}

impl RateLimit {
    pub(crate) fn new(store: &Store, max: i64, window: Duration) -> Self {
        Self { counters: store.namespace("rate_limit"), max, window }
    }

    pub(crate) async fn ask(&self, endpoint: &str) -> Result<Verdict> {
        if self.counters.increment(endpoint, 1, self.window).await? <= self.max {
            return Ok(Verdict::Admitted);
        }
        // Where the window has just ended, there is nothing left to wait for.
        let left = self.counters.counter_ttl(endpoint).await?;
        let left = left.and_then(|left| left.duration()).unwrap_or_default();
        Ok(Verdict::RetryAfter(left))
    }
}

/// Lets 100 callers at an endpoint that admits 10 a minute; how many came through, and how long
/// the last of the others is told to wait.
pub(crate) async fn run(store: &Store) -> std::result::Result<(usize, Duration), BoxError> {
    let limit = RateLimit::new(store, 10, Duration::from_secs(60));
    let mut callers = JoinSet::new();
    for _ in 0..100 {
        let limit = limit.clone();
        callers.spawn(async move { limit.ask("api.example.org").await });
    }
    let (mut admitted, mut wait) = (0, Duration::ZERO);
    while let Some(verdict) = callers.join_next().await {
        match verdict?? {
            Verdict::Admitted => admitted += 1,
            Verdict::RetryAfter(left) => wait = left,
        }
    }
    Ok((admitted, wait))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::result::Result<(), BoxError> {
    let store = kv_config::from_env().await?;
    let (admitted, wait) = run(&store).await?;
    // Rounded up: who comes back a part of a second early is turned away again.
    let seconds = wait.as_nanos().div_ceil(1_000_000_000);
    println!("{admitted} of 100 admitted; the others retry after {seconds} s");
    Ok(store.close().await?)
}
