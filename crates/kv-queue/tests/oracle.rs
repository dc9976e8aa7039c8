//! Engines that stores bring answer as the queue's machine does.

use std::sync::Arc;
use std::time::Duration;

use kv_core::queue::{Partition, QueueEngine, QueueSupport};
use kv_core::{Clock, KeyValueStore, Pattern, ScanRequest, async_trait};
use kv_memory::MemoryStore;
use kv_queue_machine::testing::{ManualClock, Subject, check};

/// The engine of a store, and the clock that it was built with.
struct Native {
    store: MemoryStore,
    clock: Arc<ManualClock>,
    engine: Arc<dyn QueueEngine>,
}

impl Native {
    fn memory() -> Option<Self> {
        let clock = Arc::new(ManualClock::default());
        let shared: Arc<dyn Clock> = Arc::clone(&clock) as _;
        let store = MemoryStore::builder().clock(shared).build();
        match store.queue_engine() {
            QueueSupport::Native(engine) => Some(Self { store, clock, engine }),
            QueueSupport::Generic | QueueSupport::Refused(_) => None,
        }
    }
}

#[async_trait]
impl Subject for Native {
    fn engine(&self) -> &dyn QueueEngine {
        &*self.engine
    }

    async fn set_time(&self, now: Duration) {
        self.clock.set(now);
    }

    /// Nothing of a queue is seen among the store's entries.
    async fn check(&self, _: &Partition) -> Result<(), String> {
        let pattern = Pattern::new("*").map_err(|error| error.to_string())?;
        let request = ScanRequest { pattern: &pattern, cursor: None, limit: 10 };
        let page = self.store.scan(request).await.map_err(|error| error.to_string())?;
        if page.keys.is_empty() { Ok(()) } else { Err(format!("{:?}", page.keys)) }
    }
}

#[tokio::test]
async fn memory_answers_as_the_machine_does() {
    let make = async || Native::memory().unwrap();
    check(make, 2_000..2_020, 500).await.unwrap();
}
