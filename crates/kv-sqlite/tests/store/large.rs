//! Values that do not fit into a leaf of their table: they stand apart, as long as their rows do.

use std::time::Duration;

use bytes::Bytes;
use kv_core::queue::Policy;
use kv_core::{Command, Condition, KeyValueStore, Lifetime, Reply, Write};
use kv_sqlite::SqliteStore;
use kv_testkit::ManualClock;

use crate::jobs::{ack, claim, submit};
use crate::support::{Place, assert_whole};

/// Around the size from which a value stands apart, and around whole numbers of pages.
const SIZES: [usize; 10] = [1, 898, 899, 900, 1_100, 4_080, 4_100, 8_192, 70_000, 3 << 20];

/// Bytes that differ from place to place, so that a page in another's place is noticed.
fn filled(size: usize, salt: usize) -> Bytes {
    (0..size).map(|at| u8::try_from((at / 7 + at / 4_093 + salt) % 251).unwrap()).collect()
}

/// How many values stand apart in a file.
fn apart(place: &Place) -> i64 {
    let file = rusqlite::Connection::open(place.path()).unwrap();
    file.query_row("SELECT count(*) FROM large", [], |row| row.get(0)).unwrap()
}

async fn assert_value(store: &SqliteStore, key: &str, value: &Bytes) {
    let found = store.get(key).await.unwrap().unwrap();
    assert!(found.value == value, "{key}: {} bytes, of {}", found.value.len(), value.len());
}

#[tokio::test]
async fn values_of_all_sizes_are_read_as_written_whatever_was_there_before() {
    let place = Place::new();
    let store = place.open().await;
    for (salt, before) in SIZES.into_iter().enumerate() {
        for after in SIZES {
            for value in [filled(before, salt), filled(after, salt + 1)] {
                store.set("k", value.clone(), Write::ALWAYS).await.unwrap();
                assert_value(&store, "k", &value).await;
            }
        }
    }
    store.set("l", filled(5_000, 0), Write::ALWAYS).await.unwrap();
    assert_eq!(apart(&place), 2, "the value of each key, and no former one");
    store.close().await.unwrap();
    let store = place.open().await;
    assert_value(&store, "k", &filled(3 << 20, 10)).await;
    assert_value(&store, "l", &filled(5_000, 0)).await;
    store.close().await.unwrap();
    assert_whole(&place.path());
}

#[tokio::test]
async fn every_way_to_remove_a_key_removes_its_value() {
    let (place, clock) = (Place::new(), ManualClock::new());
    let store = place.builder().clock(clock.clone()).open().await.unwrap();
    let second = Lifetime::In(Duration::from_secs(1));
    let entries = ["taken", "deleted", "many", "expired", "batch", "touched"];
    let entries = entries.map(|key| (key.to_owned(), filled(9_000, key.len()))).to_vec();
    store.set_many(entries, Lifetime::Never).await.unwrap();
    assert_eq!(apart(&place), 6);
    let taken = store.take("taken").await.unwrap().unwrap();
    assert!(taken.value == filled(9_000, 5));
    let version = store.get("deleted").await.unwrap().unwrap().version;
    assert!(store.delete("deleted", Condition::Version(version)).await.unwrap());
    assert_eq!(store.delete_many(&["many"]).await.unwrap(), 1);
    let take = Command::Take { key: "batch".into() };
    let replies = store.execute(vec![take]).await.unwrap();
    assert!(matches!(&replies[..], [Ok(Reply::Entry(Some(it)))] if it.value == filled(9_000, 5)));
    for key in ["expired", "touched"] {
        assert!(store.touch(key, second).await.unwrap());
        assert_value(&store, key, &filled(9_000, 7)).await;
    }
    assert!(store.touch("touched", Lifetime::Never).await.unwrap());
    clock.advance(Duration::from_secs(2));
    store.sweep().await.unwrap();
    assert_eq!(apart(&place), 1, "only `touched` is left");
    assert_value(&store, "touched", &filled(9_000, 7)).await;
}

#[tokio::test]
async fn a_key_that_fills_its_leaf_has_a_counter_all_the_same() {
    let place = Place::new();
    let (store, key) = (place.open().await, "k".repeat(1_000));
    assert_eq!(store.increment(&key, 41, Lifetime::Never).await.unwrap(), 41);
    assert_eq!(store.increment(&key, 1, Lifetime::Never).await.unwrap(), 42);
    assert_eq!(apart(&place), 1);
    let wrong = store.set("large", filled(9_000, 1), Write::ALWAYS).await;
    assert!(wrong.is_ok() && store.increment("large", 1, Lifetime::Never).await.is_err());
}

#[tokio::test]
async fn large_bodies_of_jobs_are_claimed_as_submitted_and_gone_when_their_jobs_are_done() {
    let place = Place::new();
    let store = place.open().await;
    let bodies = [100, 5_000, 2 << 20].map(|size| filled(size, size));
    for body in &bodies {
        submit(&store, None, body.clone()).await;
    }
    assert_eq!(apart(&place), 2);
    let claimed = claim(&store).await;
    assert!(claimed.iter().map(|job| &job.body).eq(&bodies), "in their order");
    ack(&store, claimed.into_iter().map(|job| job.handle).collect(), Policy::default()).await;
    assert_eq!(apart(&place), 0);
    store.close().await.unwrap();
    assert_whole(&place.path());
}
