//! Locks with a lease, a renewal and a fencing token.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};

use kv_core::ErrorKind;
use kv_testkit::{Fault, Method};
use tokio::task::JoinSet;

use crate::support::{Rig, secs};

#[tokio::test(start_paused = true)]
async fn one_holder_at_a_time_and_each_has_a_larger_token() {
    let store = Rig::new().store;
    let mut last = 0;
    for _ in 0..5 {
        let lock = store.lock("k", secs(10)).await.unwrap();
        assert!(store.try_lock("k", secs(10)).await.unwrap().is_none());
        assert!(lock.token() > last && lock.is_held());
        last = lock.token();
        assert!(lock.unlock().await.unwrap());
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_longer_than_a_lease_gets_a_conflict_that_names_the_lock() {
    let store = Rig::new().store;
    let _held = store.lock("k", secs(600)).await.unwrap();
    let error = store.lock("k", secs(1)).await.unwrap_err();
    assert_eq!((error.kind(), error.failed_key()), (ErrorKind::Conflict, Some("k")));
    assert!(error.is_retryable());
}

#[tokio::test(start_paused = true)]
async fn a_waiting_caller_gets_the_lock_when_it_is_given_back() {
    let store = Rig::new().store;
    let first = store.lock("k", secs(10)).await.unwrap();
    let release = async {
        tokio::time::sleep(secs(2)).await;
        first.unlock().await.unwrap()
    };
    let (second, released) = tokio::join!(store.lock("k", secs(10)), release);
    assert!(released && second.unwrap().is_held());
}

#[tokio::test(start_paused = true)]
async fn dropping_a_lock_gives_it_back() {
    let store = Rig::new().store;
    drop(store.lock("k", secs(10)).await.unwrap());
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(store.try_lock("k", secs(10)).await.unwrap().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_held_lock_is_renewed_for_as_long_as_it_lives() {
    let rig = Rig::new();
    let lock = rig.store.lock("k", secs(9)).await.unwrap();
    for _ in 0..20 {
        tokio::time::sleep(secs(3)).await;
        rig.clock.advance(secs(3));
        tokio::task::yield_now().await;
    }
    assert!(lock.is_held() && rig.store.try_lock("k", secs(9)).await.unwrap().is_none());
    assert!(lock.unlock().await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_holder_that_stood_still_has_lost_the_lock_and_takes_nothing_from_the_next() {
    let rig = Rig::new();
    let still = rig.store.lock("k", secs(9)).await.unwrap();
    rig.clock.advance(secs(10));
    let next = rig.store.lock("k", secs(9)).await.unwrap();
    assert!(next.token() > still.token());
    assert!(!still.extend(secs(9)).await.unwrap() && !still.is_held());
    assert!(!still.unlock().await.unwrap());
    assert!(next.is_held() && next.unlock().await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_failed_renewal_is_tried_again() {
    let rig = Rig::new();
    let lock = rig.store.lock("k", secs(9)).await.unwrap();
    rig.faulty.inject(Fault::nth(Method::Set, 1, ErrorKind::Connection));
    for _ in 0..3 {
        tokio::time::sleep(secs(3)).await;
        rig.clock.advance(secs(3));
        tokio::task::yield_now().await;
    }
    assert!(lock.unlock().await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn holders_never_overlap_and_their_tokens_grow() {
    let store = Rig::new().store;
    let (inside, last) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicI64::new(0)));
    let mut holders = JoinSet::new();
    for _ in 0..8 {
        let (store, inside, last) = (store.clone(), inside.clone(), last.clone());
        holders.spawn(async move {
            let mut held = 0;
            while held < 25 {
                let Some(lock) = store.try_lock("k", secs(600)).await.unwrap() else {
                    tokio::task::yield_now().await;
                    continue;
                };
                assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                assert!(last.swap(lock.token(), Ordering::SeqCst) < lock.token());
                inside.fetch_sub(1, Ordering::SeqCst);
                assert!(lock.unlock().await.unwrap());
                held += 1;
            }
        });
    }
    holders.join_all().await;
}

#[tokio::test]
async fn a_lease_of_zero_is_refused() {
    let error = Rig::new().store.lock("k", secs(0)).await.unwrap_err();
    assert_eq!((error.kind(), error.failed_key()), (ErrorKind::InvalidTtl, Some("k")));
}
