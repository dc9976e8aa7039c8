//! What two stores of one file share beyond values: loads, locks, limits and tags.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use kv_core::{CacheOptions, Command, Decision, KeyValueStore, Rate, Reply, SetOptions, Store};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::support::Place;

const MINUTE: Duration = Duration::from_secs(60);

async fn two(place: &Place) -> (Store, Store) {
    (Store::new(place.open().await), Store::new(place.open().await))
}

#[tokio::test]
async fn two_stores_make_one_load() {
    let place = Place::new();
    let (first, second) = two(&place).await;
    let (begun, pass) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let loads = Arc::new(AtomicU32::new(0));
    let call = |store: Store| {
        let (begun, pass, loads) = (begun.clone(), pass.clone(), loads.clone());
        let load = move || async move {
            begun.add_permits(1);
            pass.acquire().await?.forget();
            Ok::<_, tokio::sync::AcquireError>(loads.fetch_add(1, Ordering::SeqCst))
        };
        let options = CacheOptions::new().ttl(MINUTE);
        tokio::spawn(async move { store.get_or_set_with("k", options, load).await })
    };
    let loading = call(first);
    begun.acquire().await.unwrap().forget();
    let waiting = call(second);
    pass.add_permits(2);
    assert_eq!(loading.await.unwrap().unwrap(), 0);
    assert_eq!(waiting.await.unwrap().unwrap(), 0);
    assert_eq!(loads.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_lock_of_one_store_keeps_the_other_out() {
    let place = Place::new();
    let (first, second) = two(&place).await;
    let lock = first.lock("k", MINUTE).await.unwrap();
    assert!(second.try_lock("k", MINUTE).await.unwrap().is_none());
    assert!(lock.extend(MINUTE).await.unwrap());
    let token = lock.token();
    assert!(lock.unlock().await.unwrap());
    assert!(second.lock("k", MINUTE).await.unwrap().token() > token);
}

#[tokio::test]
async fn two_stores_keep_one_limit() {
    let place = Place::new();
    let (first, second) = two(&place).await;
    let rate = Rate::new(3, MINUTE * 60);
    let mut allowed = 0;
    for store in [&first, &second, &first, &second, &first] {
        allowed += u32::from(store.limiter("k", rate).acquire().await.unwrap().is_allowed());
    }
    assert_eq!(allowed, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn callers_of_two_stores_share_a_limit_exactly_in_one_step_each() {
    let place = Place::new();
    let (first, second) = two(&place).await;
    let mut callers = JoinSet::new();
    for caller in 0..8 {
        let store = if caller % 2 == 0 { &first } else { &second };
        let limiter = store.limiter("k", Rate::new(100, MINUTE * 60));
        callers.spawn(async move {
            let mut allowed = 0;
            for _ in 0..50 {
                allowed += u32::from(limiter.acquire().await.unwrap().is_allowed());
            }
            allowed
        });
    }
    assert_eq!(callers.join_all().await.into_iter().sum::<u32>(), 100);
    let rate = Rate::per_second(1).checked(1).unwrap();
    let step = vec![Command::Limit { key: "l".into(), rate }];
    let reply = place.open().await.execute(step).await.unwrap().remove(0).unwrap();
    assert_eq!(reply, Reply::Decision(Decision::Allowed { remaining: 0 }));
}

#[tokio::test]
async fn a_tag_that_one_store_ends_has_ended_for_the_other() {
    let place = Place::new();
    let (first, second) = two(&place).await;
    first.set_with("k", &1, SetOptions::new().tag("t")).await.unwrap();
    assert_eq!(second.get("k").await.unwrap(), Some(1));
    second.invalidate("t").await.unwrap();
    assert_eq!(first.get::<u32>("k").await.unwrap(), None);
    assert_eq!(second.counters("*").await.unwrap(), []);
}
