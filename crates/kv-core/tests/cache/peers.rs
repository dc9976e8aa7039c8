//! Cases that the documentation of moka and of FusionCache names, as they come out here.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use kv_core::{CacheOptions, Store};
use kv_memory::MemoryStore;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::support::{Rig, periods, secs};

/// moka, `Cache::get_with`: concurrent calls on one missing key evaluate one of the futures, and
/// the large value is made once.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn moka_concurrent_calls_evaluate_one_future() {
    let store = Store::new(MemoryStore::new());
    let (made, barrier) = (Arc::new(AtomicU32::new(0)), Arc::new(Barrier::new(16)));
    let mut tasks = JoinSet::new();
    for _ in 0..16 {
        let (store, made, barrier) = (store.clone(), made.clone(), barrier.clone());
        tasks.spawn(async move {
            barrier.wait().await;
            let load = || async {
                made.fetch_add(1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                Ok::<_, std::io::Error>("x".repeat(100_000))
            };
            store.get_or_set_with("key1", secs(60), load).await.unwrap().len()
        });
    }
    assert!(tasks.join_all().await.into_iter().all(|length| length == 100_000));
    assert_eq!(made.load(Ordering::SeqCst), 1);
}

/// moka, `Cache::try_get_with`: a failed future's error goes to all that waited, and a later call
/// evaluates its own future.
#[tokio::test]
async fn moka_a_later_call_evaluates_its_own_future_after_an_error() {
    let rig = Rig::new();
    rig.loader.fails();
    assert!(rig.get(CacheOptions::new()).await.is_err());
    rig.loader.works();
    assert_eq!(rig.get(CacheOptions::new()).await.unwrap(), 2);
}

/// moka, `Cache::get_with` (issue 59): of callers that time out, the next one's future is evaluated,
/// and none is left waiting.
#[tokio::test(start_paused = true)]
async fn moka_callers_that_time_out_leave_nobody_waiting() {
    let rig = Rig::new();
    rig.loader.holds();
    for _ in 0..3 {
        let call = rig.store.get_or_set_with("k", secs(9), || rig.loader.load());
        assert!(tokio::time::timeout(secs(1), call).await.is_err());
    }
    rig.loader.go_on();
    assert_eq!(rig.get(CacheOptions::new()).await.unwrap(), 4);
}

/// FusionCache, "Cache Stampede": one factory runs for all requests of an expired key.
#[tokio::test(start_paused = true)]
async fn fusion_cache_an_expired_key_runs_one_factory() {
    let rig = Rig::new();
    rig.get(CacheOptions::new()).await.unwrap();
    rig.clock.advance(secs(11));
    let (a, b, c) = tokio::join!(
        rig.get(CacheOptions::new()),
        rig.get(CacheOptions::new()),
        rig.get(CacheOptions::new())
    );
    assert_eq!([a.unwrap(), b.unwrap(), c.unwrap()], [2, 2, 2]);
}

/// FusionCache, "Fail-Safe": the factory fails, the expired value is used, and the throttle keeps
/// the factory from running again for a while.
#[tokio::test(start_paused = true)]
async fn fusion_cache_fail_safe_with_a_throttle() {
    let rig = Rig::new();
    let options = || CacheOptions::new().fail_safe(secs(100)).remember_errors(secs(30));
    rig.get(options()).await.unwrap();
    rig.clock.advance(secs(11));
    rig.loader.fails();
    assert_eq!(rig.get(options()).await.unwrap(), 1);
    rig.loader.works();
    rig.clock.advance(secs(29));
    assert_eq!((rig.get(options()).await.unwrap(), rig.loader.loads()), (1, 2));
    rig.clock.advance(secs(2));
    assert_eq!(rig.get(options()).await.unwrap(), 3);
}

/// FusionCache, "Timeouts": after the soft timeout the expired value is used, and the factory
/// completes in the background.
#[tokio::test(start_paused = true)]
async fn fusion_cache_a_soft_timeout_lets_the_factory_complete() {
    let rig = Rig::new();
    let options = || CacheOptions::new().fail_safe(secs(100)).time_limit(secs(1));
    rig.get(options()).await.unwrap();
    rig.clock.advance(secs(11));
    rig.loader.holds();
    assert_eq!(rig.get(options()).await.unwrap(), 1);
    rig.loader.go_on();
    rig.settle().await;
    assert_eq!((rig.get(options()).await.unwrap(), rig.loader.loads()), (2, 2));
}

/// FusionCache, "Timeouts": without an expired value the soft timeout does not apply.
#[tokio::test(start_paused = true)]
async fn fusion_cache_a_soft_timeout_needs_something_to_use() {
    let rig = Rig::new();
    rig.loader.holds();
    let options = CacheOptions::new().fail_safe(secs(100)).time_limit(secs(1));
    let release = async {
        tokio::time::sleep(secs(10)).await;
        rig.loader.go_on();
    };
    assert_eq!(tokio::join!(rig.get(options), release).0.unwrap(), 1);
}

/// FusionCache, "Eager Refresh": a request in the last part of the duration gets the value at once,
/// and one factory runs in the background.
#[tokio::test(start_paused = true)]
async fn fusion_cache_eager_refresh() {
    let rig = Rig::new();
    let options = || CacheOptions::new().early(secs(9));
    rig.get(options()).await.unwrap();
    rig.clock.advance(std::time::Duration::from_millis(9_999));
    let (a, b) = tokio::join!(rig.get(options()), rig.get(options()));
    assert_eq!((a.unwrap(), b.unwrap()), (1, 1));
    rig.settle().await;
    assert_eq!((rig.get(options()).await.unwrap(), rig.loader.loads()), (2, 2));
}

/// FusionCache, "Adaptive Caching" for null values: a missing item is cached for a shorter time;
/// and a distributed cache that is away does not keep the factory from being asked.
#[tokio::test(start_paused = true)]
async fn fusion_cache_a_distributed_cache_that_is_away_is_passed_over() {
    let rig = Rig::new();
    for method in kv_testkit::Method::ALL {
        rig.faulty.inject(kv_testkit::Fault::every(method, kv_core::ErrorKind::Timeout));
    }
    assert_eq!(rig.get(periods()).await.unwrap(), 1);
}
