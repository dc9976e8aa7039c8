//! The same random operations give the same answers as in memory.

use std::time::Duration;

use kv_core::BoxError;
use kv_memory::MemoryStore;
use kv_sqlite::SqliteStore;
use kv_testkit::{Backend, Comparison, ManualClock, compare};

use crate::support::Place;

struct File(Place, ManualClock);

impl Backend for File {
    type Store = SqliteStore;

    async fn fresh(&self) -> Result<SqliteStore, BoxError> {
        Ok(self.0.builder().clock(self.1.clone()).open().await?)
    }

    fn advance(&self, by: Duration) {
        self.1.advance(by);
    }

    async fn reopen(&self) -> Result<Option<SqliteStore>, BoxError> {
        Ok(Some(self.0.builder().clock(self.1.restarted()).open().await?))
    }
}

#[derive(Default)]
struct Memory(ManualClock);

impl Backend for Memory {
    type Store = MemoryStore;

    async fn fresh(&self) -> Result<MemoryStore, BoxError> {
        Ok(MemoryStore::builder().clock(self.0.clone()).build())
    }

    fn advance(&self, by: Duration) {
        self.0.advance(by);
    }
}

#[tokio::test]
async fn a_file_answers_as_memory_does() {
    let seed = fastrand::u64(..);
    let file = File(Place::new(), ManualClock::new());
    let comparison = Comparison::new(seed).sequences(300).steps(40).together(100);
    let report = compare(&file, &Memory::default(), comparison).await;
    let report = report.unwrap_or_else(|failure| panic!("seed {seed}: {failure}"));
    assert_eq!(report.reopened, 3, "once in each batch, {report:?}");
    assert!(report.operations > 5_000 && report.touching_expired > 100, "{report:?}, seed {seed}");
}
