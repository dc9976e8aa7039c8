//! What the tests of this crate share.
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

pub(crate) use futures_executor::block_on;
use kv_core::{Bytes, Clock, Cursor, KeyValueStore, Lifetime, Pattern, ScanRequest, Stats, Write};
use kv_memory::{MemoryStore, MemoryStoreBuilder};

/// A clock that stands still until it is told otherwise.
#[derive(Clone, Debug, Default)]
pub(crate) struct ManualClock(Arc<AtomicU64>);

impl ManualClock {
    pub(crate) fn advance(&self, by: Duration) {
        self.0.fetch_add(u64::try_from(by.as_micros()).unwrap(), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Duration {
        Duration::from_micros(self.0.load(Ordering::SeqCst))
    }

    fn wall(&self) -> Duration {
        Duration::from_secs(1_700_000_000) + self.now()
    }
}

/// Settings on a manual clock, and sweeps only where a test asks for them.
pub(crate) fn manual() -> (MemoryStoreBuilder, ManualClock) {
    let clock = ManualClock::default();
    let builder = MemoryStore::builder().clock(clock.clone()).cleanup_interval(Duration::MAX);
    (builder, clock)
}

pub(crate) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(crate) fn living(millis: u64) -> Write {
    Write::ALWAYS.lifetime(Lifetime::In(ms(millis)))
}

/// Stores a value and fails the test if it was not.
pub(crate) fn put(store: &MemoryStore, key: &str, value: &'static str, write: Write) {
    let outcome = block_on(store.set(key, Bytes::from_static(value.as_bytes()), write));
    assert!(outcome.unwrap().is_written(), "{key} was not written");
}

pub(crate) fn value(store: &MemoryStore, key: &str) -> Option<String> {
    let entry = block_on(store.get(key)).unwrap();
    entry.map(|entry| String::from_utf8(entry.value.to_vec()).unwrap())
}

pub(crate) fn stats(store: &MemoryStore) -> Stats {
    block_on(store.stats()).unwrap()
}

/// One page of a walk over all keys.
pub(crate) fn page(
    store: &MemoryStore,
    cursor: Option<&Cursor>,
    limit: usize,
) -> (Vec<String>, Option<Cursor>) {
    let pattern = Pattern::new("*").unwrap();
    let request = ScanRequest { pattern: &pattern, cursor, limit };
    let page = block_on(store.scan(request)).unwrap();
    (page.keys, page.next)
}

/// A whole walk; `between` runs after each page.
pub(crate) fn walk(store: &MemoryStore, limit: usize, mut between: impl FnMut()) -> Vec<String> {
    let (mut keys, mut next) = page(store, None, limit);
    while let Some(cursor) = next {
        between();
        let (more, after) = page(store, Some(&cursor), limit);
        keys.extend(more);
        next = after;
    }
    keys
}
