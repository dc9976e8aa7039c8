//! Fallback: while the store is away, state is kept in this process's memory.
//!
//! Only an error of the connection means that the store is away. A wrong password, a full server
//! or a value that does not decode would be there tomorrow too, and goes to the caller.
//!
//! ```text
//! cargo run --package kv-config --example fallback
//! ```

use kv_config::Config;
use kv_core::{
    Bytes, Condition, Entry, Error, ErrorKind, KeyValueStore, Outcome, Remaining, Result, ScanPage,
    ScanRequest, Store, Write, async_trait,
};
use serde::Serialize;

/// Which store took a value.
#[derive(Debug, PartialEq)]
pub(crate) enum Kept {
    InStore,
    InMemory,
}

pub(crate) struct WithFallback {
    pub(crate) store: Store,
    pub(crate) memory: Store,
}

impl WithFallback {
    /// After an error that says `MaybeApplied` the value may be in both.
    pub(crate) async fn set<T: Serialize + Sync>(&self, key: &str, value: &T) -> Result<Kept> {
        match self.store.set(key, value).await {
            Ok(()) => Ok(Kept::InStore),
            Err(error) if is_away(&error) => {
                eprintln!("kept in memory: {error}");
                self.memory.set(key, value).await?;
                Ok(Kept::InMemory)
            }
            Err(error) => Err(error),
        }
    }
}

fn is_away(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Connection | ErrorKind::Timeout)
}

/// A store of which every call fails in the same way, to see what becomes of it.
pub(crate) struct Failing(pub(crate) ErrorKind);

impl Failing {
    fn fail<T>(&self) -> Result<T> {
        Err(Error::new(self.0, "the store fails, as it was told to"))
    }
}

#[async_trait]
impl KeyValueStore for Failing {
    async fn get(&self, _: &str) -> Result<Option<Entry>> {
        self.fail()
    }

    async fn set(&self, _: &str, _: Bytes, _: Write) -> Result<Outcome> {
        self.fail()
    }

    async fn delete(&self, _: &str, _: Condition) -> Result<bool> {
        self.fail()
    }

    async fn ttl(&self, _: &str) -> Result<Option<Remaining>> {
        self.fail()
    }

    async fn scan(&self, _: ScanRequest<'_>) -> Result<ScanPage> {
        self.fail()
    }
}

/// Writes to the store, then to one that is away; returns who kept the values.
pub(crate) async fn run(store: &Store) -> Result<[Kept; 2]> {
    let memory = Config::builder().store_type("memory").build()?.open().await?;
    let up = WithFallback { store: store.clone(), memory: memory.clone() };
    let away = WithFallback { store: Store::new(Failing(ErrorKind::Connection)), memory };
    Ok([up.set("job:1", &"done").await?, away.set("job:2", &"done").await?])
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let store = kv_config::from_env().await?;
    println!("{:?}", run(&store).await?);
    store.close().await
}
