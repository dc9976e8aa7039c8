//! What a delivery tells a handler beside its payload.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{SystemTime, UNIX_EPOCH};

use super::Delivery;

impl<T> Delivery<T> {
    /// The payload by value. In a [`Worker`](crate::Worker) the handler's result settles the job as
    /// ever. A delivery of [`dequeue`](crate::Queue::dequeue) can then no longer be settled: use
    /// [`into_parts`](Self::into_parts).
    ///
    /// ```
    /// # use kv_queue::{Queue, Worker};
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// # let store = kv_core::Store::new(kv_memory::MemoryStore::new());
    /// let queue = Queue::<String>::open(&store, "mail").await?;
    /// queue.enqueue("hello".to_owned()).await?;
    /// let worker = Worker::new(queue).until_drained();
    /// let summary = worker.run(|delivery| async move {
    ///     let text: String = delivery.into_payload();
    ///     assert_eq!(text, "hello");
    /// });
    /// assert_eq!(summary.await?.done, 1);
    /// # Ok::<(), kv_core::Error>(()) }).unwrap();
    /// ```
    pub fn into_payload(self) -> T {
        self.payload
    }

    /// The payload by value, and the right to settle the job.
    ///
    /// ```
    /// # use kv_queue::Queue;
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// # let store = kv_core::Store::new(kv_memory::MemoryStore::new());
    /// let queue = Queue::<String>::open(&store, "mail").await?;
    /// queue.enqueue("hello".to_owned()).await?;
    /// let (text, delivery) = queue.dequeue(1).await?.remove(0).into_parts();
    /// assert_eq!(text, "hello");
    /// delivery.ack().await?;
    /// # Ok::<(), kv_core::Error>(()) }).unwrap();
    /// ```
    pub fn into_parts(self) -> (T, Delivery<()>) {
        (self.payload, Delivery::new((), self.lease))
    }

    /// The name of the job's queue, as the program opened it.
    pub fn queue(&self) -> &str {
        self.lease.requests.connection.queue()
    }

    /// When the job was submitted, by the store's clock; `None` unless the handle that submitted it
    /// [notes times](crate::QueueBuilder::note_times).
    ///
    /// ```
    /// # use kv_queue::Queue;
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// # let store = kv_core::Store::new(kv_memory::MemoryStore::new());
    /// let queue = Queue::<u32>::builder("mail").note_times().open(&store).await?;
    /// queue.enqueue(1).await?;
    /// let delivery = queue.dequeue(1).await?.remove(0);
    /// assert!(delivery.enqueued_at().is_some());
    /// # Ok::<(), kv_core::Error>(()) }).unwrap();
    /// ```
    pub fn enqueued_at(&self) -> Option<SystemTime> {
        self.lease.enqueued.and_then(|at| UNIX_EPOCH.checked_add(at))
    }

    /// The highest progress that an earlier delivery saved with
    /// [`checkpoint_at`](Self::checkpoint_at); 0 after a plain checkpoint, `None` without one.
    pub fn progress(&self) -> Option<u64> {
        self.lease.checkpoint.as_ref().map(|saved| saved.progress)
    }

    /// Whether the lease is known to be lost, or the job to be cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.lease.is_lost()
    }

    /// Ends when the lease is lost or the job is cancelled, so that a handler can clean up.
    ///
    /// A worker drops a handler at its next await when the lease is lost. If the handler has called
    /// `cancelled`, the worker instead gives the handler
    /// [`cleanup_within`](crate::Worker::cleanup_within), 5 seconds by default. The handler's result
    /// then no longer counts.
    ///
    /// A worker learns of the loss from its renewals, three times in a lease, and at once if the job
    /// is cancelled through a queue handle that shares this one's connection. Without a worker the
    /// future ends when [`extend`](Self::extend) or a checkpoint finds the lease lost.
    ///
    /// ```
    /// # use kv_queue::Delivery;
    /// # async fn convert(delivery: &Delivery<String>) {}
    /// # async fn remove_temporary_files() {}
    /// async fn handle(delivery: Delivery<String>) {
    ///     tokio::select! {
    ///         () = convert(&delivery) => {}
    ///         () = delivery.cancelled() => remove_temporary_files().await,
    ///     }
    /// }
    /// ```
    ///
    /// # Cancel safety
    /// A dropped future loses nothing; a later call ends at once if the lease is lost. The worker
    /// remembers the call.
    pub fn cancelled(&self) -> impl Future<Output = ()> + Send + 'static + use<T> {
        self.lease.is_watched.store(true, Ordering::Release);
        let lease = Arc::clone(&self.lease);
        async move {
            lease.lost().await;
        }
    }
}
