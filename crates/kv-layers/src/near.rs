//! Near cache: what was read stays in this process until it changes.

mod cache;
mod figures;
mod shard;
mod store;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use kv_core::{Capabilities, Clock, Error, ErrorKind, KeyValueStore, Result, SystemClock};

use self::cache::Cache;
use self::figures::Counts;
pub use self::figures::NearFigures;
use self::store::NearStore;

/// Answers reads from this process's memory, and forgets a key when the store tells that the key
/// changed.
///
/// The store has to tell changes ([`Capabilities::WATCH`]): memory and Redis do. Values and absent
/// keys are kept. Clones count together.
///
/// # What is promised
/// - **A read after an own write** through the same store is never older than the write, whether
///   the write was answered, failed, or was given up.
/// - **A change of somebody else** is seen once the store has told it: on Redis within a round trip.
///   A reply that was under way when the change was told is returned, and not kept.
/// - **A gap** empties the cache: a lost connection, a failover, a reader that is behind. While
///   changes are not told, nothing is kept, and each read goes to the store.
/// - **At most [`max_age`](Self::max_age)** after it was asked for, a value is asked for again. This
///   bounds what is stale where a connection is gone without a word. Redis's is noticed earlier,
///   after a second and the configured timeout.
/// - **An expired value** is not answered: a value is asked for together with the time that it has
///   left. So a miss costs two commands in one round trip.
///
/// Two reads of one process may see a change in another order than it was made on two keys. `exists`,
/// `ttl`, `scan`, counters, conditions and queues go to the store, and are not stale. So do the
/// library's own keys, such as locks and tags: a value with tags costs a round trip for its tags.
///
/// ```
/// use kv_core::Store;
/// use kv_layers::NearCache;
/// use kv_memory::MemoryStore;
/// # kv_testkit::runtime()?.block_on(async {
/// let (near, far) = (NearCache::new(), MemoryStore::new());
/// let store = Store::from(near.clone().on(far.clone())?);
/// store.set("k", "v").await?;
/// for _ in 0..3 {
///     assert_eq!(store.get("k").await?, Some("v".to_owned()));
/// }
/// assert_eq!((near.figures().hits, near.figures().misses), (2, 1));
///
/// // Somebody else changes the key.
/// Store::new(far).set("k", "w").await?;
/// assert_eq!(store.get("k").await?, Some("w".to_owned()));
/// # Ok::<(), kv_core::Error>(()) }).unwrap();
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct NearCache {
    entries: usize,
    bytes: usize,
    max_age: Duration,
    prefix: String,
    clock: Arc<dyn Clock>,
    figures: Arc<Counts>,
}

impl NearCache {
    /// At most 10,000 entries and 64 MiB, each for at most a minute.
    pub fn new() -> Self {
        Self {
            entries: 10_000,
            bytes: 64 << 20,
            max_age: Duration::from_secs(60),
            prefix: String::new(),
            clock: Arc::new(SystemClock::new()),
            figures: Arc::default(),
        }
    }

    /// How many entries are kept; beyond, those that were not read lately go.
    pub fn entries(self, entries: usize) -> Self {
        Self { entries, ..self }
    }

    /// How many bytes of keys and values are kept, with about 200 for each entry.
    pub fn bytes(self, bytes: usize) -> Self {
        Self { bytes, ..self }
    }

    /// How long after it was asked for a value is answered, if nobody tells that it changed.
    pub fn max_age(self, max_age: Duration) -> Self {
        Self { max_age, ..self }
    }

    /// Keeps only keys that begin with this, behind the deployment's prefix: a namespace and a
    /// colon. The store tells changes of these keys alone. On Redis that saves notices of each
    /// change of a queue.
    pub fn only(self, prefix: impl Into<String>) -> Self {
        Self { prefix: prefix.into(), ..self }
    }

    /// The source of time; the machine's clock by default.
    pub fn clock(self, clock: impl Clock) -> Self {
        Self { clock: Arc::new(clock), ..self }
    }

    /// What the caches made of this and its clones did so far.
    #[must_use]
    pub fn figures(&self) -> NearFigures {
        self.figures.read()
    }

    /// The store with this cache around it.
    ///
    /// # Errors
    /// `Config` if the store does not tell changes. Those of [`KeyValueStore::watch`].
    pub fn on(self, store: impl KeyValueStore) -> Result<Box<dyn KeyValueStore>> {
        let capabilities = store.capabilities();
        if !capabilities.contains(Capabilities::WATCH) {
            let message = "layer `near-cache`: this store does not tell changes; expected memory or \
                           redis, without the layer `fallback`";
            return Err(Error::new(ErrorKind::Config, message));
        }
        let cache = Arc::new(Cache::new(&self, store.key_prefix()));
        store.watch(cache.prefix(), Arc::downgrade(&cache) as _)?;
        Ok(Box::new(NearStore::new(Box::new(store), cache)))
    }
}

impl Default for NearCache {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for NearCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NearCache")
            .field("entries", &self.entries)
            .field("bytes", &self.bytes)
            .field("max_age", &self.max_age)
            .finish_non_exhaustive()
    }
}
