//! The engine for stores that bring none: the queue's machine on conditional writes.
//!
//! One value under `QUEUE:N:index`, the index, holds all tables of a partition's machine. A step
//! reads the index, changes it, and writes it back if nobody else wrote meanwhile; otherwise the
//! step begins again. Instead of bodies and checkpoints the index holds short names of blobs, which
//! are values under `QUEUE:N:body:NAME`. A blob is written under a fresh name before the index that
//! names it, never changes, and is deleted after the index no longer names it. So an index never
//! names a blob that was not written. A crash can leave a blob that no index names; nobody reads
//! it.
//!
//! A step costs a reading of the clock, a read and a write of the index, whose size grows with its
//! jobs, and the reads, writes and deletes of blobs. A partition holds up to [`MAX_JOBS`] ready,
//! timed or leased jobs, as many dead letters, and [`MAX_UNIQUE`] unique keys.

mod blobs;
mod exchange;
mod index;
mod inspect;
mod remove;
mod step;
mod submit;
#[cfg(test)]
mod tests;
mod turns;
mod wait;

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use kv_core::queue::check_partitions;
use kv_core::queue::{
    Control, Controlled, Exchange, Exchanged, Inspect, Inspected, Maintain, Maintained, Partition,
    QueueEngine, Submit, Submitted,
};
use kv_core::{Clock, Error, ErrorKind, KeyValueStore, Result, async_trait};

use step::Blobs;
use turns::Turns;

/// The most ready, timed and leased jobs of a partition together, and the most dead letters that it
/// keeps.
const MAX_JOBS: u32 = 10_000;

/// The most unique keys of a partition: as many as its jobs and dead letters can hold.
const MAX_UNIQUE: usize = 20_000;

/// Runs queues on any store that declares conditional writes.
///
/// The time of a step is the store's clock, or the given clock's date if the store has none. A verb
/// on a queue that this engine has not opened, or on an unknown partition, fails with `Config`.
///
/// Steps of one engine on one partition take turns, so only other processes make a step begin
/// again; after too many attempts the step fails with `Conflict`. If the result of a step's last
/// write is unknown, the error says `MaybeApplied`, and the caller can repeat the request on its
/// session.
///
/// # Cancel safety
/// A dropped step is executed whole or not at all. It may leave blobs that no index names.
#[derive(Debug)]
pub(crate) struct GenericEngine {
    store: StoreHandle,
    clock: Arc<dyn Clock>,
    queues: RwLock<HashMap<Arc<str>, Arc<Turns>>>,
    /// The part of blob names that is unique to this engine.
    nonce: u64,
    names: AtomicU64,
    rng: Mutex<fastrand::Rng>,
}

/// A store that can be part of a `Debug` text.
struct StoreHandle(Arc<dyn KeyValueStore>);

impl std::fmt::Debug for StoreHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("store")
    }
}

impl GenericEngine {
    /// An engine on a store that declares [`CONDITIONS`](kv_core::Capabilities::CONDITIONS), with a
    /// clock for a store without one.
    pub(crate) fn new(store: Arc<dyn KeyValueStore>, clock: Arc<dyn Clock>) -> Self {
        Self::with_nonce(store, clock, RandomState::new().hash_one("blobs"))
    }

    /// An engine whose blob names and pauses derive from a number that no other engine has.
    fn with_nonce(store: Arc<dyn KeyValueStore>, clock: Arc<dyn Clock>, nonce: u64) -> Self {
        Self {
            store: StoreHandle(store),
            clock,
            queues: RwLock::default(),
            nonce,
            names: AtomicU64::new(0),
            rng: Mutex::new(fastrand::Rng::with_seed(nonce)),
        }
    }

    fn store(&self) -> &dyn KeyValueStore {
        &*self.store.0
    }

    async fn now(&self) -> Result<Duration> {
        match self.store().now().await {
            Err(error) if error.kind() == ErrorKind::Unsupported => Ok(self.clock.wall()),
            answer => answer,
        }
    }

    fn turns(&self, partition: &Partition) -> Result<Arc<Turns>> {
        let queues = self.queues.read().unwrap_or_else(PoisonError::into_inner);
        let turns = queues.get(&partition.queue).filter(|turns| turns.has(partition.number));
        turns.cloned().ok_or_else(|| {
            let message = format!("partition {} is not open in this store", partition.number);
            Error::new(ErrorKind::Config, message).key(&partition.queue)
        })
    }

    /// A random duration between 0 and `most`.
    fn jitter(&self, most: Duration) -> Duration {
        let mut rng = self.rng.lock().unwrap_or_else(PoisonError::into_inner);
        most.mul_f64(rng.f64())
    }
}

#[async_trait]
impl QueueEngine for GenericEngine {
    async fn open(&self, queue: &str, partitions: u32) -> Result<()> {
        check_partitions(queue, partitions)?;
        index::open(self.store(), queue, partitions).await?;
        let mut queues = self.queues.write().unwrap_or_else(PoisonError::into_inner);
        queues.entry(queue.into()).or_insert_with(|| Arc::new(Turns::new(partitions)));
        Ok(())
    }

    async fn submit(&self, partition: &Partition, request: Submit) -> Result<Vec<Submitted>> {
        self.submit_jobs(partition, request).await
    }

    async fn exchange(&self, partition: &Partition, request: Exchange) -> Result<Exchanged> {
        self.exchange_jobs(partition, request).await
    }

    async fn maintain(&self, partition: &Partition, request: Maintain) -> Result<Maintained> {
        let request = Maintain { policy: step::bounded(request.policy), ..request };
        self.step(partition, Blobs::default(), |machine| machine.maintain(&request)).await
    }

    async fn control(&self, partition: &Partition, request: Control) -> Result<Controlled> {
        self.step(partition, Blobs::default(), |machine| machine.control(&request)).await
    }

    async fn inspect(&self, partition: &Partition, request: Inspect) -> Result<Inspected> {
        self.look(partition, request).await
    }

    /// Polls for a claimable job, and checks at once when this engine made one claimable.
    async fn wait(&self, partitions: &[Partition], timeout: Duration) -> Result<Vec<u32>> {
        self.wait_for(partitions, timeout).await
    }

    async fn remove(&self, queue: &str, partitions: u32) -> Result<()> {
        self.remove_queue(queue, partitions).await
    }
}
