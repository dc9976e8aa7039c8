//! Limits by the store's clock.

use std::time::Duration;

use kv_core::{Decision, ErrorKind, Rate};
use kv_testkit::{Fault, Method};
use tokio::task::JoinSet;

use crate::support::{Rig, secs};

/// A store whose backend decides in one step, and one that has conditional writes only.
fn rigs() -> [Rig; 2] {
    let rigs = [Rig::new(), Rig::new()];
    rigs[1].faulty.inject(Fault::every(Method::Execute, ErrorKind::Unsupported));
    rigs
}

#[tokio::test]
async fn a_burst_is_allowed_at_once_and_then_the_rate() {
    for rig in rigs() {
        let limiter = rig.store.limiter("api", Rate::new(2, secs(1)).burst(3));
        for remaining in [2, 1, 0] {
            assert_eq!(limiter.acquire().await.unwrap(), Decision::Allowed { remaining });
        }
        let retry_after = Duration::from_millis(500);
        assert_eq!(limiter.acquire().await.unwrap(), Decision::Limited { retry_after });
        rig.clock.advance(retry_after - Duration::from_micros(1));
        assert!(!limiter.acquire().await.unwrap().is_allowed());
        rig.clock.advance(Duration::from_micros(1));
        assert!(limiter.acquire().await.unwrap().is_allowed());
        rig.clock.advance(secs(10));
        assert_eq!(limiter.acquire().await.unwrap(), Decision::Allowed { remaining: 2 });
    }
}

#[tokio::test]
async fn several_at_once_are_all_or_none() {
    for rig in rigs() {
        let limiter = rig.store.limiter("api", Rate::per_second(5));
        assert_eq!(limiter.acquire_many(4).await.unwrap(), Decision::Allowed { remaining: 1 });
        assert!(!limiter.acquire_many(2).await.unwrap().is_allowed());
        assert!(limiter.acquire().await.unwrap().is_allowed());
        let error = limiter.acquire_many(6).await.unwrap_err();
        assert_eq!((error.kind(), error.failed_key()), (ErrorKind::Config, Some("api")));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn callers_at_once_share_the_limit_exactly() {
    for rig in rigs() {
        let mut callers = JoinSet::new();
        for _ in 0..8 {
            let limiter = rig.store.limiter("api", Rate::per_second(100));
            callers.spawn(async move {
                let mut allowed = 0;
                for _ in 0..50 {
                    allowed += u32::from(limiter.acquire().await.unwrap().is_allowed());
                }
                allowed
            });
        }
        assert_eq!(callers.join_all().await.into_iter().sum::<u32>(), 100);
    }
}

#[tokio::test]
async fn limits_are_apart_from_values_counters_and_other_namespaces() {
    for rig in rigs() {
        let rate = Rate::new(1, secs(60));
        for store in [rig.store.clone(), rig.store.namespace("a")] {
            assert!(store.limiter("k", rate).acquire().await.unwrap().is_allowed());
        }
        assert!(!rig.store.exists("k").await.unwrap());
        assert_eq!(rig.store.counter("k").await.unwrap(), None);
        assert!(!rig.store.limiter("k", rate).acquire().await.unwrap().is_allowed());
    }
}

#[tokio::test]
async fn an_error_of_the_store_is_the_callers_and_names_the_limit() {
    for (rig, method) in rigs().iter().zip([Method::Execute, Method::Set]) {
        rig.faulty.inject(Fault::every(method, ErrorKind::Connection));
        let error = rig.store.limiter("api", Rate::per_second(1)).acquire().await.unwrap_err();
        assert_eq!((error.kind(), error.failed_key()), (ErrorKind::Connection, Some("api")));
    }
}

#[tokio::test]
async fn memory_decides_in_one_step() {
    let rig = Rig::new();
    rig.faulty.inject(Fault::every(Method::Get, ErrorKind::Connection));
    rig.faulty.inject(Fault::every(Method::Set, ErrorKind::Connection));
    let limiter = rig.store.limiter("api", Rate::per_second(1));
    assert_eq!(limiter.acquire().await.unwrap(), Decision::Allowed { remaining: 0 });
}
