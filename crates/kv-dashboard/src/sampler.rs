//! One count of the queues for all viewers.
//!
//! A page takes the last count if it is fresh, and else counts anew, so pages count the queues no
//! more often than every so many seconds, however many ask. Live viewers share one task. The first of
//! them starts it, and it ends with the last.

mod count;
mod history;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use kv_core::{Clock, Store};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::AbortHandle;

use count::Handles;
use history::History;
pub(crate) use history::as_f64;
pub use history::{QueueSample, Snapshot};

/// The most live viewers at a time.
pub(crate) const MAX_VIEWERS: usize = 64;

/// The least pause after a count, in lengths of the count: counting takes at most a fifth of the
/// time.
const PAUSE: u32 = 4;

/// Counts the queues of a store, for any number of viewers in this process.
///
/// Whoever asks within the period gets the same count, so viewers cost what one does. A queue that does
/// not answer is given up after five seconds, and the first 1,000 queues by name are counted.
///
/// ```
/// use kv_dashboard::Sampler;
/// use kv_queue::Queue;
/// use std::sync::Arc;
/// use std::time::Duration;
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// # let store = kv_core::Store::new(kv_memory::MemoryStore::new());
/// Queue::<String>::open(&store, "mails").await?.enqueue("hello".to_owned()).await?;
/// let clock = Arc::new(kv_core::SystemClock::new());
/// let sampler = Sampler::new(store, clock, Duration::from_secs(2));
/// let snapshot = sampler.snapshot().await;
/// assert_eq!(snapshot.queues[0].stats.as_ref().unwrap().ready, 1);
/// # Ok::<(), kv_core::Error>(()) }).unwrap();
/// ```
#[derive(Clone)]
pub struct Sampler(Arc<Shared>);

struct Shared {
    store: Store,
    clock: Arc<dyn Clock>,
    every: Duration,
    /// Whoever holds the one permit counts.
    turn: Semaphore,
    handles: Handles,
    history: Mutex<History>,
    latest: watch::Sender<Option<Arc<Snapshot>>>,
    /// Whether something was changed since the latest count began.
    is_stale: AtomicBool,
    task: Mutex<Weak<Task>>,
    viewers: Arc<Semaphore>,
}

/// The task that counts for live viewers; it ends when nobody holds this.
struct Task(AbortHandle);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A live viewer's place.
pub(crate) struct Watch {
    sampler: Sampler,
    seen: watch::Receiver<Option<Arc<Snapshot>>>,
    _task: Arc<Task>,
    _place: OwnedSemaphorePermit,
}

impl Watch {
    /// A fresh count at once.
    pub(crate) async fn first(&mut self) -> Option<Arc<Snapshot>> {
        let snapshot = self.sampler.snapshot().await;
        self.seen.mark_unchanged();
        Some(snapshot)
    }

    /// The latest count that was not returned yet, when there is one. `None` if there will be none.
    ///
    /// # Cancel safety
    /// A dropped future has skipped nothing.
    pub(crate) async fn next(&mut self) -> Option<Arc<Snapshot>> {
        self.seen.changed().await.ok()?;
        self.seen.borrow_and_update().clone()
    }
}

impl Sampler {
    /// A sampler that counts at most once in a period, and stamps its counts with the clock.
    pub fn new(store: Store, clock: Arc<dyn Clock>, every: Duration) -> Self {
        Self(Arc::new(Shared {
            store,
            clock,
            every,
            turn: Semaphore::new(1),
            handles: Handles::default(),
            history: Mutex::default(),
            latest: watch::Sender::new(None),
            is_stale: AtomicBool::new(false),
            task: Mutex::default(),
            viewers: Arc::new(Semaphore::new(MAX_VIEWERS)),
        }))
    }

    /// The queues, as counted no longer than the sampler's period ago. A store that fails is told in the
    /// snapshot.
    ///
    /// # Cancel safety
    /// A dropped future ends its count; the next caller counts anew.
    pub async fn snapshot(&self) -> Arc<Snapshot> {
        self.0.fresh().await
    }

    /// Makes the next page count anew, because a viewer has changed something.
    pub(crate) fn expire(&self) {
        self.0.is_stale.store(true, Ordering::Relaxed);
    }

    /// A place among the live viewers; `None` if all are taken.
    pub(crate) fn watch(&self) -> Option<Watch> {
        let place = Arc::clone(&self.0.viewers).try_acquire_owned().ok()?;
        let mut held = self.0.task.lock().unwrap_or_else(PoisonError::into_inner);
        let task = held.upgrade().unwrap_or_else(|| {
            let task = Arc::new(Task(tokio::spawn(count_on(Arc::clone(&self.0))).abort_handle()));
            *held = Arc::downgrade(&task);
            task
        });
        let (sampler, seen) = (self.clone(), self.0.latest.subscribe());
        Some(Watch { sampler, seen, _task: task, _place: place })
    }
}

/// Counts until the task is ended.
async fn count_on(shared: Arc<Shared>) {
    loop {
        let before = shared.clock.now();
        shared.fresh().await;
        let took = shared.clock.now().saturating_sub(before);
        tokio::time::sleep(shared.every.max(took * PAUSE)).await;
    }
}

impl Shared {
    async fn fresh(&self) -> Arc<Snapshot> {
        // The semaphore is never closed.
        let _turn = self.turn.acquire().await;
        let is_stale = self.is_stale.swap(false, Ordering::Relaxed);
        if let Some(latest) = self.latest.borrow().clone().filter(|_| !is_stale)
            && self.clock.now().saturating_sub(latest.taken) < self.every
        {
            return latest;
        }
        let counted = count::count(&self.store, &self.handles).await;
        let (now, date) = (self.clock.now(), self.clock.wall());
        let snapshot = Arc::new(self.history().add(counted, now, date));
        self.latest.send_replace(Some(Arc::clone(&snapshot)));
        snapshot
    }

    fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Sampler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let viewers = MAX_VIEWERS - self.0.viewers.available_permits();
        f.debug_struct("Sampler").field("viewers", &viewers).finish_non_exhaustive()
    }
}
