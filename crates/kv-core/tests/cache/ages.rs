//! Fresh, stale, kept, gone: what a caller gets in each period.

use kv_core::{CacheOptions, Expiry, Remaining};
use kv_testkit::Method;

use crate::support::{Rig, panics, periods, secs};

#[tokio::test(start_paused = true)]
async fn a_fresh_value_is_served_without_a_load() {
    let rig = Rig::new();
    for _ in 0..10 {
        assert_eq!(rig.get(periods()).await.unwrap(), 1);
    }
    rig.clock.advance(secs(9));
    assert_eq!((rig.get(periods()).await.unwrap(), rig.loader.loads()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn the_stored_bytes_are_the_plain_value_and_live_through_all_periods() {
    let rig = Rig::new();
    rig.get(periods()).await.unwrap();
    assert_eq!(rig.store.get("k").await.unwrap(), Some(1));
    assert_eq!(rig.store.ttl("k").await.unwrap(), Some(Remaining::Expires(secs(60))));
    assert_eq!(rig.store.keys("*").await.unwrap(), ["k"]);
    assert_eq!(periods().ttl(secs(10)).kept_for(), Expiry::In(secs(60)));
}

#[tokio::test(start_paused = true)]
async fn a_stale_value_is_served_at_once_while_one_load_replaces_it() {
    let rig = Rig::new();
    rig.get(periods()).await.unwrap();
    rig.loader.holds();
    rig.clock.advance(secs(11));
    for _ in 0..100 {
        assert_eq!(rig.get(periods()).await.unwrap(), 1, "nobody waits");
    }
    rig.settle().await;
    assert_eq!(rig.loader.loads(), 2);
    rig.loader.go_on();
    rig.settle().await;
    assert_eq!((rig.get(periods()).await.unwrap(), rig.loader.loads()), (2, 2));
    assert_eq!(rig.store.ttl("k").await.unwrap(), Some(Remaining::Expires(secs(60))));
}

#[tokio::test(start_paused = true)]
async fn a_kept_value_is_not_served_while_the_loader_works() {
    let rig = Rig::new();
    rig.get(periods()).await.unwrap();
    rig.clock.advance(secs(31));
    assert_eq!(rig.get(periods()).await.unwrap(), 2);
}

#[tokio::test(start_paused = true)]
async fn after_all_periods_the_value_is_gone() {
    let rig = Rig::new();
    rig.get(periods()).await.unwrap();
    rig.clock.advance(secs(61));
    rig.loader.fails();
    assert!(rig.get(periods()).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_value_without_a_lifetime_is_always_fresh() {
    let rig = Rig::new();
    rig.store.set("k", &7).await.unwrap();
    rig.clock.advance(secs(1_000_000));
    assert_eq!((rig.get(periods()).await.unwrap(), rig.loader.loads()), (7, 0));
}

#[tokio::test(start_paused = true)]
async fn a_value_that_another_writer_kept_for_the_periods_is_fresh() {
    let rig = Rig::new();
    let options = periods().ttl(secs(10));
    let write = kv_core::SetOptions::new().ttl(options.kept_for());
    rig.store.set_with("k", &7, write).await.unwrap();
    rig.clock.advance(secs(9));
    assert_eq!(rig.get(periods()).await.unwrap(), 7);
    rig.clock.advance(secs(2));
    assert_eq!(rig.get(periods()).await.unwrap(), 7);
    rig.settle().await;
    assert_eq!(rig.get(periods()).await.unwrap(), 1, "it became stale and was replaced");
}

#[tokio::test(start_paused = true)]
async fn none_has_a_lifetime_of_its_own() {
    let rig = Rig::new();
    let options = CacheOptions::new().ttl(secs(100)).absent_ttl(secs(1));
    let none = || async { Ok::<Option<u32>, std::io::Error>(None) };
    let some = || async { Ok::<Option<u32>, std::io::Error>(Some(1)) };
    assert_eq!(rig.store.get_or_set_with("n", options.clone(), none).await.unwrap(), None);
    assert_eq!(rig.store.get::<Option<u32>>("n").await.unwrap(), Some(None), "a plain null");
    assert_eq!(rig.store.get_or_set_with("n", options.clone(), some).await.unwrap(), None);
    rig.clock.advance(secs(2));
    assert_eq!(rig.store.get_or_set_with("n", options, some).await.unwrap(), Some(1));
    assert_eq!(rig.store.ttl("n").await.unwrap(), Some(Remaining::Expires(secs(100))));
}

#[tokio::test(start_paused = true)]
async fn a_zero_lifetime_is_refused_before_the_loader_works() {
    let rig = Rig::new();
    let zero = CacheOptions::new().ttl(secs(1)).absent_ttl(secs(0));
    let load = || async { panics::<Option<u32>>() };
    let error = rig.store.get_or_set_with("n", zero, load).await.unwrap_err();
    assert_eq!(error.kind(), kv_core::ErrorKind::InvalidTtl);
}

#[tokio::test(start_paused = true)]
async fn what_others_wrote_while_a_stale_value_was_loaded_is_kept() {
    let rig = Rig::new();
    rig.get(periods()).await.unwrap();
    rig.clock.advance(secs(11));
    rig.loader.holds();
    rig.get(periods()).await.unwrap();
    rig.settle().await;
    rig.store.set("k", &9).await.unwrap();
    rig.loader.go_on();
    rig.settle().await;
    assert_eq!(rig.store.get("k").await.unwrap(), Some(9));
}

#[tokio::test(start_paused = true)]
async fn a_value_that_ends_while_its_successor_is_loaded_is_replaced() {
    let rig = Rig::new();
    rig.get(periods()).await.unwrap();
    rig.clock.advance(secs(59));
    rig.loader.holds();
    let call = rig.get(periods());
    let expire = async {
        rig.settle().await;
        rig.clock.advance(secs(2));
        rig.loader.go_on();
    };
    assert_eq!(tokio::join!(call, expire).0.unwrap(), 2);
    assert_eq!(rig.store.get("k").await.unwrap(), Some(2));
}

#[tokio::test(start_paused = true)]
async fn a_hit_without_periods_is_one_plain_get() {
    let rig = Rig::new();
    rig.get(CacheOptions::new()).await.unwrap();
    let before = rig.faulty.calls(Method::Get);
    rig.get(CacheOptions::new()).await.unwrap();
    assert_eq!(rig.faulty.calls(Method::Get), before + 1);
    assert_eq!(rig.faulty.calls(Method::Execute) + rig.faulty.calls(Method::Ttl), 0);
}
