//! Counters: shared integers, apart from typed values.

use super::Store;
use crate::backend::provided::parse_counter;
use crate::{Capabilities, Condition, Expiry, Remaining, Result};

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

    pub(super) fn counter_key(&self, operation: &'static str, key: &str) -> Result<String> {
        self.require(Capabilities::COUNTERS, "counters", operation)?;
        self.reserved_key("counter", key)
    }
}
