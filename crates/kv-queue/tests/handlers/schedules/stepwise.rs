//! Memory's store and engine, which pause before and after each call, so that a test can drop the
//! caller at either place; what is submitted is written down.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use kv_core::queue::{
    Control, Controlled, Exchange, Exchanged, Inspect, Inspected, Maintain, Maintained, Partition,
    QueueEngine, QueueSupport, Submit, Submitted,
};
use kv_core::{
    Capabilities, Condition, Entry, KeyValueStore, Outcome, Remaining, Result, ScanPage,
    ScanRequest, Write,
};
use kv_memory::MemoryStore;
use tokio::task::yield_now;

/// The store of one simulated process. Clones share the memory.
#[derive(Clone)]
pub(super) struct Stepwise {
    memory: MemoryStore,
    engine: Arc<StepwiseEngine>,
}

struct StepwiseEngine {
    engine: Arc<dyn QueueEngine>,
    /// Whether it adds every job, whoever holds its unique key: a fault for a test to find.
    forgets: bool,
    /// How often a job was added under each unique key.
    added: Mutex<BTreeMap<String, usize>>,
}

impl Stepwise {
    pub(super) fn on(memory: MemoryStore, forgets: bool) -> Self {
        let QueueSupport::Native(engine) = memory.queue_engine() else { panic!("no engine") };
        let engine = Arc::new(StepwiseEngine { engine, forgets, added: Mutex::default() });
        Self { memory, engine }
    }

    pub(super) fn added(&self) -> BTreeMap<String, usize> {
        self.engine.added.lock().unwrap().clone()
    }
}

/// Runs a call between two pauses.
async fn between<R>(call: impl Future<Output = R>) -> R {
    yield_now().await;
    let answer = call.await;
    yield_now().await;
    answer
}

#[async_trait]
impl KeyValueStore for Stepwise {
    async fn get(&self, key: &str) -> Result<Option<Entry>> {
        between(self.memory.get(key)).await
    }

    async fn set(&self, key: &str, value: Bytes, write: Write) -> Result<Outcome> {
        between(self.memory.set(key, value, write)).await
    }

    async fn delete(&self, key: &str, condition: Condition) -> Result<bool> {
        between(self.memory.delete(key, condition)).await
    }

    async fn ttl(&self, key: &str) -> Result<Option<Remaining>> {
        self.memory.ttl(key).await
    }

    async fn scan(&self, request: ScanRequest<'_>) -> Result<ScanPage> {
        self.memory.scan(request).await
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::CONDITIONS | Capabilities::TTL
    }

    async fn now(&self) -> Result<Duration> {
        between(self.memory.now()).await
    }

    fn queue_engine(&self) -> QueueSupport {
        QueueSupport::Native(self.engine.clone())
    }
}

#[async_trait]
impl QueueEngine for StepwiseEngine {
    async fn open(&self, queue: &str, partitions: u32) -> Result<()> {
        self.engine.open(queue, partitions).await
    }

    async fn submit(&self, partition: &Partition, mut request: Submit) -> Result<Vec<Submitted>> {
        let keys = request.jobs.iter().map(|job| job.unique.as_ref().map(|it| it.key.clone()));
        let keys: Vec<_> = keys.collect();
        if self.forgets {
            request.jobs.iter_mut().for_each(|job| job.unique = None);
        }
        let submit = async {
            let answers = self.engine.submit(partition, request).await?;
            let mut added = self.added.lock().unwrap();
            for (key, answer) in keys.into_iter().zip(&answers) {
                if let (Some(key), Submitted::Added(_)) = (key, answer) {
                    *added.entry(key).or_default() += 1;
                }
            }
            Ok(answers)
        };
        between(submit).await
    }

    async fn exchange(&self, partition: &Partition, request: Exchange) -> Result<Exchanged> {
        self.engine.exchange(partition, request).await
    }

    async fn maintain(&self, partition: &Partition, request: Maintain) -> Result<Maintained> {
        self.engine.maintain(partition, request).await
    }

    async fn control(&self, partition: &Partition, request: Control) -> Result<Controlled> {
        self.engine.control(partition, request).await
    }

    async fn inspect(&self, partition: &Partition, request: Inspect) -> Result<Inspected> {
        self.engine.inspect(partition, request).await
    }

    async fn wait(&self, partitions: &[Partition], timeout: Duration) -> Result<Vec<u32>> {
        self.engine.wait(partitions, timeout).await
    }
}
