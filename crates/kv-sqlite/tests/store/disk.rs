//! A disk that is full or read-only, and a reader that stays.

use std::fs;
use std::path::Path;

use kv_core::{ErrorKind, KeyValueStore, Lifetime, Write};
use kv_sqlite::SqliteStore;
use kv_testbed::ChildTest;
use rusqlite::Connection;

use crate::support::{Place, assert_whole, put, value};

const FULL: &str = "KV_SQLITE_FULL_DISK";
const READ_ONLY: &str = "KV_SQLITE_READ_ONLY_DISK";

/// Runs a test once more in a process that has something mounted on the folder.
fn with_mounts(test: &str, variable: &str, folder: &Path, script: &str) {
    let folder = folder.to_str().unwrap();
    let script = script.replace("FOLDER", &format!("'{folder}'"));
    let mut child = ChildTest::start_with_mounts(test, &[(variable, folder)], &script).unwrap();
    assert_eq!(child.hear("seen").unwrap(), "all");
    assert!(child.ended().unwrap());
}

#[test]
fn a_full_disk_refuses_what_does_not_fit_and_keeps_what_was_told() {
    let place = Place::new();
    let script = "mount -t tmpfs -o size=4m tmpfs FOLDER";
    with_mounts("disk::writes_until_the_disk_is_full", FULL, place.folder(), script);
}

#[tokio::test]
async fn writes_until_the_disk_is_full() {
    let Ok(folder) = std::env::var(FULL) else { return };
    let path = Path::new(&folder).join("store.db");
    let store = SqliteStore::open(&path).await.unwrap();
    let mut kept = 0;
    let error = loop {
        let bytes = vec![7; 100_000].into();
        match store.set(&format!("k:{kept}"), bytes, Write::ALWAYS).await {
            Ok(_) => kept += 1,
            Err(error) => break error,
        }
        assert!(kept < 100, "10 MB fit on a disk of 4 MB");
    };
    assert_eq!(error.kind(), ErrorKind::OutOfMemory, "{error}");
    assert!(error.to_string().contains("store.db"), "{error}");
    for number in 0..kept {
        assert_eq!(store.get(&format!("k:{number}")).await.unwrap().unwrap().value.len(), 100_000);
    }
    assert!(kept > 5, "{kept}");
    assert!(store.get(&format!("k:{kept}")).await.unwrap().is_none());
    let _ = store.close().await;
    ChildTest::say("seen", "all");
}

#[tokio::test]
async fn a_disk_that_cannot_be_written_is_told_and_the_file_stays_as_it_is() {
    let place = Place::new();
    let store = place.open().await;
    put(&store, "k", "v").await;
    store.close().await.unwrap();
    let script = "mount --bind FOLDER FOLDER && mount -o remount,bind,ro FOLDER";
    with_mounts("disk::opens_on_a_disk_that_cannot_be_written", READ_ONLY, place.folder(), script);
    assert_eq!(value(&place.open().await, "k").await.unwrap(), "v");
}

#[tokio::test]
async fn opens_on_a_disk_that_cannot_be_written() {
    let Ok(folder) = std::env::var(READ_ONLY) else { return };
    for name in ["store.db", "new.db"] {
        let error = SqliteStore::open(Path::new(&folder).join(name)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ReadOnly, "{error}");
        assert!(error.to_string().contains(name) && error.to_string().contains("expected"));
    }
    ChildTest::say("seen", "all");
}

/// SQLite cannot empty a log that somebody reads from: it is emptied when the reader has gone.
#[tokio::test]
async fn a_log_that_a_foreign_reader_kept_is_emptied_when_it_is_gone() {
    let place = Place::new();
    let store = place.open().await;
    put(&store, "k", "v").await;
    let reader = Connection::open(place.path()).unwrap();
    let count = || reader.query_row("SELECT count(*) FROM entries", [], |row| row.get::<_, i64>(0));
    reader.execute_batch("BEGIN").unwrap();
    assert_eq!(count().unwrap(), 1);
    let write = async |rounds: usize| {
        for round in 0..rounds {
            // Others each time: SQLite writes no page that stays as it is.
            let value = vec![u8::try_from(round).unwrap(); 100_000];
            let entries = (0..40).map(|n| (n.to_string(), value.clone().into())).collect();
            store.set_many(entries, Lifetime::Never).await.unwrap();
        }
    };
    write(25).await;
    let log = || fs::metadata(place.folder().join("store.db-wal")).unwrap().len();
    assert!(log() > 64 << 20, "{} bytes", log());
    assert_eq!(count().unwrap(), 1, "the reader sees its own state");
    reader.execute_batch("COMMIT").unwrap();
    // Enough that the log has grown by half again.
    write(20).await;
    assert!(log() <= 68 << 20, "{} bytes are left", log());
    store.close().await.unwrap();
    drop(reader);
    assert_whole(&place.path());
}
