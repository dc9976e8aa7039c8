//! Handlers of many jobs at a time.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared, WeakShared};
use kv_core::Result;
use serde::de::DeserializeOwned;
use tokio::sync::Notify;

use super::slot::caught;
use super::{Worker, WorkerSummary};
use crate::outcome::{IntoOutcome, Outcome};
use crate::queue::Delivery;

/// How long a batch that is not full waits for more jobs.
const LINGER: Duration = Duration::from_millis(10);

/// The outcomes of a batch, in the order of its deliveries.
type Said = Arc<[Outcome]>;

impl<T: DeserializeOwned + Send + 'static> Worker<T> {
    /// Runs the handler on batches of up to `size` jobs, until the worker is stopped or the queue is
    /// drained. The handler returns one outcome for each job, in the order of the jobs.
    ///
    /// [`concurrency`](Worker::concurrency) counts batches. A batch begins when it is full, or 10 ms
    /// after its first job. Jobs are settled one by one: a job that failed harms no other. If the
    /// handler panics or returns another number of outcomes, all jobs of the batch have failed. If a
    /// job loses its lease or takes longer than [`job_timeout`](Worker::job_timeout), the batch goes
    /// on for the others; [`Delivery::is_cancelled`] tells which job lost its lease.
    ///
    /// ```
    /// use kv_queue::{Outcome, Queue, Worker};
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// # let store = kv_core::Store::new(kv_memory::MemoryStore::new());
    /// let queue = Queue::<u32>::open(&store, "rows").await?;
    /// queue.enqueue_many(0..10_u32).await?;
    /// let worker = Worker::new(queue).concurrency(1).until_drained();
    /// let summary = worker
    ///     .run_batches(5, |rows| async move {
    ///         rows.iter()
    ///             .map(|row| match row.payload() {
    ///                 7 => Outcome::fail("no row has this number"),
    ///                 _ => Outcome::Done,
    ///             })
    ///             .collect()
    ///     })
    ///     .await?;
    /// assert_eq!((summary.done, summary.buried), (9, 1));
    /// # Ok::<(), kv_core::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As those of [`run`](Worker::run).
    ///
    /// # Cancel safety
    /// A dropped future drops the handlers; their jobs come back when their leases end. Use the
    /// token to stop.
    pub async fn run_batches<H, Fut, R>(self, size: usize, handler: H) -> Result<WorkerSummary>
    where
        H: Fn(Vec<Delivery<T>>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Vec<R>> + Send + 'static,
        R: IntoOutcome + Send + 'static,
    {
        let size = size.max(1);
        let concurrency = self.concurrency.saturating_mul(size);
        let batches = Batches::new(size, handler);
        self.concurrency(concurrency).run(move |delivery| Arc::clone(&batches).join(delivery)).await
    }
}

/// Forms batches of deliveries.
struct Batches<T, H> {
    size: usize,
    handler: H,
    open: Mutex<Option<Open<T>>>,
}

/// The batch that has room. Its run belongs to the deliveries that wait for it: when all of them are
/// dropped, the run is dropped too.
struct Open<T> {
    members: Arc<Members<T>>,
    run: WeakShared<BoxFuture<'static, Said>>,
}

struct Members<T> {
    deliveries: Mutex<Vec<Delivery<T>>>,
    full: Notify,
}

impl<T, H, Fut, R> Batches<T, H>
where
    T: Send + 'static,
    H: Fn(Vec<Delivery<T>>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Vec<R>> + Send + 'static,
    R: IntoOutcome + Send + 'static,
{
    fn new(size: usize, handler: H) -> Arc<Self> {
        Arc::new(Self { size, handler, open: Mutex::new(None) })
    }

    /// Adds a delivery to a batch. Ends with what the handler says of it.
    async fn join(self: Arc<Self>, delivery: Delivery<T>) -> Outcome {
        let (run, place) = self.place(delivery);
        let said = run.await;
        said.get(place).cloned().unwrap_or_else(|| Outcome::retry("the batch lost this job"))
    }

    /// The batch of a delivery, and the delivery's place in it.
    fn place(self: &Arc<Self>, delivery: Delivery<T>) -> (Shared<BoxFuture<'static, Said>>, usize) {
        let mut open = locked(&self.open);
        let found = open.as_ref().and_then(|it| Some((it.run.upgrade()?, Arc::clone(&it.members))));
        let (run, members) = found.unwrap_or_else(|| {
            let members = Arc::new(Members { deliveries: Mutex::default(), full: Notify::new() });
            let run = Arc::clone(self).run(Arc::clone(&members)).boxed().shared();
            let weak = run.downgrade();
            *open = weak.map(|weak| Open { members: Arc::clone(&members), run: weak });
            (run, members)
        });
        let mut deliveries = locked(&members.deliveries);
        deliveries.push(delivery);
        if deliveries.len() >= self.size {
            *open = None;
            members.full.notify_one();
        }
        (run, deliveries.len().saturating_sub(1))
    }

    /// Waits until the batch is full or old enough, and handles it.
    async fn run(self: Arc<Self>, members: Arc<Members<T>>) -> Said {
        drop(tokio::time::timeout(LINGER, members.full.notified()).await);
        let deliveries = self.close(&members);
        let jobs = deliveries.len();
        // Called inside, since the call itself may panic. Outcomes are made here for the same reason.
        let handling = async {
            let said = (self.handler)(deliveries).await;
            said.into_iter().map(IntoOutcome::into_outcome).collect::<Said>()
        };
        match caught(handling).await {
            Ok(said) if said.len() == jobs => said,
            Ok(said) => {
                let outcomes = said.len();
                all(jobs, &format!("the handler returned {outcomes} outcomes for {jobs} jobs"))
            }
            Err(panicked) => all(jobs, &panicked),
        }
    }

    /// Lets no more deliveries into a batch, and takes those that are in it.
    fn close(&self, members: &Arc<Members<T>>) -> Vec<Delivery<T>> {
        let mut open = locked(&self.open);
        if open.as_ref().is_some_and(|open| Arc::ptr_eq(&open.members, members)) {
            *open = None;
        }
        std::mem::take(&mut *locked(&members.deliveries))
    }
}

/// All jobs of a batch have failed.
fn all(jobs: usize, reason: &str) -> Said {
    (0..jobs).map(|_| Outcome::retry(reason)).collect()
}

fn locked<V>(mutex: &Mutex<V>) -> MutexGuard<'_, V> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
