//! A service keeps answering while its loader or its store fails.

use kv_core::{CacheOptions, ErrorKind};
use kv_testkit::{Fault, Method};

use crate::support::{Rig, periods, secs};

/// A rig with a value, and so much later.
async fn later(seconds: u64) -> Rig {
    let rig = Rig::new();
    rig.get(periods()).await.unwrap();
    rig.clock.advance(secs(seconds));
    rig
}

fn stop(rig: &Rig) {
    for method in [Method::Get, Method::Set, Method::Ttl, Method::Execute, Method::Delete] {
        rig.faulty.inject(Fault::every(method, ErrorKind::Connection));
    }
}

#[tokio::test(start_paused = true)]
async fn a_failing_loader_makes_the_kept_value_served() {
    let rig = later(40).await;
    rig.loader.fails();
    assert_eq!(rig.get(periods()).await.unwrap(), 1);
    rig.loader.panics();
    assert_eq!(rig.get(periods()).await.unwrap(), 1);
    rig.loader.works();
    assert_eq!(rig.get(periods()).await.unwrap(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_slow_loader_makes_the_kept_value_served_and_goes_on() {
    let rig = later(40).await;
    rig.loader.holds();
    let options = || periods().time_limit(std::time::Duration::from_millis(50));
    assert_eq!(rig.get(options()).await.unwrap(), 1);
    rig.loader.go_on();
    rig.settle().await;
    assert_eq!((rig.get(options()).await.unwrap(), rig.loader.loads()), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn a_stopped_store_is_answered_for_from_memory() {
    let rig = later(5).await;
    stop(&rig);
    for _ in 0..10 {
        assert_eq!(rig.get(periods()).await.unwrap(), 1);
    }
    assert_eq!(rig.loader.loads(), 1, "it is still fresh");
    rig.clock.advance(secs(10));
    assert_eq!(rig.get(periods()).await.unwrap(), 1, "and stale now");
    rig.settle().await;
    assert_eq!(rig.get(periods()).await.unwrap(), 2, "and loaded without the store");
    rig.faulty.heal();
    rig.clock.advance(secs(1));
    assert_eq!(rig.get(periods()).await.unwrap(), 1, "the store knows better what it has");
}

#[tokio::test(start_paused = true)]
async fn a_stopped_store_and_a_failing_loader_are_answered_for_until_all_periods_end() {
    let rig = later(0).await;
    stop(&rig);
    rig.loader.fails();
    for _ in 0..59 {
        rig.clock.advance(secs(1));
        assert_eq!(rig.get(periods()).await.unwrap(), 1);
        rig.settle().await;
    }
    rig.clock.advance(secs(1));
    assert_eq!(rig.get(periods()).await.unwrap_err().kind(), ErrorKind::Loader);
}

#[tokio::test(start_paused = true)]
async fn with_the_store_stopped_what_was_never_served_is_loaded() {
    let rig = Rig::new();
    stop(&rig);
    assert_eq!(rig.get(periods()).await.unwrap(), 1);
    assert_eq!(rig.get(periods()).await.unwrap(), 1, "and remembered");
    assert_eq!(rig.loader.loads(), 1);
}

#[tokio::test(start_paused = true)]
async fn without_a_fail_safe_an_error_of_the_store_is_the_callers() {
    let rig = Rig::new();
    rig.get(CacheOptions::new().stale(secs(5))).await.unwrap();
    stop(&rig);
    let error = rig.get(CacheOptions::new().stale(secs(5))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connection);
}

#[tokio::test(start_paused = true)]
async fn an_error_that_is_the_callers_own_is_not_covered_up() {
    let rig = later(5).await;
    rig.faulty.inject(Fault::every(Method::Execute, ErrorKind::WrongType));
    assert_eq!(rig.get(periods()).await.unwrap_err().kind(), ErrorKind::WrongType);
}

#[tokio::test(start_paused = true)]
async fn a_read_after_the_own_write_is_never_answered_from_before_it() {
    let rig = later(5).await;
    rig.store.set("k", &9).await.unwrap();
    stop(&rig);
    assert_eq!(rig.get(periods()).await.unwrap(), 2, "the old value is forgotten");
    rig.faulty.heal();
    rig.store.delete("k").await.unwrap();
    stop(&rig);
    assert_eq!(rig.get(periods()).await.unwrap(), 3);
}

#[tokio::test(start_paused = true)]
async fn what_the_store_lost_is_not_answered_for() {
    let rig = later(5).await;
    let other = kv_core::Store::new(rig.faulty.clone());
    other.delete("k").await.unwrap();
    rig.loader.fails();
    assert_eq!(rig.get(periods()).await.unwrap_err().kind(), ErrorKind::Loader);
}
