//! Runs jobs: claims for free slots, keeps leases alive, settles, stops gracefully.

mod call;
mod drained;
mod listener;
mod running;
mod scheduler;
mod shared;
mod slot;
mod state;
mod summary;
mod supervisor;

use std::fmt;
use std::time::Duration;

use kv_core::Result;
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;

pub use summary::WorkerSummary;

use crate::queue::{Delivery, Queue};

/// Runs a handler on the jobs of a queue, a bounded number at a time.
///
/// - A handler that returns `Ok` has its job acked, unless it settled the delivery itself; one
///   that returns an error, panics or takes too long has failed: its job is tried again as the
///   queue's [`RetryPolicy`](crate::RetryPolicy) says, or buried when its budget is spent.
/// - Jobs are claimed for free slots, and as many ahead as [`prefetch`](Self::prefetch) says. A
///   slot is free as soon as its handler has ended: the job is settled while the next one runs,
///   and at most twice the slots, with what is claimed ahead, are unsettled. Claims and settles
///   of a partition share requests.
/// - While a job is in hand its lease is renewed. If the lease is lost all the same, or the job
///   cancelled, the handler is dropped at its next await.
/// - With nothing to do the worker sleeps until it is woken or a job is due. It asks less than
///   one thing a second of the store then, whatever the number of partitions: that finds what
///   nobody told of, such as a job that another process left behind when it died.
/// - A partition that does not answer delays no other, no renewal and no stop. While the store
///   is away the worker waits, from 100 ms up to 2.5 s at a time, then looks at all partitions.
/// - A handler must not block its thread: blocking code belongs in
///   `tokio::task::spawn_blocking`. One that blocks keeps others from running, and leases from
///   being renewed; a warning in the log names its job.
///
/// ```
/// # use std::sync::atomic::{AtomicU32, Ordering};
/// use kv_queue::{Queue, Worker};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// # let store = kv_core::Store::new(kv_memory::MemoryStore::new());
/// # let sum = AtomicU32::new(0);
/// let queue = Queue::<u32>::open(&store, "numbers").await?;
/// queue.enqueue_many(1..=10_u32).await?;
/// let sum = std::sync::Arc::new(AtomicU32::new(0));
/// let total = sum.clone();
/// let summary = Worker::new(queue)
///     .concurrency(4)
///     .until_drained()
///     .run(move |delivery| {
///         let total = total.clone();
///         async move {
///             total.fetch_add(*delivery.payload(), Ordering::Relaxed);
///             Ok::<(), std::io::Error>(())
///         }
///     })
///     .await?;
/// assert_eq!((summary.done, sum.load(Ordering::Relaxed)), (10, 55));
/// # Ok::<(), kv_core::Error>(()) }).unwrap();
/// ```
pub struct Worker<T> {
    queue: Queue<T>,
    concurrency: usize,
    prefetch: usize,
    stop: CancellationToken,
    stop_within: Duration,
    job_timeout: Option<Duration>,
    until_drained: bool,
}

impl<T> Worker<T> {
    /// A worker of 16 jobs at a time that runs until it is stopped.
    pub fn new(queue: Queue<T>) -> Self {
        Self {
            queue,
            concurrency: 16,
            prefetch: 0,
            stop: CancellationToken::new(),
            stop_within: Duration::from_secs(30),
            job_timeout: None,
            until_drained: false,
        }
    }

    /// How many jobs run at a time; at least 1.
    #[must_use]
    pub fn concurrency(self, jobs: usize) -> Self {
        Self { concurrency: jobs.max(1), ..self }
    }

    /// How many jobs are claimed ahead and kept in hand for the next free slots: none unless set.
    /// It spares short jobs a round trip. Their leases are renewed with those of the running
    /// ones; at a stop they are handed back before those are waited for.
    #[must_use]
    pub fn prefetch(self, jobs: usize) -> Self {
        Self { prefetch: jobs, ..self }
    }

    /// Stops gracefully when the token is cancelled: nothing more is claimed, running jobs may
    /// end.
    #[must_use]
    pub fn stop_on(self, token: CancellationToken) -> Self {
        Self { stop: token, ..self }
    }

    /// How long running jobs may take to end at a stop: 30 seconds unless set. Those that are
    /// not done then are dropped and handed back, so that another worker gets them at once.
    #[must_use]
    pub fn stop_within(self, time: Duration) -> Self {
        Self { stop_within: time, ..self }
    }

    /// A handler that takes longer has failed.
    #[must_use]
    pub fn job_timeout(self, time: Duration) -> Self {
        Self { job_timeout: Some(time), ..self }
    }

    /// Ends when the queue is [drained](Queue::drained), jobs of other workers included.
    #[must_use]
    pub fn until_drained(self) -> Self {
        Self { until_drained: true, ..self }
    }
}

impl<T: DeserializeOwned + Send + 'static> Worker<T> {
    /// Runs the handler on one job after another, until it is stopped or the queue is drained.
    ///
    /// # Errors
    /// One that waiting does not mend: `Closed`, `Auth`, and others that are not of the
    /// connection, a full store or a timeout. Running jobs are given their time first.
    ///
    /// # Cancel safety
    /// A dropped future drops the handlers; their jobs come back when their leases end. Stop by
    /// the token instead.
    pub async fn run<H, Fut, E>(self, handler: H) -> Result<WorkerSummary>
    where
        H: Fn(Delivery<T>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), E>> + Send + 'static,
        E: fmt::Display + Send + 'static,
    {
        supervisor::run(self, handler).await
    }
}

impl<T> fmt::Debug for Worker<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker")
            .field("queue", &self.queue)
            .field("concurrency", &self.concurrency)
            .finish_non_exhaustive()
    }
}
