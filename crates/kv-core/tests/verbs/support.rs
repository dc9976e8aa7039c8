//! A store whose time the test steps.

use std::time::Duration;

use kv_core::Store;
use kv_memory::MemoryStore;
use kv_testkit::{Faulty, ManualClock};

pub(crate) const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) struct Rig {
    pub(crate) store: Store,
    pub(crate) faulty: Faulty,
    pub(crate) clock: ManualClock,
}

impl Rig {
    pub(crate) fn new() -> Self {
        let clock = ManualClock::new();
        let faulty = Faulty::new(MemoryStore::builder().clock(clock.clone()).build());
        let store = Store::new(faulty.clone()).with_time_and_chance(clock.clone(), 1);
        Self { store, faulty, clock }
    }
}
