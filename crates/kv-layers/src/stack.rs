//! Several layers in the one order that makes sense.

use kv_core::{KeyValueStore, Result};

use crate::layer::Around;
use crate::{Fallback, Layer, Layered, Limit, Observe, Retry, Timeout};

/// Layers around a store, each at most once, in a fixed order, whatever the order of the calls
/// here. The outermost is observe; then come fallback, limit, retry and timeout.
///
/// - **Observe** is outermost, to see what the program sees.
/// - **Fallback** comes next, to get the primary's error after all attempts; and the primary's
///   limit does not restrict the spare store.
/// - **Limit** is outside retry, so that a call keeps its place while it pauses: an outage admits
///   no more callers than a working store does, and a refusal is not retried.
/// - **Retry** is outside timeout, so that each attempt has its own time. The other way round, a
///   timeout during a pause would make a write look as if it may have been applied.
///
/// ```
/// use std::time::Duration;
/// use kv_core::Store;
/// use kv_layers::{Fallback, Layers, Limit, Metrics, Observe, Operation, Retry, Timeout};
/// use kv_memory::MemoryStore;
/// # kv_testkit::runtime()?.block_on(async {
/// let metrics = Metrics::new();
/// let layers = Layers::new()
///     .observe(Observe::to(metrics.clone()))
///     .fallback(Fallback::to(MemoryStore::new))
///     .limit(Limit::to(64))
///     .retry(Retry::new().attempts(3))
///     .timeout(Timeout::after(Duration::from_secs(2)));
/// let store = Store::from(layers.on(MemoryStore::new())?);
/// store.set("k", "v").await?;
/// assert_eq!(metrics.snapshot(Operation::Set).done, 1);
/// # Ok::<(), kv_core::Error>(()) }).unwrap();
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Default)]
#[must_use]
pub struct Layers {
    observe: Option<Observe>,
    fallback: Option<Fallback>,
    limit: Option<Limit>,
    retry: Option<Retry>,
    timeout: Option<Timeout>,
}

impl Layers {
    /// The names of the layers, outermost first.
    pub const ORDER: [&str; 5] = ["observe", "fallback", "limit", "retry", "timeout"];

    /// No layers yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reports each call.
    pub fn observe(self, observe: Observe) -> Self {
        Self { observe: Some(observe), ..self }
    }

    /// Uses a spare store while the store is away.
    pub fn fallback(self, fallback: Fallback) -> Self {
        Self { fallback: Some(fallback), ..self }
    }

    /// Bounds the number of calls.
    pub fn limit(self, limit: Limit) -> Self {
        Self { limit: Some(limit), ..self }
    }

    /// Repeats calls that failed with a transient error.
    pub fn retry(self, retry: Retry) -> Self {
        Self { retry: Some(retry), ..self }
    }

    /// Bounds the time of each attempt.
    pub fn timeout(self, timeout: Timeout) -> Self {
        Self { timeout: Some(timeout), ..self }
    }

    /// The store with these layers around it.
    ///
    /// # Errors
    /// Those of [`Fallback::on`].
    pub fn on(self, store: impl KeyValueStore) -> Result<Box<dyn KeyValueStore>> {
        self.around(Box::new(store))
    }

    // Not generic, so that the layers are compiled once, not for each kind of store.
    fn around(self, store: Box<dyn KeyValueStore>) -> Result<Box<dyn KeyValueStore>> {
        let near = Around(self.limit, Around(self.retry, self.timeout));
        Ok(match self.fallback {
            None => Box::new(Layered::boxed(Around(self.observe, near), store)),
            Some(fallback) => {
                let primary = Layered::boxed(near, store);
                Box::new(self.observe.on(fallback.on(primary)?))
            }
        })
    }
}
