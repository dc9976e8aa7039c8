//! A store with a transparent layer around it: the one place that forwards every method.

mod queue;

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use kv_core::queue::QueueSupport;
use kv_core::{
    Achieved, Bytes, Capabilities, Command, Condition, Durability, Entry, KeyValueStore, Lifetime,
    Outcome, Remaining, Reply, Result, ScanPage, ScanRequest, Stats, Watcher, Write, async_trait,
};

use self::queue::LayeredQueues;
use crate::{Call, Layer, Operation};

/// A store with a [`Layer`] around each call, including the calls of its queue engine.
///
/// Capabilities, key prefix and [`get_now`](KeyValueStore::get_now) are the store's own. A native
/// queue engine gets the layer around its verbs. The generic engine calls the layered store, so the
/// layer is around its reads and writes.
///
/// The layers together cost one allocation for each call. A call needs a runtime only if a layer
/// waits.
pub struct Layered<L> {
    layer: Arc<L>,
    store: Box<dyn KeyValueStore>,
}

impl<L: Layer> Layered<L> {
    /// The store with the layer around it.
    pub fn new(layer: L, store: impl KeyValueStore) -> Self {
        Self::boxed(layer, Box::new(store))
    }

    pub(crate) fn boxed(layer: L, store: Box<dyn KeyValueStore>) -> Self {
        Self { layer: Arc::new(layer), store }
    }
}

impl<L: fmt::Debug> fmt::Debug for Layered<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Layered").field("layer", &self.layer).finish_non_exhaustive()
    }
}

const fn of(operation: Operation) -> Call {
    Call::of(operation)
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<L: Layer> KeyValueStore for Layered<L> {
    async fn get(&self, key: &str) -> Result<Option<Entry>> {
        self.layer.call(of(Operation::Get), key, |key| self.store.get(key)).await
    }

    async fn set(&self, key: &str, value: Bytes, write: Write) -> Result<Outcome> {
        let run = |(value, write)| self.store.set(key, value, write);
        self.layer.call(of(Operation::Set), (value, write), run).await
    }

    async fn set_cached(&self, key: &str, value: Bytes, write: Write) -> Result<Outcome> {
        let run = |(value, write)| self.store.set_cached(key, value, write);
        self.layer.call(of(Operation::Set), (value, write), run).await
    }

    async fn delete(&self, key: &str, condition: Condition) -> Result<bool> {
        let run = |condition| self.store.delete(key, condition);
        self.layer.call(of(Operation::Delete), condition, run).await
    }

    async fn ttl(&self, key: &str) -> Result<Option<Remaining>> {
        self.layer.call(of(Operation::Ttl), key, |key| self.store.ttl(key)).await
    }

    async fn scan(&self, request: ScanRequest<'_>) -> Result<ScanPage> {
        self.layer.call(of(Operation::Scan), request, |request| self.store.scan(request)).await
    }

    fn capabilities(&self) -> Capabilities {
        self.store.capabilities()
    }

    fn key_prefix(&self) -> &str {
        self.store.key_prefix()
    }

    fn get_now(&self, key: &str) -> Option<Result<Option<Entry>>> {
        self.layer.at_hand(of(Operation::Get), || self.store.get_now(key))
    }

    async fn exists(&self, key: &str) -> Result<bool> {
        self.layer.call(of(Operation::Exists), key, |key| self.store.exists(key)).await
    }

    async fn get_many(&self, keys: &[&str]) -> Result<Vec<Option<Entry>>> {
        self.layer.call(of(Operation::GetMany), keys, |keys| self.store.get_many(keys)).await
    }

    async fn set_durable(
        &self,
        key: &str,
        value: Bytes,
        write: Write,
        durability: Durability,
    ) -> Result<(Outcome, Achieved)> {
        let run = |(value, write)| self.store.set_durable(key, value, write, durability);
        self.layer.call(of(Operation::SetDurable), (value, write), run).await
    }

    async fn set_many(&self, entries: Vec<(String, Bytes)>, lifetime: Lifetime) -> Result<()> {
        let run = |entries| self.store.set_many(entries, lifetime);
        self.layer.call(of(Operation::SetMany), entries, run).await
    }

    async fn delete_many(&self, keys: &[&str]) -> Result<u64> {
        self.layer.call(of(Operation::DeleteMany), keys, |keys| self.store.delete_many(keys)).await
    }

    async fn increment(&self, key: &str, by: i64, lifetime: Lifetime) -> Result<i64> {
        let run = |key| self.store.increment(key, by, lifetime);
        self.layer.call(of(Operation::Increment), key, run).await
    }

    async fn take(&self, key: &str) -> Result<Option<Entry>> {
        self.layer.call(of(Operation::Take), key, |key| self.store.take(key)).await
    }

    async fn touch(&self, key: &str, lifetime: Lifetime) -> Result<bool> {
        let run = |key| self.store.touch(key, lifetime);
        self.layer.call(of(Operation::Touch), key, run).await
    }

    async fn execute(&self, commands: Vec<Command>) -> Result<Vec<Result<Reply>>> {
        let run = |commands| self.store.execute(commands);
        self.layer.call(Call::batch(&commands), commands, run).await
    }

    async fn now(&self) -> Result<Duration> {
        self.layer.call(of(Operation::Now), (), |()| self.store.now()).await
    }

    fn watch(&self, prefix: &str, watcher: Weak<dyn Watcher>) -> Result<()> {
        self.store.watch(prefix, watcher)
    }

    async fn ping(&self) -> Result<()> {
        self.layer.call(of(Operation::Ping), (), |()| self.store.ping()).await
    }

    async fn stats(&self) -> Result<Stats> {
        self.layer.call(of(Operation::Stats), (), |()| self.store.stats()).await
    }

    async fn close(&self) -> Result<()> {
        self.layer.call(of(Operation::Close), (), |()| self.store.close()).await
    }

    fn queue_engine(&self) -> QueueSupport {
        match self.store.queue_engine() {
            QueueSupport::Native(engine) => {
                let layer = Arc::clone(&self.layer);
                QueueSupport::Native(Arc::new(LayeredQueues { layer, engine }))
            }
            other => other,
        }
    }
}
