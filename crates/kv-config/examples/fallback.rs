//! Fallback: while the store is away, plain state is kept in this process's memory.
//!
//! `OC_KV_STORE_LAYERS=fallback` does it for any program; here a program says so itself, for a
//! store that can be taken away. Only an error of the connection means that the store is away. A
//! wrong password, a full server or a value that does not decode would be there tomorrow too, and
//! goes to the caller.
//!
//! What is kept in memory is gone when the store is back, and nothing atomic is promised meanwhile
//! nor before: `kv_layers::Fallback` tells what a program sees.
//!
//! ```text
//! cargo run --package kv-config --example fallback
//! ```

use std::sync::{Arc, OnceLock};

use kv_config::{Config, Factory};
use kv_core::{
    Bytes, Capabilities, Condition, Entry, Error, ErrorKind, KeyValueStore, Outcome, Remaining,
    Result, ScanPage, ScanRequest, Store, Write, async_trait,
};

/// A store that works until it is told how to fail.
#[derive(Clone)]
struct Frail {
    store: Arc<dyn KeyValueStore>,
    fails: Arc<OnceLock<ErrorKind>>,
}

impl Frail {
    fn check(&self) -> Result<&Arc<dyn KeyValueStore>> {
        match self.fails.get() {
            None => Ok(&self.store),
            Some(kind) => Err(Error::new(*kind, "the store fails, as it was told to")),
        }
    }
}

#[async_trait]
impl KeyValueStore for Frail {
    async fn get(&self, key: &str) -> Result<Option<Entry>> {
        self.check()?.get(key).await
    }

    async fn set(&self, key: &str, value: Bytes, write: Write) -> Result<Outcome> {
        self.check()?.set(key, value, write).await
    }

    async fn delete(&self, key: &str, condition: Condition) -> Result<bool> {
        self.check()?.delete(key, condition).await
    }

    async fn ttl(&self, key: &str) -> Result<Option<Remaining>> {
        self.check()?.ttl(key).await
    }

    async fn scan(&self, request: ScanRequest<'_>) -> Result<ScanPage> {
        self.check()?.scan(request).await
    }

    fn capabilities(&self) -> Capabilities {
        self.store.capabilities()
    }
}

/// The store with the layer around it, as a configuration opens it.
async fn open(frail: Frail) -> Result<Store> {
    let factory = Factory::new(move |_| {
        let store: Box<dyn KeyValueStore> = Box::new(frail.clone());
        async move { Ok(store) }
    });
    let builder = Config::with_backend("frail", factory).builder().store_type("frail");
    builder.layers(["fallback"]).fallback_failures(1).build()?.open().await
}

/// What is read in an outage.
pub(crate) struct Found {
    /// What was written before it: the store alone has it.
    pub(crate) before: Option<String>,
    /// What was written in it.
    pub(crate) during: Option<String>,
}

/// Writes before and after the store begins to fail, and reads both.
pub(crate) async fn run(kind: ErrorKind) -> Result<Found> {
    let memory = Config::builder().store_type("memory").build()?.connect().await?;
    let frail = Frail { store: memory.into(), fails: Arc::default() };
    let store = open(frail.clone()).await?;
    store.set("job:1", "done").await?;
    frail.fails.get_or_init(|| kind);
    store.set("job:2", "done").await?;
    Ok(Found { before: store.get("job:1").await?, during: store.get("job:2").await? })
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let Found { before, during } = run(ErrorKind::Connection).await?;
    println!("before the outage: {before:?}, in it: {during:?}");
    Ok(())
}
