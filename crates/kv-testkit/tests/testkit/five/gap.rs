//! A store that looks and then writes in two steps, with no await between them: only threads that run
//! at once can meet in the gap.

use std::sync::Arc;
use std::time::Duration;

use kv_core::{
    BoxError, Bytes, Capabilities, Condition, Entry, KeyValueStore, Outcome, Remaining, Result,
    ScanPage, ScanRequest, Write, async_trait,
};
use kv_testkit::{Backend, ManualClock, run_case};

use super::FiveMethods;

struct Gap(FiveMethods);

impl Gap {
    /// Whether a condition holds; then others have their turn.
    async fn holds(&self, key: &str, condition: &Condition) -> Result<bool> {
        let entry = self.0.get(key).await?;
        let holds = match condition {
            Condition::Always => true,
            Condition::Absent => entry.is_none(),
            Condition::Present => entry.is_some(),
            Condition::Version(version) => entry.is_some_and(|entry| entry.version == *version),
        };
        std::thread::yield_now();
        Ok(holds)
    }
}

#[async_trait]
impl KeyValueStore for Gap {
    async fn get(&self, key: &str) -> Result<Option<Entry>> {
        self.0.get(key).await
    }

    async fn set(&self, key: &str, value: Bytes, write: Write) -> Result<Outcome> {
        if !self.holds(key, &write.condition).await? {
            return Ok(Outcome::ConditionFailed);
        }
        self.0.set(key, value, write.condition(Condition::Always)).await
    }

    async fn delete(&self, key: &str, condition: Condition) -> Result<bool> {
        Ok(self.holds(key, &condition).await? && self.0.delete(key, Condition::Always).await?)
    }

    async fn ttl(&self, key: &str) -> Result<Option<Remaining>> {
        self.0.ttl(key).await
    }

    async fn scan(&self, request: ScanRequest<'_>) -> Result<ScanPage> {
        self.0.scan(request).await
    }

    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }
}

struct WithGaps(ManualClock);

impl Backend for WithGaps {
    type Store = Arc<Gap>;

    async fn fresh(&self) -> Result<Arc<Gap>, BoxError> {
        let declared = Capabilities::TTL | Capabilities::CONDITIONS;
        let clock = self.0.clone();
        Ok(Arc::new(Gap(FiveMethods { declared, clock, contents: Default::default() })))
    }

    fn advance(&self, by: Duration) {
        self.0.advance(by);
    }
}

#[test]
fn a_gap_without_an_await_is_caught() {
    for case in [
        "a_set_takes_turns_with_other_calls",
        "a_delete_takes_turns_with_other_calls",
        "concurrent_compare_and_set_loses_no_update",
    ] {
        assert!(run_case(case, &WithGaps(ManualClock::new())).is_err(), "{case}");
    }
}
