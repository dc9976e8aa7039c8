//! The contract's rules, each a test, on one file.

#![cfg(test)]

use std::time::Duration;

use kv_core::BoxError;
use kv_sqlite::SqliteStore;
use kv_testkit::{Backend, ManualClock};

/// A folder of its own, with a file for each store.
struct Sqlite {
    folder: tempfile::TempDir,
    clock: ManualClock,
}

impl Sqlite {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), clock: ManualClock::new() }
    }
}

impl Backend for Sqlite {
    type Store = SqliteStore;

    async fn fresh(&self) -> Result<SqliteStore, BoxError> {
        let stores = std::fs::read_dir(self.folder.path())?.count();
        let path = self.folder.path().join(format!("{stores}.db"));
        Ok(SqliteStore::builder(path).clock(self.clock.clone()).open().await?)
    }

    fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    fn another(&self, store: &SqliteStore) -> Option<SqliteStore> {
        Some(store.clone())
    }
}

kv_testkit::conformance!(Sqlite::new());
