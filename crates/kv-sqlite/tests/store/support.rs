//! A file of its own for each test.

use std::path::{Path, PathBuf};

use kv_core::{KeyValueStore, Write};
use kv_sqlite::{SqliteStore, SqliteStoreBuilder};
use tempfile::TempDir;

pub(crate) struct Place {
    folder: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("store.db")
    }

    pub(crate) fn builder(&self) -> SqliteStoreBuilder {
        SqliteStore::builder(self.path())
    }

    pub(crate) async fn open(&self) -> SqliteStore {
        self.builder().open().await.unwrap()
    }

    /// The bytes of the file and of all beside it.
    pub(crate) fn bytes(&self) -> u64 {
        let files = std::fs::read_dir(self.folder()).unwrap();
        files.map(|file| file.unwrap().metadata().unwrap().len()).sum()
    }
}

pub(crate) async fn put(store: &SqliteStore, key: &str, value: &str) {
    store.set(key, value.to_owned().into(), Write::ALWAYS).await.unwrap();
}

pub(crate) async fn value(store: &SqliteStore, key: &str) -> Option<String> {
    let entry = store.get(key).await.unwrap()?;
    Some(String::from_utf8(entry.value.to_vec()).unwrap())
}

/// What SQLite itself says of the file.
pub(crate) fn assert_whole(path: &Path) {
    let file = rusqlite::Connection::open(path).unwrap();
    let said: String = file.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(said, "ok", "{}", path.display());
}
