//! Five methods over a map, and switches for what can go wrong.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use kv_core::{
    Bytes, Capabilities, Condition, Entry, Error, ErrorKind, KeyValueStore, Outcome, Remaining,
    Result, ScanPage, ScanRequest, Version, Write, async_trait,
};
use kv_queue_machine::testing::ManualClock;

/// A map with a clock. The switches count down: each event takes one of the next ones.
#[derive(Debug, Default)]
pub(super) struct MapStore {
    pub(super) clock: ManualClock,
    pub(super) map: Mutex<BTreeMap<String, (u64, Bytes)>>,
    versions: AtomicU64,
    /// Writes of an index that are done, and whose reply is lost.
    pub(super) lost_replies: AtomicUsize,
    /// Writes of an index before which someone else writes it.
    pub(super) races: AtomicUsize,
    /// Reads of blobs that fail.
    pub(super) broken_reads: AtomicUsize,
    /// Whether conditions are ignored.
    pub(super) blind: AtomicBool,
    /// Where every call lets other tasks run first, by chance.
    pub(super) switches: Option<Mutex<fastrand::Rng>>,
    /// Writes of an index so far.
    pub(super) index_writes: AtomicUsize,
}

fn next(switch: &AtomicUsize) -> bool {
    switch.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
}

fn empty() -> Bytes {
    kv_queue_machine::MemTables::default().encode().unwrap()
}

impl MapStore {
    pub(super) fn keys(&self, infix: &str) -> Vec<String> {
        let map = self.map.lock().unwrap_or_else(PoisonError::into_inner);
        map.keys().filter(|key| key.contains(infix)).cloned().collect()
    }

    pub(super) fn value(&self, key: &str) -> Option<Bytes> {
        let map = self.map.lock().unwrap_or_else(PoisonError::into_inner);
        map.get(key).map(|(_, value)| value.clone())
    }

    pub(super) fn put(&self, key: &str, value: Bytes) {
        let version = self.versions.fetch_add(1, Ordering::SeqCst);
        let mut map = self.map.lock().unwrap_or_else(PoisonError::into_inner);
        map.insert(key.to_owned(), (version, value));
    }

    pub(super) fn remove(&self, key: &str) {
        self.map.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }

    /// A store whose calls are interleaved as the seed says.
    pub(super) fn interleaved(seed: u64) -> Self {
        Self { switches: Some(Mutex::new(fastrand::Rng::with_seed(seed))), ..Self::default() }
    }

    async fn switch(&self) {
        let Some(rng) = &self.switches else { return };
        let times = rng.lock().unwrap_or_else(PoisonError::into_inner).u8(..4);
        for _ in 0..times {
            tokio::task::yield_now().await;
        }
    }

    fn holds(&self, key: &str, condition: &Condition) -> bool {
        if self.blind.load(Ordering::SeqCst) {
            return true;
        }
        let map = self.map.lock().unwrap_or_else(PoisonError::into_inner);
        let version = map.get(key).map(|(version, _)| Version::from_number(*version));
        match condition {
            Condition::Always => true,
            Condition::Absent => version.is_none(),
            Condition::Present => version.is_some(),
            Condition::Version(expected) => version.as_ref() == Some(expected),
        }
    }
}

#[async_trait]
impl KeyValueStore for MapStore {
    fn capabilities(&self) -> Capabilities {
        Capabilities::CONDITIONS
    }

    async fn get(&self, key: &str) -> Result<Option<Entry>> {
        self.switch().await;
        if key.contains(":body:") && next(&self.broken_reads) {
            return Err(Error::new(ErrorKind::Connection, "cut"));
        }
        let map = self.map.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = map.get(key).cloned();
        Ok(entry.map(|(at, value)| Entry { value, version: Version::from_number(at) }))
    }

    async fn set(&self, key: &str, value: Bytes, write: Write) -> Result<Outcome> {
        self.switch().await;
        let is_index = key.ends_with(":index");
        if is_index && next(&self.races) {
            self.put(key, self.value(key).unwrap_or_else(empty));
        }
        if !self.holds(key, &write.condition) {
            return Ok(Outcome::ConditionFailed);
        }
        self.put(key, value);
        if is_index {
            self.index_writes.fetch_add(1, Ordering::SeqCst);
            if next(&self.lost_replies) {
                return Err(Error::new(ErrorKind::Timeout, "cut").maybe_applied());
            }
        }
        Ok(Outcome::Written(Version::from_number(0)))
    }

    async fn delete(&self, key: &str, condition: Condition) -> Result<bool> {
        self.switch().await;
        if key.ends_with(":index") && next(&self.races) {
            self.put(key, self.value(key).unwrap_or_else(empty));
        }
        let holds = self.holds(key, &condition);
        let mut map = self.map.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(holds && map.remove(key).is_some())
    }

    async fn ttl(&self, key: &str) -> Result<Option<Remaining>> {
        Ok(self.value(key).map(|_| Remaining::Forever))
    }

    async fn scan(&self, _: ScanRequest<'_>) -> Result<ScanPage> {
        Err(Error::unsupported("scan"))
    }

    async fn now(&self) -> Result<Duration> {
        Ok(kv_core::Clock::wall(&self.clock))
    }
}
