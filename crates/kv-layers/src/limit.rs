//! Limit: a bounded number of calls at once, and a bounded number that waits.

use kv_core::{Error, ErrorKind, Result};
use tokio::sync::Semaphore;

use crate::{Access, Call, Layer};

/// Bounds how many calls run at once, and how many wait for their turn.
///
/// A call beyond both limits fails at once with `Backpressure`, and is not applied. Waiting calls
/// get their turn in order of arrival. They wait for as long as the calls before them take, so the
/// store, or a [`Timeout`](crate::Timeout) inside, should bound each call.
///
/// A [`close`](kv_core::KeyValueStore::close) is never refused. A queue's
/// [`wait`](kv_core::queue::QueueEngine::wait) takes no place, since it would hold the place until
/// something happens. An answer [at hand](kv_core::KeyValueStore::get_now) takes no place either.
///
/// ```
/// use kv_core::KeyValueStore;
/// use kv_layers::{Layer, Limit};
/// # kv_testkit::runtime()?.block_on(async {
/// let store = Limit::to(64).queue(1_000).on(kv_memory::MemoryStore::new());
/// assert!(store.ping().await.is_ok());
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Limit {
    concurrency: usize,
    queue: usize,
    /// One permit for each call that runs or waits.
    places: Semaphore,
    /// One permit for each call that runs.
    turns: Semaphore,
}

impl Limit {
    /// This many calls at once, at least 1, and as many waiting.
    pub fn to(concurrency: usize) -> Self {
        Self::of(concurrency, concurrency)
    }

    /// How many calls may wait; with 0, none waits.
    #[must_use]
    pub fn queue(self, calls: usize) -> Self {
        Self::of(self.concurrency, calls)
    }

    fn of(concurrency: usize, queue: usize) -> Self {
        let concurrency = concurrency.clamp(1, Semaphore::MAX_PERMITS);
        let places = concurrency.saturating_add(queue).min(Semaphore::MAX_PERMITS);
        let (places, turns) = (Semaphore::new(places), Semaphore::new(concurrency));
        Self { concurrency, queue, places, turns }
    }

    fn full(&self, call: Call) -> Error {
        let (running, waiting) = (self.concurrency, self.queue);
        let message = format!("{running} calls run and {waiting} wait, as many as may");
        Error::new(ErrorKind::Backpressure, message).operation(call.operation().name())
    }
}

impl Layer for Limit {
    async fn call<A, T, R>(
        &self,
        call: Call,
        args: A,
        run: impl Fn(A) -> R + Send + Sync,
    ) -> Result<T>
    where
        A: Clone + Send + Sync,
        T: Send,
        R: Future<Output = Result<T>> + Send,
    {
        if matches!(call.access(), Access::Wait | Access::Close) {
            return run(args).await;
        }
        let _place = self.places.try_acquire().map_err(|_| self.full(call))?;
        // Never closed, so there is always a turn.
        let _turn = self.turns.acquire().await.map_err(|_| Error::closed())?;
        run(args).await
    }
}
