//! Building a memory store.

use std::sync::Arc;
use std::time::Duration;

use kv_core::Clock;

use crate::MemoryStore;
use crate::time::Time;

/// Settings of a [`MemoryStore`]; from [`MemoryStore::builder`].
///
/// ```
/// use kv_memory::MemoryStore;
/// use std::time::Duration;
/// let store = MemoryStore::builder()
///     .max_entries(10_000)
///     .cleanup_interval(Duration::from_secs(5))
///     .build();
/// assert_eq!(store.sweep(), 0);
/// ```
#[derive(Debug)]
#[must_use]
pub struct MemoryStoreBuilder {
    max_entries: Option<usize>,
    cleanup_interval: Duration,
    time: Option<Time>,
    seed: Option<u64>,
}

impl MemoryStore {
    /// An unbounded store on the machine's clocks.
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// Settings for a store.
    pub fn builder() -> MemoryStoreBuilder {
        MemoryStoreBuilder::new()
    }
}

impl MemoryStoreBuilder {
    /// The default interval at which expired keys are freed.
    pub const DEFAULT_CLEANUP_INTERVAL: Duration = Duration::from_secs(1);

    /// The shortest interval between sweeps.
    pub const MIN_CLEANUP_INTERVAL: Duration = Duration::from_millis(1);

    pub(crate) fn new() -> Self {
        Self {
            max_entries: None,
            cleanup_interval: Self::DEFAULT_CLEANUP_INTERVAL,
            time: None,
            seed: None,
        }
    }

    /// The most keys that the store keeps: unbounded by default, at least 1, so 0 counts as 1.
    ///
    /// A write that adds one more key first drops expired keys, then evicts about the least recently
    /// used of the plain keys: those last written without a condition, such as by `set` and
    /// `get_or_set_with`. Keys last written under a condition (`set_if_absent`, `update`) or counted by
    /// `increment` go only when no plain key is left: locks, sessions and rate limits outlive a cache. A
    /// later lifetime does not change that. A write never evicts its own key. While writes run, the
    /// store holds at most one key above the limit for each running write.
    pub fn max_entries(mut self, max_entries: usize) -> Self {
        self.max_entries = Some(max_entries.max(1));
        self
    }

    /// How often a background thread frees expired keys. An interval below
    /// [`MIN_CLEANUP_INTERVAL`](Self::MIN_CLEANUP_INTERVAL) is raised to it.
    ///
    /// The thread starts with the first key that has a lifetime. The interval is real time,
    /// whatever the store's clock. A key is invisible from the moment it expires, whether or not it
    /// was freed.
    pub fn cleanup_interval(mut self, interval: Duration) -> Self {
        self.cleanup_interval = interval.max(Self::MIN_CLEANUP_INTERVAL);
        self
    }

    /// The source of time; the machine's clocks by default. Lifetimes run on the clock's monotonic
    /// time.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.time = Some(Time::of(Arc::new(clock)));
        self
    }

    /// Makes all choices of the store repeatable: which keys it evicts, in which order it scans.
    ///
    /// Do not use this if strangers choose the keys: the seed also seeds the hashes.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// The store.
    pub fn build(self) -> MemoryStore {
        let time = self.time.unwrap_or_else(Time::machine);
        MemoryStore::assemble(self.max_entries, self.cleanup_interval, time, self.seed)
    }
}
