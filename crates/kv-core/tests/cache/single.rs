//! One load for all callers of a process.

use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Waker};

use kv_core::{CacheOptions, ErrorKind, Expiry};
use tokio::task::JoinSet;

use crate::support::{Rig, secs};

/// Begins calls and lets each come to its first wait.
async fn calls(rig: &Rig, count: usize, is_borrowed: bool) -> JoinSet<kv_core::Result<u32>> {
    let mut calls = JoinSet::new();
    for _ in 0..count {
        let (store, loader) = (rig.store.clone(), rig.loader.clone());
        calls.spawn(async move {
            if is_borrowed {
                return store.get_or_set_with("k", secs(10), || loader.load()).await;
            }
            let options = CacheOptions::new().ttl(secs(10));
            store.get_or_set_with("k", options, move || async move { loader.load().await }).await
        });
    }
    rig.settle().await;
    calls
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_callers_make_one_load() {
    for is_borrowed in [true, false] {
        let rig = Rig::new();
        let all = calls(&rig, 1_000, is_borrowed).await.join_all().await;
        assert!(all.iter().all(|value| matches!(value, Ok(1))));
        assert_eq!((all.len(), rig.loader.loads()), (1_000, 1));
    }
}

#[tokio::test]
async fn callers_of_different_keys_do_not_wait_for_each_other() {
    let rig = Rig::new();
    rig.loader.holds();
    let held = calls(&rig, 1, false).await;
    let load = || async { Ok::<_, Infallible>(7) };
    assert_eq!(rig.store.get_or_set_with("other", Expiry::Never, load).await.unwrap(), 7);
    drop(held);
}

#[tokio::test]
async fn a_dropped_caller_takes_nobody_along() {
    for is_borrowed in [true, false] {
        let rig = Rig::new();
        rig.loader.holds();
        let mut first = calls(&rig, 1, is_borrowed).await;
        let others = calls(&rig, 9, is_borrowed).await;
        assert_eq!(rig.loader.loads(), 1);
        first.shutdown().await;
        rig.settle().await;
        rig.loader.go_on();
        // Whose loader borrows from its caller ends with it, and one of the others loads.
        let expected = if is_borrowed { 2 } else { 1 };
        let all = others.join_all().await;
        assert!(all.into_iter().all(|value| value.unwrap() == expected));
        assert_eq!(rig.loader.loads(), expected);
    }
}

#[tokio::test]
async fn a_load_outlives_all_its_callers() {
    let rig = Rig::new();
    rig.loader.holds();
    calls(&rig, 5, false).await.shutdown().await;
    rig.loader.go_on();
    rig.settle().await;
    assert_eq!(rig.store.get("k").await.unwrap(), Some(1));
}

#[tokio::test]
async fn a_panicking_loader_is_an_error_for_each_caller_and_the_next_load_works() {
    for is_borrowed in [true, false] {
        let rig = Rig::new();
        rig.loader.holds();
        rig.loader.panics();
        let callers = calls(&rig, 10, is_borrowed).await;
        rig.loader.go_on();
        for error in callers.join_all().await {
            let error = error.unwrap_err();
            assert_eq!((error.kind(), error.failed_key()), (ErrorKind::Loader, Some("k")));
            assert_eq!(error.message(), "the loader panicked");
        }
        rig.loader.works();
        assert_eq!(rig.get(CacheOptions::new()).await.unwrap(), 2);
    }
}

#[tokio::test]
async fn a_failing_loader_is_an_error_for_each_caller_with_its_cause() {
    let rig = Rig::new();
    rig.loader.holds();
    rig.loader.fails();
    let callers = calls(&rig, 10, false).await;
    rig.loader.go_on();
    for error in callers.join_all().await {
        let error = error.unwrap_err();
        let cause = std::error::Error::source(&error).unwrap();
        assert!(cause.is::<std::io::Error>());
        assert_eq!(cause.to_string(), "failed load 1");
    }
    assert!(!rig.store.exists("k").await.unwrap());
}

#[tokio::test]
async fn closing_the_store_ends_its_loads() {
    let rig = Rig::new();
    rig.loader.holds();
    let callers = calls(&rig, 10, false).await;
    rig.store.close().await.unwrap();
    for error in callers.join_all().await {
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Closed);
    }
}

#[test]
fn outside_of_a_runtime_the_load_runs_in_its_caller() {
    let rig = Rig::new();
    let call = pin!(rig.get(CacheOptions::new().stale(secs(5)).fail_safe(secs(5))));
    let polled = call.poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(polled, Poll::Ready(Ok(1))), "memory answers at the first poll");
    rig.clock.advance(secs(12));
    let call = pin!(rig.get(CacheOptions::new().stale(secs(5)).fail_safe(secs(5))));
    let polled = call.poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(polled, Poll::Ready(Ok(2))), "and a stale value is loaded anew");
}

#[tokio::test]
async fn a_caller_of_another_type_gets_the_value_as_its_own() {
    let rig = Rig::new();
    rig.loader.holds();
    let callers = calls(&rig, 1, false).await;
    let loads = AtomicU32::new(0);
    let load = || async {
        loads.fetch_add(1, Ordering::SeqCst);
        Ok::<f64, Infallible>(0.5)
    };
    let mut other = pin!(rig.store.get_or_set_with("k", Expiry::Default, load));
    assert!(other.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    rig.loader.go_on();
    assert!((other.await.unwrap() - 1.0).abs() < f64::EPSILON);
    assert_eq!(loads.load(Ordering::SeqCst), 0);
    drop(callers);
}

#[tokio::test]
async fn more_loads_than_tasks_run_in_their_callers() {
    let rig = Rig::new();
    rig.loader.holds();
    let mut callers = JoinSet::new();
    for key in 0..300 {
        let (store, loader) = (rig.store.clone(), rig.loader.clone());
        callers.spawn(async move {
            let load = move || async move { loader.load().await };
            store.get_or_set_with(&format!("k{key}"), CacheOptions::new(), load).await
        });
    }
    rig.settle().await;
    assert_eq!(rig.loader.loads(), 300);
    rig.loader.go_on();
    assert!(callers.join_all().await.iter().all(Result::is_ok));
}
