//! Configuration caching: loaded once, then read from the store for an hour.
//!
//! `get_or_set_with` is one call in place of exists, load, set and get, between which a key may
//! come and go. Where many load at the same time, the first value that is stored counts for all.
//!
//! ```text
//! cargo run --package kv-config --example configuration_caching
//! ```

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use kv_core::{Result, Store};
use serde::{Deserialize, Serialize};

const HOUR: Duration = Duration::from_secs(3_600);

/// How a site is fetched.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Recipe {
    pub(crate) start: String,
    pub(crate) pages: u32,
}

/// Where recipes come from when they are not cached: a file, a service, here a table.
#[derive(Default)]
pub(crate) struct Source {
    loads: AtomicU32,
}

impl Source {
    async fn load(&self, name: &str) -> std::result::Result<Recipe, std::io::Error> {
        self.loads.fetch_add(1, Ordering::Relaxed);
        match name {
            "news" => Ok(Recipe { start: "https://example.org/news".into(), pages: 3 }),
            _ => Err(std::io::Error::new(std::io::ErrorKind::NotFound, "there is no such recipe")),
        }
    }
}

/// The recipe of this name. An error of kind `Loader` has the source's own error as its source,
/// and nothing is cached then.
pub(crate) async fn recipe(store: &Store, source: &Source, name: &str) -> Result<Recipe> {
    let cached = store.namespace("config");
    cached.get_or_set_with(name, HOUR, || source.load(name)).await
}

/// Asks three times for one recipe; returns it, and how often it was loaded.
pub(crate) async fn run(store: &Store) -> Result<(Recipe, u32)> {
    let source = Source::default();
    for _ in 0..2 {
        recipe(store, &source, "news").await?;
    }
    let found = recipe(store, &source, "news").await?;
    Ok((found, source.loads.load(Ordering::Relaxed)))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let store = kv_config::from_env().await?;
    let (found, loads) = run(&store).await?;
    println!("{found:?}, loaded {loads} times for 3 requests");
    store.close().await
}
