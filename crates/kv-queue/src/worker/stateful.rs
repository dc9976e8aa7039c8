//! A worker whose handler gets what the program shares between jobs.

use kv_core::Result;
use serde::de::DeserializeOwned;

use super::{Worker, WorkerSummary};
use crate::outcome::IntoOutcome;
use crate::queue::Delivery;

/// A [`Worker`] without a state.
#[derive(Clone, Copy, Debug)]
pub struct NoState;

/// A [`Worker`] with a [state](Worker::state).
#[derive(Clone, Copy, Debug)]
pub struct WithState<S>(S);

impl<T> Worker<T> {
    /// Gives each call of the handler a clone of this state: a pool of connections, a client, or an
    /// `Arc` of what has no cheap clone.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use std::sync::atomic::{AtomicU32, Ordering};
    /// use kv_queue::{Queue, Worker};
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// # let store = kv_core::Store::new(kv_memory::MemoryStore::new());
    /// let queue = Queue::<u32>::open(&store, "numbers").await?;
    /// queue.enqueue_many(1..=10_u32).await?;
    /// let sum = Arc::new(AtomicU32::new(0));
    /// let worker = Worker::new(queue).state(Arc::clone(&sum)).until_drained();
    /// worker
    ///     .run(|sum, delivery| async move {
    ///         sum.fetch_add(*delivery.payload(), Ordering::Relaxed);
    ///     })
    ///     .await?;
    /// assert_eq!(sum.load(Ordering::Relaxed), 55);
    /// # Ok::<(), kv_core::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn state<S: Clone + Send + Sync + 'static>(self, state: S) -> Worker<T, WithState<S>> {
        self.with(WithState(state)).0
    }
}

impl<T, S> Worker<T, S> {
    /// The same worker with another state, and the state that it had.
    pub(super) fn with<R>(self, new: R) -> (Worker<T, R>, S) {
        let Self { queue, concurrency, prefetch, stop, stop_within, job_timeout, .. } = self;
        let Self { cleanup_within, until_drained, metering, name, version, state, .. } = self;
        let worker = Worker {
            queue,
            concurrency,
            prefetch,
            stop,
            stop_within,
            job_timeout,
            cleanup_within,
            until_drained,
            metering,
            name,
            version,
            state: new,
        };
        (worker, state)
    }
}

impl<T, S> Worker<T, WithState<S>>
where
    T: DeserializeOwned + Send + 'static,
    S: Clone + Send + Sync + 'static,
{
    /// Runs the handler on jobs, with a clone of the state for each, until the worker is stopped or
    /// the queue is drained.
    ///
    /// # Errors
    /// As those of a worker without a state.
    ///
    /// # Cancel safety
    /// A dropped future drops the handlers; their jobs come back when their leases end. Use the
    /// token to stop.
    pub async fn run<H, Fut>(self, handler: H) -> Result<WorkerSummary>
    where
        H: Fn(S, Delivery<T>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: IntoOutcome> + Send + 'static,
    {
        let (worker, WithState(state)) = self.with(NoState);
        worker.run(move |delivery| handler(state.clone(), delivery)).await
    }
}
