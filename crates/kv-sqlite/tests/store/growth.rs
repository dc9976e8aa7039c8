//! The file does not grow for ever.

use std::time::Duration;

use kv_core::{Condition, KeyValueStore, Lifetime, Write};
use kv_testkit::ManualClock;

use crate::support::{Place, assert_whole, put};

#[tokio::test]
async fn room_of_deleted_entries_is_used_again_and_given_back_on_demand() {
    let place = Place::new();
    let store = place.open().await;
    let fill = async || {
        let entries = (0..1_000).map(|n| (n.to_string(), vec![7; 2_000].into())).collect();
        store.set_many(entries, Lifetime::Never).await.unwrap();
    };
    let empty = async || {
        let keys: Vec<String> = (0..1_000).map(|n| n.to_string()).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        assert_eq!(store.delete_many(&keys).await.unwrap(), 1_000);
    };
    fill().await;
    let once = store.stats().await.unwrap().bytes.unwrap();
    for _ in 0..5 {
        empty().await;
        fill().await;
    }
    let many = store.stats().await.unwrap().bytes.unwrap();
    assert!(many < once * 3 / 2, "{once} bytes became {many}");
    empty().await;
    store.compact().await.unwrap();
    let compact = store.stats().await.unwrap().bytes.unwrap();
    assert!(compact < once / 5, "{once} bytes became {compact}");
    store.close().await.unwrap();
    assert!(place.bytes() < once / 5, "{} bytes on the disk", place.bytes());
    assert_whole(&place.path());
}

#[tokio::test]
async fn the_log_stays_small_while_writes_go_on() {
    let place = Place::new();
    let store = place.open().await;
    for round in 0..600 {
        let entries = (0..100).map(|n| (n.to_string(), vec![7; 2_000].into())).collect();
        store.set_many(entries, Lifetime::Never).await.unwrap();
        if round % 10 == 0 {
            assert!(store.get("1").await.unwrap().is_some());
        }
    }
    let log = std::fs::metadata(place.folder().join("store.db-wal")).unwrap().len();
    assert!(log < 72 << 20, "{log} bytes after 120 MB");
}

/// How many pages the log has, and how many of them are in the file.
fn log_pages(place: &Place) -> (i64, i64) {
    let file = rusqlite::Connection::open(place.path()).unwrap();
    let pages = |row: &rusqlite::Row<'_>| Ok((row.get(1)?, row.get(2)?));
    file.query_row("PRAGMA wal_checkpoint(NOOP)", [], pages).unwrap()
}

#[tokio::test]
async fn what_gathers_in_the_log_is_brought_into_the_file_by_itself() {
    let place = Place::new();
    let store = place.open().await;
    store.set("k", vec![7; 12 << 20].into(), Write::ALWAYS).await.unwrap();
    let is_in = || Some(log_pages(&place)).filter(|(all, done)| *all > 3_000 && all == done);
    kv_testbed::eventually(Duration::from_secs(60), is_in).unwrap();
    put(&store, "l", "v").await;
    assert!(log_pages(&place).0 < 100, "the log begins anew, {:?}", log_pages(&place));
}

#[tokio::test]
async fn a_sweep_removes_what_expired_and_nothing_else() {
    let (place, clock) = (Place::new(), ManualClock::new());
    let store = place.builder().clock(clock.clone()).open().await.unwrap();
    let short = Write::ALWAYS.lifetime(Lifetime::In(Duration::from_secs(1)));
    let entries = (0..2_500).map(|n| (format!("short:{n}"), "v".into())).collect();
    store.set_many(entries, short.lifetime).await.unwrap();
    put(&store, "for ever", "v").await;
    assert_eq!(store.sweep().await.unwrap(), 0);
    clock.advance(Duration::from_secs(2));
    assert!(!store.delete("short:1", Condition::Always).await.unwrap(), "it is gone already");
    // The store sweeps by itself too; what is left is the same.
    store.sweep().await.unwrap();
    assert_eq!(store.stats().await.unwrap().keys, Some(1));
}
