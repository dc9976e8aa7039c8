//! A delivery for a handler, without a queue.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use kv_core::queue::{
    Claimed, Control, Controlled, Exchange, Exchanged, Handle, Inspect, Inspected, JobKey,
    Maintain, Maintained, Operation, Partition, Policy, QueueEngine, SavedProgress, Submit,
    Submitted, Verdict,
};
use kv_core::{
    Condition, Entry, Error, ErrorKind, KeyValueStore, Remaining, Result, ScanPage, ScanRequest,
    Serializer, Store, SystemClock, Write,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::queue::{Delivery, Lease};
use crate::requests::{Connection, Requests, Settings, Undecodable};
use crate::retry::RetryPolicy;

/// Makes a [`Delivery`] for a handler, without a queue.
///
/// ```
/// use kv_queue::Delivery;
/// use kv_queue::testing::Handed;
///
/// async fn handle(delivery: Delivery<String>) -> Result<(), &'static str> {
///     let seen: u32 = delivery.restore().ok().flatten().unwrap_or(0);
///     delivery.checkpoint(&(seen + 1)).await.map_err(|_| "lost")?;
///     if delivery.attempt() < 3 { Err("not yet") } else { Ok(()) }
/// }
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let (delivery, job) = Handed::new("page".to_owned()).attempt(3).saved(&7_u32)?.deliver();
/// assert_eq!(handle(delivery).await, Ok(()));
/// assert_eq!(job.saved::<u32>()?, Some(8));
/// # Ok::<(), kv_core::Error>(()) }).unwrap();
/// ```
#[derive(Debug)]
pub struct Handed<T> {
    payload: T,
    queue: String,
    attempt: u32,
    checkpoint: Option<SavedProgress>,
    group: Option<Arc<str>>,
}

impl<T> Handed<T> {
    /// The first delivery of a job of the queue `test`.
    pub fn new(payload: T) -> Self {
        Self { payload, queue: "test".to_owned(), attempt: 1, checkpoint: None, group: None }
    }

    /// The name of the queue.
    #[must_use]
    pub fn queue(self, name: impl Into<String>) -> Self {
        Self { queue: name.into(), ..self }
    }

    /// The number of the attempt, from 1; the number of the delivery too.
    #[must_use]
    pub fn attempt(self, attempt: u32) -> Self {
        Self { attempt: attempt.max(1), ..self }
    }

    /// The job's group.
    #[must_use]
    pub fn group(self, name: &str) -> Self {
        Self { group: Some(name.into()), ..self }
    }

    /// A state that an earlier delivery has saved.
    ///
    /// # Errors
    /// `Serialization` if JSON cannot hold the state.
    pub fn saved<S: Serialize + ?Sized>(self, state: &S) -> Result<Self> {
        let state = Serializer::Json.encode(state)?;
        Ok(Self { checkpoint: Some(SavedProgress { state, progress: 0 }), ..self })
    }

    /// The delivery, and the job as its handler leaves it.
    pub fn deliver(self) -> (Delivery<T>, HandedJob) {
        let Self { payload, queue, attempt, checkpoint, group } = self;
        let told = Arc::new(Told::default());
        let partitions = vec![Partition { queue: queue.as_str().into(), number: 0 }];
        let engine: Arc<dyn QueueEngine> = Arc::<Told>::clone(&told);
        let (store, clock) = (Store::new(Nothing), Arc::new(SystemClock::new()));
        let connection = Connection::new(engine, store, clock, partitions, settings(&queue));
        let requests = Arc::new(Requests::new(connection));
        let handle = Handle { key: JobKey::new(8, 1), token: 1 };
        let body = Bytes::new();
        let claimed =
            Claimed { handle, body, attempt, delivery: attempt, checkpoint, group, enqueued: None };
        let lease = Arc::new(Lease::of(&requests, 0, claimed));
        let job = HandedJob { told, lease: Arc::clone(&lease) };
        (Delivery::new(payload, lease), job)
    }
}

/// A job as the handler of a [`Handed`] delivery leaves it.
pub struct HandedJob {
    told: Arc<Told>,
    lease: Arc<Lease>,
}

impl HandedJob {
    /// What the handler asked for, in order: `None` for an ack.
    pub fn operations(&self) -> Vec<Option<Operation>> {
        self.told.lock().clone()
    }

    /// The last state that the handler saved.
    ///
    /// # Errors
    /// `Serialization` if it does not decode as an `S`.
    pub fn saved<S: DeserializeOwned>(&self) -> Result<Option<S>> {
        let operations = self.told.lock();
        let saved = operations.iter().rev().find_map(|operation| match operation {
            Some(Operation::Checkpoint { state, .. }) => Some(state),
            _ => None,
        });
        saved.map(|state| Serializer::Json.decode(state)).transpose()
    }

    /// Takes the lease from the handler: [`Delivery::cancelled`] ends, and its verbs fail.
    pub fn lose(&self) {
        self.told.is_lost.store(true, Ordering::Release);
        self.lease.lose(Verdict::Stale);
    }
}

impl std::fmt::Debug for HandedJob {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HandedJob").field("id", &self.lease.id()).finish_non_exhaustive()
    }
}

