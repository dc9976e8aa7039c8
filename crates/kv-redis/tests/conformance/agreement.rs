//! Memory and Redis under the same random operations, time stepped on both.

use std::time::Duration;

use kv_core::BoxError;
use kv_memory::MemoryStore;
use kv_testkit::{Backend, Comparison, Failure, ManualClock, compare, runtime};

use crate::backend::Redis;

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
}

#[test]
fn memory_and_redis_agree_on_ten_thousand_random_sequences() -> Result<(), Failure> {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let comparison = Comparison::new(seed).sequences(10_000).steps(50);
    let runtime = runtime().expect("a runtime");
    let report = runtime.block_on(compare(&Memory::default(), &Redis::start(), comparison))?;
    println!("{report:?}");
    assert!(report.operations >= 500_000);
    let quarter = report.operations / 4;
    assert!(report.touching_expired >= quarter, "at least a quarter touches an expired key");
    Ok(())
}
