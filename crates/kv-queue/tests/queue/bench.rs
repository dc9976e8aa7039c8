//! A store to test a queue on, and the means to step its time.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use kv_core::queue::QueueSupport;
use kv_core::{
    Capabilities, Condition, Entry, KeyValueStore, Outcome, Remaining, Result, ScanPage,
    ScanRequest, Store, Write,
};
use kv_layers::{Layers, Limit, Metrics, Observe, Retry, Timeout};
use kv_memory::MemoryStore;
use kv_queue::{Queue, QueueBuilder};
use kv_redis::{RedisConfig, RedisStore};
use kv_sqlite::SqliteStore;
use kv_testbed::{RedisServer, SteppedClock};
use kv_testkit::ManualClock;

pub(crate) struct Bench {
    pub(crate) store: Store,
    time: Time,
}

enum Time {
    Manual(ManualClock),
    File { clock: ManualClock, _folder: tempfile::TempDir },
    Server { clock: SteppedClock, _server: Box<RedisServer> },
}

impl Bench {
    pub(crate) fn memory() -> Self {
        let clock = ManualClock::new();
        let store = MemoryStore::builder().clock(clock.clone()).build();
        Self { store: Store::new(store), time: Time::Manual(clock) }
    }

    pub(crate) fn generic() -> Self {
        let clock = ManualClock::new();
        let store = MemoryStore::builder().clock(clock.clone()).build();
        Self { store: Store::new(FiveMethods(store)), time: Time::Manual(clock) }
    }

    /// The native engine, with every layer around it that allows a queue.
    pub(crate) fn layered() -> Self {
        let clock = ManualClock::new();
        let store = MemoryStore::builder().clock(clock.clone()).build();
        let layers = Layers::new().observe(Observe::to(Metrics::new())).limit(Limit::to(64));
        let layers = layers.retry(Retry::new()).timeout(Timeout::after(Duration::from_secs(60)));
        Self { store: Store::from(layers.on(store).unwrap()), time: Time::Manual(clock) }
    }

    pub(crate) async fn sqlite() -> Self {
        let (folder, clock) = (tempfile::tempdir().unwrap(), ManualClock::new());
        let path = folder.path().join("queue.db");
        let store = SqliteStore::builder(path).clock(clock.clone()).open().await.unwrap();
        Self { store: Store::new(store), time: Time::File { clock, _folder: folder } }
    }

    pub(crate) async fn redis() -> Self {
        Self::on_redis(Store::new).await
    }

    pub(crate) async fn generic_on_redis() -> Self {
        Self::on_redis(|redis| Store::new(FiveMethods(redis))).await
    }

    async fn on_redis(store: impl FnOnce(RedisStore) -> Store) -> Self {
        let start = Duration::from_secs(1_800_000_000);
        let server = RedisServer::builder().clock_frozen_at(start).start().unwrap();
        let clock = server.clock().unwrap().clone();
        let config = RedisConfig::from_url(&server.url()).unwrap();
        let store = store(RedisStore::connect(config).await.unwrap());
        Self { store, time: Time::Server { clock, _server: Box::new(server) } }
    }

    pub(crate) fn advance(&self, time: Duration) {
        match &self.time {
            Time::Manual(clock) | Time::File { clock, .. } => clock.advance(time),
            Time::Server { clock, .. } => clock.advance(time).unwrap(),
        }
    }

    pub(crate) fn builder<T>(&self) -> QueueBuilder<T> {
        Queue::builder("bench")
    }

    pub(crate) async fn queue<T>(&self) -> Queue<T> {
        self.builder().open(&self.store).await.unwrap()
    }
}

/// What a plugin author writes: nothing but the five methods, a clock, and what it declares.
pub(crate) struct FiveMethods<S>(pub(crate) S);

#[async_trait]
impl<S: KeyValueStore> KeyValueStore for FiveMethods<S> {
    async fn get(&self, key: &str) -> Result<Option<Entry>> {
        self.0.get(key).await
    }

    async fn set(&self, key: &str, value: Bytes, write: Write) -> Result<Outcome> {
        self.0.set(key, value, write).await
    }

    async fn delete(&self, key: &str, condition: Condition) -> Result<bool> {
        self.0.delete(key, condition).await
    }

    async fn ttl(&self, key: &str) -> Result<Option<Remaining>> {
        self.0.ttl(key).await
    }

    async fn scan(&self, request: ScanRequest<'_>) -> Result<ScanPage> {
        self.0.scan(request).await
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::CONDITIONS | Capabilities::TTL
    }

    async fn now(&self) -> Result<Duration> {
        self.0.now().await
    }

    fn queue_engine(&self) -> QueueSupport {
        QueueSupport::Generic
    }
}
