//! A process that is stopped (SIGSTOP) while it has the turn.

use std::time::Duration;

use kv_core::{Effect, Error, ErrorKind, KeyValueStore, Write};
use kv_sqlite::SqliteStore;
use kv_testbed::ChildTest;

use crate::support::{Place, assert_whole, put, value};

const PATH: &str = "KV_SQLITE_STOPPED_PATH";

/// How often the other process is stopped until it is in its turn, which is most of its time.
const TRIES: usize = 200;

#[tokio::test]
async fn writes_without_a_pause() {
    let Ok(path) = std::env::var(PATH) else { return };
    let store = SqliteStore::open(path).await.unwrap();
    ChildTest::say("writing", true);
    for number in 0_u64.. {
        let value = vec![7; 200_000].into();
        store.set(&format!("busy:{}", number % 8), value, Write::ALWAYS).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn others_are_told_in_time_read_meanwhile_and_write_when_it_goes_on() {
    let place = Place::new();
    let store = place.builder().timeout(Duration::from_millis(500)).open().await.unwrap();
    put(&store, "k", "0").await;
    let path = place.path();
    let variables = [(PATH, path.to_str().unwrap())];
    let mut child = ChildTest::start("stopped::writes_without_a_pause", &variables).unwrap();
    let _ = child.hear("writing").unwrap();
    let (error, last) = stopped_in_its_turn(&child, &store).await;
    assert_eq!((error.kind(), error.effect()), (ErrorKind::Timeout, Effect::NotApplied));
    assert!(error.to_string().contains("SIGSTOP"), "{error}");
    assert_eq!(value(&store, "k").await.unwrap(), last, "a read does not wait");
    child.resume().unwrap();
    let mut written = Err(error);
    for _ in 0..TRIES {
        // A machine that is busy takes its time.
        if matches!(&written, Err(error) if error.kind() == ErrorKind::Timeout) {
            written = store.set("k", "after".into(), Write::ALWAYS).await;
        }
    }
    written.unwrap();
    drop(child);
    assert_eq!(value(&store, "k").await.unwrap(), "after");
    store.close().await.unwrap();
    assert_whole(&place.path());
}

/// Stops the other process until that holds up a write; its error, and what was written before.
async fn stopped_in_its_turn(child: &ChildTest, store: &SqliteStore) -> (Error, String) {
    let mut last = "0".to_owned();
    for number in 1..TRIES {
        child.pause().unwrap();
        let next = number.to_string();
        match store.set("k", next.clone().into(), Write::ALWAYS).await {
            Ok(_) => last = next,
            Err(error) if error.to_string().contains("the turn") => return (error, last),
            // It was stopped in SQLite's own lock for a moment of its opening, or the machine is busy.
            Err(error) => assert_eq!(error.kind(), ErrorKind::Timeout, "{error}"),
        }
        child.resume().unwrap();
    }
    panic!("the other process was never stopped in its turn");
}
