//! Files and paths that are not as they should be: each is told, and nothing is lost.

use std::fs;
use std::path::Path;

use kv_core::{Error, ErrorKind, KeyValueStore, Write};
use kv_sqlite::{MAX_VALUE_BYTES, SqliteStore};
use rusqlite::Connection;

use crate::support::{Place, assert_whole, put, value};

async fn refused(path: impl AsRef<Path>) -> Error {
    match SqliteStore::open(path.as_ref()).await {
        Ok(store) => panic!("{store:?} was opened"),
        Err(error) => error,
    }
}

fn assert_told(error: &Error, kind: ErrorKind, words: &[&str]) {
    assert_eq!(error.kind(), kind, "{error}");
    for word in words {
        assert!(error.to_string().contains(word), "{word:?} is not in {error}");
    }
}

#[tokio::test]
async fn paths_that_name_no_file_are_refused() {
    let place = Place::new();
    let gone = place.folder().join("gone/store.db");
    let cases = [
        (Path::new(""), "names no file"),
        (Path::new(":memory:"), "names no file"),
        (Path::new("/"), "names no file"),
        (place.folder(), "is a folder"),
        (&gone, "a folder that cannot be opened"),
    ];
    for (path, problem) in cases {
        assert_told(&refused(path).await, ErrorKind::Config, &[problem, "expected", "open"]);
    }
    assert!(fs::read_dir(place.folder()).unwrap().next().is_none(), "nothing was made");
}

#[tokio::test]
async fn a_file_of_something_else_is_refused_and_stays_as_it_is() {
    let place = Place::new();
    for bytes in [&b"x"[..], b"no database, and longer than its header would be", &[0; 4_096]] {
        fs::write(place.path(), bytes).unwrap();
        let error = refused(place.path()).await;
        assert_told(&error, ErrorKind::Config, &["store.db", "expected"]);
        assert_eq!(fs::read(place.path()).unwrap(), bytes);
    }
}

#[tokio::test]
async fn a_database_of_another_program_is_refused_and_stays_as_it_is() {
    let place = Place::new();
    for setup in ["CREATE TABLE theirs(a)", "PRAGMA application_id = 7", "PRAGMA user_version = 7"]
    {
        let _ = fs::remove_file(place.path());
        Connection::open(place.path()).unwrap().execute_batch(setup).unwrap();
        let before = fs::read(place.path()).unwrap();
        let error = refused(place.path()).await;
        assert_told(&error, ErrorKind::Config, &["store.db", "another program", "expected"]);
        assert_eq!(fs::read(place.path()).unwrap(), before, "{setup}");
    }
}

#[tokio::test]
async fn a_newer_format_is_refused_and_readable_by_the_newer_version() {
    let place = Place::new();
    let store = place.open().await;
    put(&store, "k", "v").await;
    store.close().await.unwrap();
    let file = Connection::open(place.path()).unwrap();
    let own: i64 = file.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    file.pragma_update(None, "user_version", own + 1).unwrap();
    let error = refused(place.path()).await;
    let (newer, expected) = (format!("in format {}", own + 1), format!("expected {own}"));
    assert_told(&error, ErrorKind::Config, &[&newer, &expected]);
    file.pragma_update(None, "user_version", own).unwrap();
    assert_eq!(value(&place.open().await, "k").await.unwrap(), "v");
}

#[tokio::test]
async fn a_file_that_is_removed_under_the_store_ends_its_writes_and_reads() {
    for gone in ["store.db", "store.db-wal"] {
        let place = Place::new();
        let store = place.open().await;
        put(&store, "k", "v").await;
        fs::remove_file(place.folder().join(gone)).unwrap();
        let error = store.set("l", "v".into(), Write::ALWAYS).await.unwrap_err();
        assert_told(&error, ErrorKind::Backend, &["store.db", "was removed"]);
        assert_eq!(store.get("k").await.unwrap_err().kind(), ErrorKind::Backend);
        store.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_damaged_page_is_an_error_for_what_it_holds() {
    let place = Place::new();
    let store = place.open().await;
    for number in 0..2_000 {
        put(&store, &format!("key:{number:05}"), &"v".repeat(100)).await;
    }
    store.close().await.unwrap();
    let mut bytes = fs::read(place.path()).unwrap();
    let half = bytes.len() / 2;
    bytes[half..half + 16_384].fill(0xA5);
    fs::write(place.path(), &bytes).unwrap();
    let store = place.open().await;
    let (mut right, mut told) = (0, 0);
    for number in 0..2_000 {
        match store.get(&format!("key:{number:05}")).await {
            Ok(entry) => right += usize::from(entry.is_some_and(|it| it.value.len() == 100)),
            Err(error) => {
                assert_told(&error, ErrorKind::Backend, &["store.db", "damaged"]);
                told += 1;
            }
        }
    }
    assert!(right > 500 && told > 10, "{right} values, {told} errors");
}

#[tokio::test]
async fn values_up_to_the_limit_are_kept_and_larger_ones_refused_with_the_limit() {
    let place = Place::new();
    let store = place.open().await;
    let large = vec![7_u8; MAX_VALUE_BYTES];
    store.set("large", large.clone().into(), Write::ALWAYS).await.unwrap();
    assert_eq!(store.get("large").await.unwrap().unwrap().value, large);
    let larger = vec![7_u8; MAX_VALUE_BYTES + 1].into();
    let error = store.set("larger", larger, Write::ALWAYS).await.unwrap_err();
    assert_told(&error, ErrorKind::TooLarge, &["16777217 bytes", "at most 16777216", "Redis"]);
    assert_eq!(value(&store, "larger").await, None);
    store.close().await.unwrap();
    assert_whole(&place.path());
}

#[tokio::test]
async fn another_program_that_holds_the_lock_ends_calls_in_time_and_harms_none() {
    let place = Place::new();
    let store = place.builder().timeout(std::time::Duration::from_secs(1)).open().await.unwrap();
    put(&store, "k", "v").await;
    let other = Connection::open(place.path()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = store.set("k", "w".into(), Write::ALWAYS).await.unwrap_err();
    assert_eq!((error.kind(), error.effect()), (ErrorKind::Timeout, kv_core::Effect::NotApplied));
    assert_eq!(value(&store, "k").await.unwrap(), "v", "a read does not wait");
    other.execute_batch("COMMIT").unwrap();
    put(&store, "k", "x").await;
    assert_eq!(value(&store, "k").await.unwrap(), "x");
}
