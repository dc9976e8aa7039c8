//! Memory's engine, watched: what arrives is written down, and a test can hold or fail it.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use kv_core::queue::{
    Control, Controlled, Exchange, Exchanged, Inspect, Inspected, Maintain, Maintained, Operation,
    Partition, QueueEngine, QueueSupport, Submit, Submitted,
};
use kv_core::{
    Capabilities, Clock, Condition, Effect, Entry, Error, ErrorKind, KeyValueStore, Outcome,
    Remaining, Result, ScanPage, ScanRequest, Store, Write,
};
use kv_memory::MemoryStore;
use kv_queue::{Queue, QueueBuilder};
use tokio::sync::watch;
use tokio::time::Instant;

/// What arrived.
#[derive(Clone, Debug)]
pub(crate) enum Call {
    Exchange { partition: u32, acks: usize, operations: Vec<Operation>, claim: Option<usize> },
    Maintain,
    Inspect,
    Wait,
}

/// Who listens in. Clones share what they heard.
#[derive(Clone)]
pub(crate) struct Watched(Arc<Watcher>);

struct Watcher {
    memory: MemoryStore,
    calls: Mutex<Vec<Call>>,
    /// How many wait for wake-ups.
    waiting: watch::Sender<usize>,
    /// The partitions whose calls hang.
    held: watch::Sender<HashSet<u32>>,
    /// How long a submit and an operator's request take.
    time: Mutex<Duration>,
    /// With what every submit fails.
    refusal: Mutex<Option<ErrorKind>>,
    /// How many exchanges are executed, and their replies lost.
    lost: Mutex<usize>,
    /// With what every call fails.
    failure: Mutex<Option<(ErrorKind, Effect)>>,
}

/// Tokio's time, which a test can pause.
#[derive(Debug)]
struct TokioClock(Instant);

impl Clock for TokioClock {
    fn now(&self) -> Duration {
        self.0.elapsed()
    }

    fn wall(&self) -> Duration {
        Duration::from_secs(1_800_000_000) + self.0.elapsed()
    }
}

impl Watched {
    pub(crate) fn new() -> Self {
        let memory = MemoryStore::builder().clock(TokioClock(Instant::now())).build();
        let (calls, failure) = (Mutex::default(), Mutex::default());
        let (time, lost, refusal) = (Mutex::default(), Mutex::default(), Mutex::default());
        let (waiting, held) = (watch::Sender::default(), watch::Sender::default());
        Self(Arc::new(Watcher { memory, calls, waiting, held, time, refusal, lost, failure }))
    }

    pub(crate) fn builder(&self) -> (QueueBuilder<u32>, Store) {
        (Queue::builder("watched"), Store::new(self.clone()))
    }

    pub(crate) async fn queue(&self, partitions: u32) -> Queue<u32> {
        let (builder, store) = self.builder();
        builder.partitions(partitions).lease(LEASE).open(&store).await.unwrap()
    }

    pub(crate) fn hold(&self, partition: u32) {
        self.0.held.send_modify(|held| held.extend([partition]));
    }

    pub(crate) fn release(&self) {
        self.0.held.send_modify(HashSet::clear);
    }

    pub(crate) fn fail(&self, kind: Option<ErrorKind>) {
        *self.0.failure.lock().unwrap() = kind.map(|kind| (kind, Effect::NotApplied));
    }

    /// Fails every call, and says that it may have been executed.
    pub(crate) fn fail_unsure(&self, kind: ErrorKind) {
        *self.0.failure.lock().unwrap() = Some((kind, Effect::MaybeApplied));
    }

    pub(crate) fn refuse_submits(&self, kind: Option<ErrorKind>) {
        *self.0.refusal.lock().unwrap() = kind;
    }

    /// Has each submit, and each request of an operator that changes something, take so long.
    pub(crate) fn take_time(&self, time: Duration) {
        *self.0.time.lock().unwrap() = time;
    }

    /// Executes the next exchanges, and loses their replies.
    pub(crate) fn lose_replies(&self, exchanges: usize) {
        *self.0.lost.lock().unwrap() = exchanges;
    }

    pub(crate) fn waiting(&self) -> usize {
        *self.0.waiting.borrow()
    }

    /// What arrived since the last time.
    pub(crate) fn take_calls(&self) -> Vec<Call> {
        std::mem::take(&mut self.calls())
    }

