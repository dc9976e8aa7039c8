//! A `tower` service as the handler.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, PoisonError};

use kv_core::{BoxError, Result};
use serde::de::DeserializeOwned;
use tower_service::Service;

use super::{Worker, WorkerSummary};
use crate::outcome::IntoOutcome;
use crate::queue::Delivery;

impl<T: DeserializeOwned + Send + 'static> Worker<T> {
    /// Runs a `tower` service on jobs, so that existing middleware applies, until the worker is
    /// stopped or the queue is drained.
    ///
    /// Each job has a clone of the service. A job waits in its slot until its clone is ready; its
    /// lease is renewed meanwhile. The response says what becomes of the job, as the result of a
    /// handler does: `()` or an [`Outcome`](crate::Outcome). A [`Failure`](crate::Failure) counts
    /// behind an error of the middleware too.
    ///
    /// ```
    /// use kv_queue::{Delivery, Queue, Worker};
    /// use std::time::Duration;
    /// use tower::{BoxError, ServiceBuilder};
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// # let store = kv_core::Store::new(kv_memory::MemoryStore::new());
    /// let queue = Queue::<u32>::open(&store, "numbers").await?;
    /// queue.enqueue_many(1..=3_u32).await?;
    /// let service = ServiceBuilder::new()
    ///     .concurrency_limit(2)
    ///     .timeout(Duration::from_secs(10))
    ///     .service_fn(|delivery: Delivery<u32>| async move {
    ///         assert!(*delivery.payload() < 4);
    ///         Ok::<(), BoxError>(())
    ///     });
    /// let summary = Worker::new(queue).until_drained().run_service(service).await?;
    /// assert_eq!(summary.done, 3);
    /// # Ok::<(), kv_core::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As those of [`run`](Worker::run).
    ///
    /// # Cancel safety
    /// A dropped future drops the calls; their jobs come back when their leases end. Use the token
    /// to stop.
    pub async fn run_service<V>(self, service: V) -> Result<WorkerSummary>
    where
        V: Service<Delivery<T>> + Clone + Send + 'static,
        V::Response: IntoOutcome + Send,
        V::Error: Into<BoxError> + Send,
        V::Future: Send,
    {
        // A service need not be `Sync`.
        let service = Arc::new(Mutex::new(service));
        self.run(move |delivery| {
            let mut service = service.lock().unwrap_or_else(PoisonError::into_inner).clone();
            async move {
                poll_fn(|context| service.poll_ready(context)).await?;
                service.call(delivery).await
            }
        })
        .await
    }
}
