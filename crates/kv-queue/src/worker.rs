//! Runs jobs: claims for free slots, keeps leases alive, settles, stops gracefully.

mod batch;
mod call;
mod drained;
mod handler;
mod listener;
mod meter;
mod presence;
mod router;
mod running;
mod scheduler;
mod shared;
mod slot;
mod state;
mod stateful;
mod summary;
mod supervisor;
#[cfg(feature = "tower")]
mod tower;

use std::fmt;
use std::time::Duration;

use kv_core::Result;
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;

use handler::Typed;
use meter::Metering;
pub use meter::{Meter, MeteredJob};
pub use router::Router;
pub use stateful::{NoState, WithState};
pub use summary::{Ending, WorkerSummary};

use crate::outcome::IntoOutcome;
use crate::queue::{Delivery, Queue};

/// Runs a handler on the jobs of a queue, a bounded number at a time.
///
/// - If the handler returns nothing or `Ok(())`, the worker acks the job, unless the handler settled
///   the delivery itself. If the handler returns an error, panics or takes too long, the job has
///   failed: it is tried again as the queue's [`RetryPolicy`](crate::RetryPolicy) says, or becomes a
///   dead letter when its budget is spent. An [`Outcome`](crate::Outcome) or a
///   [`Failure`](crate::Failure) says something else.
/// - The worker claims jobs for its free slots, and [`prefetch`](Self::prefetch) more. A slot is
///   free when its handler has ended: the worker settles the job while the next one runs. At most
///   twice as many jobs as there are slots, prefetched jobs counted, are unsettled. Claims and
///   settles of a partition share requests.
/// - The worker renews the leases of its jobs. If a lease is lost all the same, or a job is
///   cancelled, the worker drops the handler at its next await; a handler that has called
///   [`Delivery::cancelled`] may clean up first.
/// - Without work the worker sleeps until a wake-up comes or a job is due. It then sends less than
///   one request a second, whatever the number of partitions. These requests find jobs that nobody
///   announced, such as the jobs of a process that died.
/// - A partition that does not answer delays no other partition, no renewal and no stop. While the
///   store is away the worker waits, from 100 ms up to 2.5 s at a time, and then claims from all
///   partitions.
/// - A handler must not block its thread: blocking code belongs in `tokio::task::spawn_blocking`. A
///   blocking handler keeps other handlers from running and leases from being renewed; a warning in
///   the log names its job.
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
pub struct Worker<T, S = NoState> {
    queue: Queue<T>,
    concurrency: usize,
    prefetch: usize,
    stop: CancellationToken,
    stop_within: Duration,
    job_timeout: Option<Duration>,
    cleanup_within: Duration,
    until_drained: bool,
    metering: Metering,
    name: Option<String>,
    version: Option<String>,
    state: S,
}

impl<T> Worker<T> {
    /// A worker that runs 16 jobs at a time until it is stopped.
    pub fn new(queue: Queue<T>) -> Self {
        Self {
            queue,
            concurrency: 16,
            prefetch: 0,
            stop: CancellationToken::new(),
            stop_within: Duration::from_secs(30),
            job_timeout: None,
            cleanup_within: Duration::from_secs(5),
            until_drained: false,
            metering: Metering::default(),
            name: None,
            version: None,
            state: NoState,
        }
    }
}

impl<T, S> Worker<T, S> {
    /// How many jobs run at a time: 16 by default, at least 1.
    #[must_use]
    pub fn concurrency(self, jobs: usize) -> Self {
        Self { concurrency: jobs.max(1), ..self }
    }

    /// How many jobs the worker claims ahead for the next free slots: none by default. Prefetching
    /// spares short jobs a round trip. The worker renews the leases of prefetched jobs too. A stop
    /// hands them back before it waits for the running jobs.
    #[must_use]
    pub fn prefetch(self, jobs: usize) -> Self {
        Self { prefetch: jobs, ..self }
    }

    /// Stops gracefully when the token is cancelled, for example on SIGTERM: the worker claims no
    /// more jobs, and running jobs may end.
    #[must_use]
    pub fn stop_on(self, token: CancellationToken) -> Self {
        Self { stop: token, ..self }
    }

    /// How long running jobs may take to end at a stop: 30 seconds by default. The worker then
    /// drops the remaining handlers and hands their jobs back, so that another worker gets them at
    /// once.
    #[must_use]
    pub fn stop_within(self, time: Duration) -> Self {
        Self { stop_within: time, ..self }
    }

    /// How long a handler may take: without a limit by default. A handler that takes longer has
    /// failed.
    #[must_use]
    pub fn job_timeout(self, time: Duration) -> Self {
        Self { job_timeout: Some(time), ..self }
    }

    /// How long a handler that has called [`Delivery::cancelled`] may clean up after its lease was
    /// lost: 5 seconds by default. Other handlers are dropped at once.
    #[must_use]
    pub fn cleanup_within(self, time: Duration) -> Self {
        Self { cleanup_within: time, ..self }
    }

    /// Tells a meter of each delivery.
    #[must_use]
    pub fn meter(self, meter: impl Meter) -> Self {
        Self { metering: Metering::by(meter), ..self }
    }

    /// What [`Queue::workers`] calls the worker: its machine and process by default.
    #[must_use]
    pub fn name(self, name: impl Into<String>) -> Self {
        Self { name: Some(name.into()), ..self }
    }

    /// The program's version, for [`Queue::workers`]: the version of this crate by default.
    #[must_use]
    pub fn version(self, version: impl Into<String>) -> Self {
        Self { version: Some(version.into()), ..self }
    }

    /// Ends the worker when the queue is [drained](Queue::drained); jobs of other workers count.
    #[must_use]
    pub fn until_drained(self) -> Self {
        Self { until_drained: true, ..self }
    }
}

impl<T: DeserializeOwned + Send + 'static> Worker<T> {
    /// Runs the handler on jobs until the worker is stopped or the queue is drained. The handler
    /// returns nothing, an [`Outcome`](crate::Outcome), or a `Result` of either.
    ///
    /// # Errors
    /// Errors that waiting does not clear: `Closed`, `Auth`, and others, but not errors of the
    /// connection, a full store or a timeout. Running jobs first get the time of a stop.
    ///
    /// # Cancel safety
    /// A dropped future drops the handlers; their jobs come back when their leases end. Use the
    /// token to stop.
    pub async fn run<H, Fut>(self, handler: H) -> Result<WorkerSummary>
    where
        H: Fn(Delivery<T>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: IntoOutcome> + Send + 'static,
    {
        supervisor::run(self, Typed::new(handler)).await
    }
}

impl<T, S> fmt::Debug for Worker<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker")
            .field("queue", &self.queue)
            .field("concurrency", &self.concurrency)
            .finish_non_exhaustive()
    }
}
