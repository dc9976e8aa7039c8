//! Counters: shared integers, apart from typed values.

use std::collections::BTreeMap;

use super::Store;
use super::progress::Progress;
use crate::backend::provided::parse_counter;
use crate::{Capabilities, Condition, Expiry, Pattern, Remaining, Result, ScanRequest};

/// About how many keys the backend examines for one page.
const PAGE: usize = 500;

/// Counters have separate names: `get`, `exists` and `delete` do not see a counter, and no format
/// can misread it.
impl Store {
    /// Adds to a counter, and returns the sum. A missing counter counts as zero.
    ///
    /// The expiry applies only when the call creates the counter, so that a time window ends on
    /// time: see the example of a rate limit.
    ///
    /// # Errors
    /// `WrongType` if the sum overflows; the counter then stays. `InvalidTtl` for a zero lifetime.
    pub async fn increment(
        &self,
        key: &str,
        by: i64,
        expiry: impl Into<Expiry> + Send,
    ) -> Result<i64> {
        let lifetime =
            self.lifetime(expiry.into()).map_err(|e| e.operation("increment").key(key))?;
        let stored = self.counter_key("increment", key)?;
        let sum = self.backend()?.increment(&stored, by, lifetime).await;
        sum.map_err(|error| error.operation("increment").key(&stored))
    }

    /// A counter's number, or `None` if the counter does not exist.
    ///
    /// # Errors
    /// `WrongType` if another program wrote something else under the counter's name.
    pub async fn counter(&self, key: &str) -> Result<Option<i64>> {
        let stored = self.counter_key("counter", key)?;
        let about = |error: crate::Error| error.operation("counter").key(&stored);
        let entry = self.entry(&stored).await.map_err(about)?;
        entry.map(|entry| parse_counter(&entry.value)).transpose().map_err(about)
    }

    /// How long a counter has left, or `None` if the counter does not exist.
    ///
    /// # Errors
    /// Those of every verb.
    pub async fn counter_ttl(&self, key: &str) -> Result<Option<Remaining>> {
        let stored = self.counter_key("counter_ttl", key)?;
        let ttl = self.backend()?.ttl(&stored).await;
        ttl.map_err(|error| error.operation("counter_ttl").key(&stored))
    }

    /// Deletes a counter. Returns whether this call removed it.
    ///
    /// # Errors
    /// Those of every verb.
    pub async fn reset_counter(&self, key: &str) -> Result<bool> {
        let stored = self.counter_key("reset_counter", key)?;
        let deleted = self.backend()?.delete(&stored, Condition::Always).await;
        deleted.map_err(|error| error.operation("reset_counter").key(&stored))
    }

    /// Gives an existing counter another lifetime. Returns whether the counter exists.
    ///
    /// # Errors
    /// `InvalidTtl` for zero.
    pub async fn touch_counter(&self, key: &str, expiry: impl Into<Expiry> + Send) -> Result<bool> {
        const VERB: &str = "touch_counter";
        let lifetime = self.lifetime(expiry.into()).map_err(|e| e.operation(VERB).key(key))?;
        let stored = self.counter_key(VERB, key)?;
        self.require(Capabilities::TTL, "time to live", VERB)?;
        let touched = self.backend()?.touch(&stored, lifetime).await;
        touched.map_err(|error| error.operation(VERB).key(&stored))
    }

    /// The counters of this store whose names match a glob, with their numbers, sorted by name. All
    /// of them are held in memory.
    ///
    /// ```
    /// use kv_core::{Expiry, Store};
    /// use kv_memory::MemoryStore;
    ///
    /// # kv_testkit::runtime()?.block_on(async {
    /// let store = Store::new(MemoryStore::new());
    /// store.increment("hits:a", 2, Expiry::Never).await?;
    /// store.increment("hits:b", 1, Expiry::Never).await?;
    /// store.touch_counter("hits:b", std::time::Duration::from_secs(60)).await?;
    /// let counters = store.counters("hits:*").await?;
    /// assert_eq!(counters, [("hits:a".to_owned(), 2), ("hits:b".to_owned(), 1)]);
    /// # Ok::<(), kv_core::Error>(()) }).unwrap();
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`scan`](Self::scan); `WrongType` if another program wrote something else under a
    /// counter's name.
    pub async fn counters(&self, pattern: &str) -> Result<Vec<(String, i64)>> {
        const VERB: &str = "counters";
        self.require(Capabilities::COUNTERS, VERB, VERB)?;
        let about = |error: crate::Error| error.operation(VERB);
        let place = self.counters_place()?;
        let glob = Pattern::within(&place, pattern).map_err(|error| about(self.told(error)))?;
        let (mut cursor, mut progress) = (None, Progress::default());
        let mut counters = BTreeMap::new();
        loop {
            let request = ScanRequest { pattern: &glob, cursor: cursor.as_ref(), limit: PAGE };
            let page = self.backend()?.scan(request).await.map_err(about)?;
            let is_empty = page.keys.is_empty();
            let keys: Vec<&str> = page.keys.iter().map(String::as_str).collect();
            let entries = self.backend()?.get_many(&keys).await.map_err(about)?;
            for (key, entry) in page.keys.iter().zip(entries) {
                let name = key.strip_prefix(&place).filter(|_| glob.matches(key));
                if let (Some(name), Some(entry)) = (name, entry) {
                    let number = parse_counter(&entry.value);
                    counters
                        .insert(name.to_owned(), number.map_err(|e| self.told(about(e)).key(key))?);
                }
            }
            let Some(next) = page.next else { return Ok(counters.into_iter().collect()) };
            progress.check(&next, is_empty).map_err(about)?;
            cursor = Some(next);
        }
    }

    /// What comes before every counter's name.
    fn counters_place(&self) -> Result<String> {
        let mut place = self.reserved_key("counter", "x")?;
        place.pop();
        Ok(place)
    }

    pub(super) fn counter_key(&self, operation: &'static str, key: &str) -> Result<String> {
        self.require(Capabilities::COUNTERS, "counters", operation)?;
        self.reserved_key("counter", key)
    }
}
