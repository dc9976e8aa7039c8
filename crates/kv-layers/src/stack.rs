//! Several layers in the one order that makes sense.

use kv_core::{KeyValueStore, Result};

#[cfg(feature = "compress")]
use crate::Compress;
#[cfg(feature = "encrypt")]
use crate::Encrypt;
use crate::layer::Around;
use crate::{Fallback, Layered, Limit, NearCache, Observe, ReadOnly, Retry, Statistics, Timeout};

/// Layers around a store, each at most once, in a fixed order, whatever the order of the calls
/// here. The outermost is observe; then come statistics, read-only, near-cache, compress, encrypt,
/// fallback, limit, retry and timeout.
///
/// - **Observe** is outermost, to see what the program sees.
/// - **Statistics** are next, to count what the program reads and writes.
/// - **Read-only** comes next: what it refuses takes nothing of what is inside.
/// - **Near-cache** is outside compress and encrypt, so that a hit costs neither; this process's
///   memory then has plain values. It is refused together with fallback, since nobody tells what
///   changes when another store serves.
/// - **Compress** is outside encrypt, since encrypted bytes do not become smaller.
/// - **Encrypt** is outside fallback, so that the spare store has no plain values either.
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
    statistics: Option<Statistics>,
    is_read_only: bool,
    near_cache: Option<NearCache>,
    #[cfg(feature = "compress")]
    compress: Option<Compress>,
    #[cfg(feature = "encrypt")]
    encrypt: Option<Encrypt>,
    fallback: Option<Fallback>,
    limit: Option<Limit>,
    retry: Option<Retry>,
    timeout: Option<Timeout>,
}

impl Layers {
    /// The names of the layers, outermost first.
    pub const ORDER: [&str; 10] = [
        "observe",
        "statistics",
        "read-only",
        "near-cache",
        "compress",
        "encrypt",
        "fallback",
        "limit",
        "retry",
        "timeout",
    ];

    /// No layers yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reports each call.
    pub fn observe(self, observe: Observe) -> Self {
        Self { observe: Some(observe), ..self }
    }

    /// Counts by namespace.
    pub fn statistics(self, statistics: Statistics) -> Self {
        Self { statistics: Some(statistics), ..self }
    }

    /// Refuses writes.
    pub fn read_only(self) -> Self {
        Self { is_read_only: true, ..self }
    }

    /// Keeps what was read in this process.
    pub fn near_cache(self, near_cache: NearCache) -> Self {
        Self { near_cache: Some(near_cache), ..self }
    }

    /// Compresses large values.
    #[cfg(feature = "compress")]
    pub fn compress(self, compress: Compress) -> Self {
        Self { compress: Some(compress), ..self }
    }

    /// Encrypts values.
    #[cfg(feature = "encrypt")]
    pub fn encrypt(self, encrypt: Encrypt) -> Self {
        Self { encrypt: Some(encrypt), ..self }
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
    /// Those of [`Fallback::on`] and [`NearCache::on`].
    pub fn on(self, store: impl KeyValueStore) -> Result<Box<dyn KeyValueStore>> {
        self.around(Box::new(store))
    }

    fn is_transparent(&self) -> bool {
        let changes = self.is_read_only || self.statistics.is_some() || self.near_cache.is_some();
        #[cfg(feature = "compress")]
        let changes = changes || self.compress.is_some();
        #[cfg(feature = "encrypt")]
        let changes = changes || self.encrypt.is_some();
        !changes
    }

    // Not generic, so that the layers are compiled once, not for each kind of store.
    fn around(self, store: Box<dyn KeyValueStore>) -> Result<Box<dyn KeyValueStore>> {
        let is_transparent = self.is_transparent();
        let near = Around(self.limit, Around(self.retry, self.timeout));
        let store: Box<dyn KeyValueStore> = match self.fallback {
            // Transparent layers alone are one layer, for one allocation.
            None if is_transparent => {
                return Ok(Box::new(Layered::boxed(Around(self.observe, near), store)));
            }
            None => Box::new(Layered::boxed(near, store)),
            Some(fallback) => Box::new(fallback.on(Layered::boxed(near, store))?),
        };
        #[cfg(feature = "encrypt")]
        let store = match self.encrypt {
            Some(encrypt) => encrypt.on(store),
            None => store,
        };
        #[cfg(feature = "compress")]
        let store = match self.compress {
            Some(compress) => compress.on(store),
            None => store,
        };
        let store = match self.near_cache {
            Some(near_cache) => near_cache.on(store)?,
            None => store,
        };
        let store = if self.is_read_only { ReadOnly::on(store) } else { store };
        let store = match self.statistics {
            Some(statistics) => statistics.on(store),
            None => store,
        };
        Ok(Box::new(Layered::boxed(self.observe, store)))
    }
}
