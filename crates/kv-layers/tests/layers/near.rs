//! The near cache: what it keeps, what makes it forget, and histories of several clients.

mod history;
mod world;

use std::sync::Arc;
use std::time::Duration;

use kv_core::{Change, Condition, ErrorKind, KeyValueStore, Lifetime, Remaining, Store, Write};
use kv_layers::NearCache;
use kv_memory::MemoryStore;
use kv_testkit::{Fault, Faulty, ManualClock, Method};

use self::history::{History, Plant};

fn near() -> (NearCache, Faulty, Arc<dyn KeyValueStore>, ManualClock) {
    let clock = ManualClock::new();
    let far = Faulty::new(MemoryStore::builder().clock(clock.clone()).build());
    let near = NearCache::new().clock(clock.clone());
    let store = near.clone().on(far.clone()).unwrap();
    (near, far, Arc::from(store), clock)
}

async fn read(store: &Arc<dyn KeyValueStore>, key: &str) -> Option<String> {
    let entry = match store.get_now(key) {
        Some(entry) => entry,
        None => store.get(key).await,
    };
    entry.unwrap().map(|entry| String::from_utf8(entry.value.to_vec()).unwrap())
}

#[tokio::test]
async fn a_value_and_an_absent_key_are_asked_for_once() {
    let (near, far, store, _) = near();
    store.set("k", "v".into(), Write::ALWAYS).await.unwrap();
    for _ in 0..5 {
        assert_eq!(read(&store, "k").await.as_deref(), Some("v"));
        assert_eq!(read(&store, "none").await, None);
    }
    assert_eq!(far.calls(Method::Execute), 2);
    let figures = near.figures();
    assert_eq!((figures.hits, figures.misses, figures.gaps), (8, 2, 1));
}

#[tokio::test]
async fn of_many_keys_only_those_are_asked_for_that_are_not_kept() {
    let (near, _, store, _) = near();
    for key in ["a", "b", "c"] {
        store.set(key, key.into(), Write::ALWAYS).await.unwrap();
    }
    assert_eq!(read(&store, "b").await.as_deref(), Some("b"));
    let keys = ["a", "b", "none", "c", "a"];
    for _ in 0..2 {
        let values = store.get_many(&keys).await.unwrap().into_iter();
        let values: Vec<_> = values.map(|entry| entry.map(|entry| entry.value)).collect();
        assert_eq!(
            values,
            [Some("a".into()), Some("b".into()), None, Some("c".into()), Some("a".into())]
        );
    }
    assert_eq!((near.figures().hits, near.figures().misses), (1 + 5, 1 + 4));
}

#[tokio::test]
async fn an_expired_value_is_not_answered_though_nobody_told_that_it_expired() {
    let (_, _, store, clock) = near();
    let write = Write::ALWAYS.lifetime(Lifetime::In(Duration::from_millis(500)));
    store.set("k", "v".into(), write).await.unwrap();
    assert_eq!(read(&store, "k").await.as_deref(), Some("v"));
    clock.advance(Duration::from_millis(499));
    assert_eq!(store.get_now("k").unwrap().unwrap().unwrap().value, "v");
    clock.advance(Duration::from_millis(1));
    assert!(store.get_now("k").is_none());
    clock.advance(Duration::from_millis(1));
    assert_eq!(read(&store, "k").await, None);
}

#[tokio::test]
async fn what_nobody_says_anything_about_is_asked_for_again_after_its_greatest_age() {
    let (near, _, store, clock) = near();
    store.set("k", "v".into(), Write::ALWAYS).await.unwrap();
    for (age, misses) in [(0, 1), (59, 1), (60, 2), (119, 2), (120, 3)] {
        clock.advance(Duration::from_secs(age) - clock_now(&clock));
        assert_eq!(read(&store, "k").await.as_deref(), Some("v"));
        assert_eq!(near.figures().misses, misses, "at {age} s");
    }
}

fn clock_now(clock: &ManualClock) -> Duration {
    kv_core::Clock::now(clock)
}