fn settings(queue: &str) -> Settings {
    Settings {
        note_times: false,
        name: queue.into(),
        lease: Duration::from_secs(30),
        timeout: Duration::from_secs(15),
        max_payload: 1 << 20,
        policy: Policy::default(),
        retry: RetryPolicy::default(),
        undecodable: Undecodable::default(),
        recorder: None,
    }
}

/// An engine that agrees to everything and writes it down.
#[derive(Default)]
struct Told {
    operations: Mutex<Vec<Option<Operation>>>,
    is_lost: AtomicBool,
}

impl Told {
    fn lock(&self) -> MutexGuard<'_, Vec<Option<Operation>>> {
        self.operations.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn verdict(&self, operation: Option<Operation>) -> Verdict {
        if self.is_lost.load(Ordering::Acquire) {
            return Verdict::Stale;
        }
        let verdict = match &operation {
            Some(Operation::Fail { .. }) => Verdict::Buried,
            _ => Verdict::Applied,
        };
        self.lock().push(operation);
        verdict
    }
}

fn no_queue() -> Error {
    Error::new(ErrorKind::Unsupported, "a delivery that was made for a test has no queue")
}

#[async_trait]
impl QueueEngine for Told {
    async fn open(&self, _: &str, _: u32) -> Result<()> {
        Ok(())
    }

    async fn submit(&self, _: &Partition, _: Submit) -> Result<Vec<Submitted>> {
        Err(no_queue())
    }

    async fn exchange(&self, _: &Partition, request: Exchange) -> Result<Exchanged> {
        let acks = request.acks.iter().map(|_| self.verdict(None)).collect();
        let operations = request.operations.into_iter();
        let operations = operations.map(|(_, operation)| self.verdict(Some(operation))).collect();
        Ok(Exchanged { acks, operations, claimed: Vec::new(), more: false, next_due: None })
    }

    async fn maintain(&self, _: &Partition, _: Maintain) -> Result<Maintained> {
        Err(no_queue())
    }

    async fn control(&self, _: &Partition, _: Control) -> Result<Controlled> {
        Err(no_queue())
    }

    async fn inspect(&self, _: &Partition, _: Inspect) -> Result<Inspected> {
        Err(no_queue())
    }

    async fn wait(&self, _: &[Partition], _: Duration) -> Result<Vec<u32>> {
        Err(no_queue())
    }
}

/// A store that holds nothing: a delivery needs only its format.
struct Nothing;

#[async_trait]
impl KeyValueStore for Nothing {
    async fn get(&self, _: &str) -> Result<Option<Entry>> {
        Err(no_queue())
    }

    async fn set(&self, _: &str, _: Bytes, _: Write) -> Result<kv_core::Outcome> {
        Err(no_queue())
    }

    async fn delete(&self, _: &str, _: Condition) -> Result<bool> {
        Err(no_queue())
    }

    async fn ttl(&self, _: &str) -> Result<Option<Remaining>> {
        Err(no_queue())
    }

    async fn scan(&self, _: ScanRequest<'_>) -> Result<ScanPage> {
        Err(no_queue())
    }
}