    fn calls(&self) -> MutexGuard<'_, Vec<Call>> {
        self.0.calls.lock().unwrap()
    }

    /// How many are in use of what the queues of this store have been given.
    pub(crate) fn users(&self) -> usize {
        Arc::strong_count(&self.0) - 1
    }

    fn inner(&self) -> Arc<dyn QueueEngine> {
        match self.0.memory.queue_engine() {
            QueueSupport::Native(engine) => engine,
            other => panic!("{other:?}"),
        }
    }

    async fn pass(&self, partition: Option<u32>, call: Option<Call>) -> Result<()> {
        self.calls().extend(call);
        if let Some(number) = partition {
            let mut held = self.0.held.subscribe();
            held.wait_for(|held| !held.contains(&number)).await.unwrap();
        }
        match *self.0.failure.lock().unwrap() {
            None => Ok(()),
            Some((kind, effect)) => {
                let error = Error::new(kind, "as the test asked for");
                Err(if effect == Effect::MaybeApplied { error.maybe_applied() } else { error })
            }
        }
    }
}

/// Somebody waits until this is dropped.
struct Waiting<'a>(&'a watch::Sender<usize>);

impl<'a> Waiting<'a> {
    fn begin(waiting: &'a watch::Sender<usize>) -> Self {
        waiting.send_modify(|waiting| *waiting += 1);
        Self(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|waiting| *waiting -= 1);
    }
}

/// How long a lease of a watched queue is.
pub(crate) const LEASE: Duration = Duration::from_secs(3);

#[async_trait]
impl QueueEngine for Watched {
    async fn open(&self, queue: &str, partitions: u32) -> Result<()> {
        self.inner().open(queue, partitions).await
    }

    async fn submit(&self, partition: &Partition, request: Submit) -> Result<Vec<Submitted>> {
        let time = *self.0.time.lock().unwrap();
        tokio::time::sleep(time).await;
        if let Some(kind) = *self.0.refusal.lock().unwrap() {
            return Err(Error::new(kind, "as the test asked for"));
        }
        self.inner().submit(partition, request).await
    }

    async fn exchange(&self, partition: &Partition, request: Exchange) -> Result<Exchanged> {
        let call = Call::Exchange {
            partition: partition.number,
            acks: request.acks.len(),
            operations: request.operations.iter().map(|(_, one)| one.clone()).collect(),
            claim: request.claim.map(|claim| claim.limit),
        };
        self.pass(Some(partition.number), Some(call)).await?;
        let answer = self.inner().exchange(partition, request).await;
        let is_lost = {
            let mut lost = self.0.lost.lock().unwrap();
            let is_lost = *lost > 0;
            *lost = lost.saturating_sub(1);
            is_lost
        };
        if is_lost {
            return Err(Error::new(ErrorKind::Timeout, "the reply is lost").maybe_applied());
        }
        answer
    }

    async fn maintain(&self, partition: &Partition, request: Maintain) -> Result<Maintained> {
        self.pass(Some(partition.number), Some(Call::Maintain)).await?;
        self.inner().maintain(partition, request).await
    }

    async fn control(&self, partition: &Partition, request: Control) -> Result<Controlled> {
        let time = *self.0.time.lock().unwrap();
        tokio::time::sleep(time).await;
        self.inner().control(partition, request).await
    }

    async fn inspect(&self, partition: &Partition, request: Inspect) -> Result<Inspected> {
        self.pass(Some(partition.number), Some(Call::Inspect)).await?;
        self.inner().inspect(partition, request).await
    }

    async fn remove(&self, queue: &str, partitions: u32) -> Result<()> {
        self.inner().remove(queue, partitions).await
    }

    async fn wait(&self, partitions: &[Partition], timeout: Duration) -> Result<Vec<u32>> {
        self.pass(None, Some(Call::Wait)).await?;
        let _waiting = Waiting::begin(&self.0.waiting);
        let waited = tokio::time::timeout(timeout, self.inner().wait(partitions, timeout)).await;
        waited.unwrap_or_else(|_| Ok(Vec::new()))
    }
}

#[async_trait]
impl KeyValueStore for Watched {
    async fn get(&self, key: &str) -> Result<Option<Entry>> {
        self.0.memory.get(key).await
    }

    async fn set(&self, key: &str, value: Bytes, write: Write) -> Result<Outcome> {
        self.0.memory.set(key, value, write).await
    }

    async fn delete(&self, key: &str, condition: Condition) -> Result<bool> {
        self.0.memory.delete(key, condition).await
    }

    async fn ttl(&self, key: &str) -> Result<Option<Remaining>> {
        self.0.memory.ttl(key).await
    }

    async fn scan(&self, request: ScanRequest<'_>) -> Result<ScanPage> {
        self.0.memory.scan(request).await
    }

    fn capabilities(&self) -> Capabilities {
        self.0.memory.capabilities()
    }

    async fn now(&self) -> Result<Duration> {
        self.0.memory.now().await
    }

    fn queue_engine(&self) -> QueueSupport {
        QueueSupport::Native(Arc::new(self.clone()))
    }
}