#[tokio::test]
async fn a_write_that_failed_or_was_dropped_may_have_been_done_and_is_forgotten_too() {
    let (_, far, store, _) = near();
    store.set("k", "1".into(), Write::ALWAYS).await.unwrap();
    assert_eq!(read(&store, "k").await.as_deref(), Some("1"));
    far.inject(Fault::nth(Method::Set, 1, ErrorKind::Timeout).reply_lost());
    store.set("k", "2".into(), Write::ALWAYS).await.unwrap_err();
    assert_eq!(read(&store, "k").await.as_deref(), Some("2"));
    drop(store.delete("k", Condition::Always));
    assert_eq!(read(&store, "k").await.as_deref(), Some("2"));
}

#[tokio::test]
async fn the_librarys_own_keys_and_those_outside_of_what_is_kept_are_always_asked_for() {
    let far = MemoryStore::new();
    let near = NearCache::new().only("pages:");
    let store: Arc<dyn KeyValueStore> = Arc::from(near.clone().on(far).unwrap());
    for _ in 0..3 {
        for key in ["!kv:lock:pages:a", "pages:!kv:a", "other:a"] {
            assert_eq!(read(&store, key).await, None);
        }
        assert_eq!(read(&store, "pages:a").await, None);
    }
    assert_eq!((near.figures().hits, near.figures().misses), (2, 10));
}

#[tokio::test]
async fn a_watch_of_the_program_is_told_after_the_cache_has_forgotten() {
    let (_, far, store, _) = near();
    let mut watch = Store::new(store.clone()).watch("").unwrap();
    assert!(matches!(watch.next().await, Some(Change::Gap)));
    for number in 0..10 {
        let value = number.to_string();
        far.set("k", value.clone().into(), Write::ALWAYS).await.unwrap();
        assert!(matches!(watch.next().await, Some(Change::Key(_))));
        assert_eq!(read(&store, "k").await, Some(value));
    }
    store.close().await.unwrap();
    assert!(watch.next().await.is_none());
    assert_eq!(store.get("k").await.unwrap_err().kind(), ErrorKind::Closed);
    assert!(Store::new(store).watch("").is_err());
}

#[tokio::test]
async fn a_dropped_cache_is_no_longer_told() {
    let (_, far, store, _) = near();
    let watching = Arc::downgrade(&store);
    drop(store);
    assert!(watching.upgrade().is_none());
    far.set("k", "v".into(), Write::ALWAYS).await.unwrap();
}

#[test]
fn a_store_that_does_not_tell_changes_is_refused() {
    let fallback = kv_layers::Fallback::to(MemoryStore::new).on(MemoryStore::new()).unwrap();
    let error = NearCache::new().on(fallback).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("layer `near-cache`"), "{error}");
}

#[tokio::test]
async fn what_is_left_of_a_lifetime_is_asked_of_the_store() {
    let (_, _, store, _) = near();
    let write = Write::ALWAYS.lifetime(Lifetime::In(Duration::from_secs(5)));
    store.set("k", "v".into(), write).await.unwrap();
    assert!(read(&store, "k").await.is_some());
    assert!(matches!(store.ttl("k").await.unwrap(), Some(Remaining::Expires(_))));
    assert!(store.touch("k", Lifetime::Never).await.unwrap());
    assert!(matches!(store.ttl("k").await.unwrap(), Some(Remaining::Forever)));
}

/// Four clients, whose connections are cut; each seed is another order of all steps.
#[test]
fn no_read_is_older_than_promised_in_any_history() {
    let first = fastrand::u64(..1 << 40);
    println!("seeds from {first}");
    for seed in first..first + 60 {
        let wrong = History::new(seed, Plant::Nothing).run(800);
        assert_eq!(wrong, None, "seed {seed}");
    }
}

#[test]
fn each_planted_fault_is_found_by_the_histories() {
    for plant in [Plant::GapsAreIgnored, Plant::OwnWritesAreIgnored, Plant::RepliesUnderWayAreKept]
    {
        let found = (0..60).any(|seed| History::new(seed, plant).run(800).is_some());
        assert!(found, "{plant:?} was not found");
    }
}
