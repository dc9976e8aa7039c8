//! The handle of an open queue.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use kv_core::Result;

use crate::requests::{Connection, Requests};

/// A persistent queue of jobs on a [`Store`](kv_core::Store): at least once, leased, fenced, exact
/// about the end.
///
/// A clone is cheap. A producer needs only `T: Serialize`, a consumer only `T: DeserializeOwned`.
/// The store's serializer encodes the payloads. The queue is as durable as the store.
///
/// When a reply is lost or the store is away, the queue repeats its requests. The store recognises
/// a repeated request, so it executes none twice. Enqueues and settles are repeated for as long as
/// the queue's [timeout](crate::QueueBuilder::timeout) allows, since a failover takes seconds;
/// dequeues up to four times. Every verb ends within that timeout.
///
/// # Errors
/// Every verb can fail with the store's errors, and with `Closed` after [`close`](Self::close) or
/// after the store was closed.
///
/// ```
/// # use std::time::Duration;
/// use kv_memory::MemoryStore;
/// use kv_queue::{Job, Queue};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let store = kv_core::Store::new(MemoryStore::new());
/// let queue = Queue::<String>::open(&store, "fetch:run-42").await?;
/// let first = queue.enqueue(Job::new("page 1".to_owned()).unique("1")).await?;
/// let again = queue.enqueue(Job::new("page 1".to_owned()).unique("1")).await?;
/// assert!(again.is_duplicate() && again.id() == first.id());
///
/// for delivery in queue.dequeue(10).await? {
///     assert_eq!(delivery.payload(), "page 1");
///     delivery.ack().await?;
/// }
/// assert!(queue.drained().await?);
/// # Ok::<(), kv_core::Error>(()) }).unwrap();
/// ```
pub struct Queue<T> {
    requests: Arc<Requests>,
    fails_fast: bool,
    payload: PhantomData<fn() -> T>,
}

impl<T> Queue<T> {
    pub(crate) const fn of(requests: Arc<Requests>) -> Self {
        Self { requests, fails_fast: false, payload: PhantomData }
    }

    /// The same queue with another type of payloads.
    pub(crate) fn with_payload<U>(&self) -> Queue<U> {
        Queue {
            requests: Arc::clone(&self.requests),
            fails_fast: self.fails_fast,
            payload: PhantomData,
        }
    }

    pub(crate) const fn requests(&self) -> &Arc<Requests> {
        &self.requests
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.requests.connection
    }

    pub(crate) const fn fails_fast(&self) -> bool {
        self.fails_fast
    }

    /// A handle of the same queue that tries each enqueue once. While the store is away, such an
    /// enqueue fails as soon as a `set` does, and does not wait for the store. Use this handle
    /// where a caller waits, as in a web handler; a batch job should rather wait for the store.
    ///
    /// ```
    /// # use kv_queue::Queue;
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// # let store = kv_core::Store::new(kv_memory::MemoryStore::new());
    /// let queue = Queue::<u32>::open(&store, "orders").await?.fail_fast();
    /// store.close().await?;
    /// assert!(queue.enqueue(1).await.is_err());
    /// # Ok::<(), kv_core::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn fail_fast(&self) -> Self {
        Self { fails_fast: true, ..self.clone() }
    }

    /// Closes this handle and its clones: later verbs fail with `Closed`, and their workers stop.
    /// Open deliveries can still be settled. Other handles of the same queue, and its jobs, stay as
    /// they are. Closing again does nothing.
    ///
    /// # Errors
    /// None in this version.
    ///
    /// # Cancel safety
    /// The queue is closed from the first poll on.
    pub async fn close(&self) -> Result<()> {
        self.requests.close();
        Ok(())
    }
}

impl<T> Clone for Queue<T> {
    fn clone(&self) -> Self {
        self.with_payload()
    }
}

impl<T> fmt::Debug for Queue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.connection().partitions.first().map(|partition| &*partition.queue);
        f.debug_struct("Queue")
            .field("name", &name.unwrap_or_default())
            .field("partitions", &self.connection().partitions.len())
            .finish_non_exhaustive()
    }
}
