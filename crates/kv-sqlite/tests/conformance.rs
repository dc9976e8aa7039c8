//! The contract's rules, each a test, on one file: through two handles of one store, and through two
//! stores, as two processes have them.

#![cfg(test)]

use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use kv_core::BoxError;
use kv_sqlite::SqliteStore;
use kv_testkit::{Backend, ManualClock};

/// A folder of its own, with a file for each store.
struct Sqlite {
    folder: tempfile::TempDir,
    clock: ManualClock,
    /// The file of the last store.
    file: Mutex<PathBuf>,
    other: Other,
}

/// What another handle is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Other {
    Clone,
    /// A store of its own on the same file, which does not close with the first one.
    Process,
}

impl Sqlite {
    fn with(other: Other) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { folder, clock: ManualClock::new(), file: Mutex::default(), other }
    }

    /// The file as a new process opens it.
    async fn open(&self) -> Result<SqliteStore, BoxError> {
        let path = self.file.lock().unwrap().clone();
        Ok(SqliteStore::builder(path).clock(self.clock.restarted()).open().await?)
    }
}

impl Backend for Sqlite {
    type Store = SqliteStore;

    async fn fresh(&self) -> Result<SqliteStore, BoxError> {
        let stores = std::fs::read_dir(self.folder.path())?.count();
        *self.file.lock().unwrap() = self.folder.path().join(format!("{stores}.db"));
        self.open().await
    }

    fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    fn another(&self, store: &SqliteStore) -> Option<SqliteStore> {
        if self.other == Other::Clone {
            return Some(store.clone());
        }
        let open = || futures_executor::block_on(self.open()).unwrap();
        // On a thread of its own, since the caller's is that of a runtime.
        Some(std::thread::scope(|threads| threads.spawn(open).join().unwrap()))
    }

    async fn reopen(&self) -> Result<Option<SqliteStore>, BoxError> {
        Ok(Some(self.open().await?))
    }

    fn set_back(&self, by: Duration) -> bool {
        self.clock.set_back(by);
        true
    }

    fn closes(&self) -> bool {
        self.other == Other::Clone
    }
}

mod one_store {
    kv_testkit::conformance!(super::Sqlite::with(super::Other::Clone));
}

mod two_processes {
    kv_testkit::conformance!(super::Sqlite::with(super::Other::Process));
}
