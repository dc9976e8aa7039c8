//! Read-only: a store that a program can look at and not change.

use std::sync::Weak;
use std::time::Duration;

use kv_core::queue::QueueSupport;
use kv_core::{
    Achieved, Bytes, Capabilities, Command, Condition, Durability, Entry, Error, ErrorKind,
    KeyValueStore, Lifetime, Outcome, Remaining, Reply, Result, ScanPage, ScanRequest, Stats,
    Watcher, Write, async_trait,
};

/// Refuses every call that may change the store, with [`ErrorKind::ReadOnly`], before it is sent.
/// Reads pass. Queues are refused, since even a look at a queue may change it.
///
/// ```
/// use kv_core::{ErrorKind, Expiry, Store};
/// use kv_layers::ReadOnly;
/// use kv_memory::MemoryStore;
/// # kv_testkit::runtime()?.block_on(async {
/// let memory = MemoryStore::new();
/// Store::new(memory.clone()).set("k", "v").await?;
/// let store = Store::from(ReadOnly::on(memory));
/// assert_eq!(store.get("k").await?, Some("v".to_owned()));
/// assert_eq!(store.set("k", "w").await.unwrap_err().kind(), ErrorKind::ReadOnly);
/// # Ok::<(), kv_core::Error>(()) }).unwrap();
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ReadOnly;

impl ReadOnly {
    /// The store with this layer around it.
    pub fn on(store: impl KeyValueStore) -> Box<dyn KeyValueStore> {
        Box::new(ReadOnlyStore(Box::new(store)))
    }
}

struct ReadOnlyStore(Box<dyn KeyValueStore>);

fn refused<T>() -> Result<T> {
    Err(Error::new(ErrorKind::ReadOnly, "layer `read-only`: this store is not to be changed"))
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl KeyValueStore for ReadOnlyStore {
    async fn get(&self, key: &str) -> Result<Option<Entry>> {
        self.0.get(key).await
    }

    async fn set(&self, _: &str, _: Bytes, _: Write) -> Result<Outcome> {
        refused()
    }

    async fn set_cached(&self, _: &str, _: Bytes, _: Write) -> Result<Outcome> {
        refused()
    }

    async fn delete(&self, _: &str, _: Condition) -> Result<bool> {
        refused()
    }

    async fn ttl(&self, key: &str) -> Result<Option<Remaining>> {
        self.0.ttl(key).await
    }

    async fn scan(&self, request: ScanRequest<'_>) -> Result<ScanPage> {
        self.0.scan(request).await
    }

    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }

    fn key_prefix(&self) -> &str {
        self.0.key_prefix()
    }

    fn get_now(&self, key: &str) -> Option<Result<Option<Entry>>> {
        self.0.get_now(key)
    }

    async fn exists(&self, key: &str) -> Result<bool> {
        self.0.exists(key).await
    }

    async fn get_many(&self, keys: &[&str]) -> Result<Vec<Option<Entry>>> {
        self.0.get_many(keys).await
    }

    async fn set_durable(
        &self,
        _: &str,
        _: Bytes,
        _: Write,
        _: Durability,
    ) -> Result<(Outcome, Achieved)> {
        refused()
    }

    async fn set_many(&self, _: Vec<(String, Bytes)>, _: Lifetime) -> Result<()> {
        refused()
    }

    async fn delete_many(&self, _: &[&str]) -> Result<u64> {
        refused()
    }

    async fn increment(&self, _: &str, _: i64, _: Lifetime) -> Result<i64> {
        refused()
    }

    async fn take(&self, _: &str) -> Result<Option<Entry>> {
        refused()
    }

    async fn touch(&self, _: &str, _: Lifetime) -> Result<bool> {
        refused()
    }

    /// Runs the reads, and refuses the other commands.
    async fn execute(&self, commands: Vec<Command>) -> Result<Vec<Result<Reply>>> {
        let is_read = |command: &Command| {
            matches!(command, Command::Get { .. } | Command::Exists { .. } | Command::Ttl { .. })
        };
        let places: Vec<bool> = commands.iter().map(is_read).collect();
        let reads = commands.into_iter().filter(is_read).collect();
        let mut replies = self.0.execute(reads).await?.into_iter();
        let missing = || Err(Error::new(ErrorKind::Backend, "a command of a batch got no reply"));
        let reply =
            |is_read| if is_read { replies.next().unwrap_or_else(missing) } else { refused() };
        Ok(places.into_iter().map(reply).collect())
    }

    async fn now(&self) -> Result<Duration> {
        self.0.now().await
    }

    fn watch(&self, prefix: &str, watcher: Weak<dyn Watcher>) -> Result<()> {
        self.0.watch(prefix, watcher)
    }

    async fn ping(&self) -> Result<()> {
        self.0.ping().await
    }

    async fn stats(&self) -> Result<Stats> {
        self.0.stats().await
    }

    async fn close(&self) -> Result<()> {
        self.0.close().await
    }

    fn queue_engine(&self) -> QueueSupport {
        QueueSupport::Refused("the store is not to be changed: layer `read-only`")
    }
}
