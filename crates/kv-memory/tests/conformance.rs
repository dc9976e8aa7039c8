//! The contract's rules, each a test, on memory.

use std::time::Duration;

use kv_core::BoxError;
use kv_memory::MemoryStore;
use kv_testkit::{Backend, ManualClock};

#[derive(Default)]
struct Memory {
    clock: ManualClock,
}

impl Backend for Memory {
    type Store = MemoryStore;

    async fn fresh(&self) -> Result<MemoryStore, BoxError> {
        Ok(MemoryStore::builder().clock(self.clock.clone()).build())
    }

    fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    fn another(&self, store: &MemoryStore) -> Option<MemoryStore> {
        Some(store.clone())
    }
}

kv_testkit::conformance!(Memory::default());
