//! Loads that processes share on one server, and values served while it does not answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use kv_core::{CacheOptions, Store};
use kv_testbed::{ChildTest, RedisServer};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::support::{PATIENCE, ask, config, connect, direct};

/// The port of the server, for a test that runs in a process of its own.
const PORT: &str = "KV_CACHE_TEST_PORT";
const MINUTE: Duration = Duration::from_secs(60);

async fn store(server: &RedisServer) -> Store {
    Store::new(connect(config(server.port())).await)
}

/// A loader that says when it begins, and ends when it is let go.
#[derive(Clone)]
struct Held {
    begun: Arc<Semaphore>,
    passes: Arc<Semaphore>,
    loads: Arc<AtomicU32>,
}

impl Held {
    fn new() -> Self {
        let (begun, passes) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
        Self { begun, passes, loads: Arc::default() }
    }

    async fn load(self, value: u32) -> Result<u32, tokio::sync::AcquireError> {
        self.loads.fetch_add(1, Ordering::SeqCst);
        self.begun.add_permits(1);
        self.passes.acquire().await?.forget();
        Ok(value)
    }
}

async fn call(store: Store, options: CacheOptions, held: Held, value: u32) -> kv_core::Result<u32> {
    store.get_or_set_with("k", options, move || held.load(value)).await
}

fn plain() -> CacheOptions {
    CacheOptions::new().ttl(MINUTE)
}

/// Without a fail-safe: nothing is served from memory, however slow the machine is.
fn stale() -> CacheOptions {
    plain().stale(MINUTE)
}

fn periods() -> CacheOptions {
    plain().stale(MINUTE).fail_safe(MINUTE)
}

/// A child: 250 callers of one key. Its loads end once the test has opened the gate.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_loads() {
    let Ok(port) = std::env::var(PORT) else { return };
    let store = Store::new(connect(config(port.parse().unwrap())).await);
    let loads = Arc::new(AtomicU32::new(0));
    let mut calls = JoinSet::new();
    for _ in 0..250 {
        let (store, loads) = (store.clone(), Arc::clone(&loads));
        calls.spawn(async move {
            let gate = store.clone();
            let load = move || async move {
                loads.fetch_add(1, Ordering::SeqCst);
                while !gate.exists("gate").await? {}
                Ok::<_, kv_core::Error>(7)
            };
            store.get_or_set_with("k", plain(), load).await
        });
    }
    ChildTest::say("calls", 250);
    assert!(calls.join_all().await.into_iter().all(|value| value.unwrap() == 7));
    ChildTest::say("loads", loads.load(Ordering::SeqCst));
}

#[test]
fn four_processes_with_a_thousand_callers_make_one_load() {
    let server = RedisServer::start().unwrap();
    let port = server.port().to_string();
    let start = |_| ChildTest::start("cache::a_process_that_loads", &[(PORT, &port)]).unwrap();
    let mut children: Vec<_> = (0..4).map(start).collect();
    for child in &mut children {
        child.hear("calls").unwrap();
    }
    ask(&server, &["SET", "gate", "open"]);
    let loads = children.iter_mut().map(|child| child.hear("loads").unwrap().parse().unwrap());
    let loads: Vec<u32> = loads.collect();
    assert_eq!(loads.iter().sum::<u32>(), 1, "{loads:?}");
}

#[tokio::test]
async fn two_stores_make_one_load_and_the_lease_is_given_back() {
    let server = RedisServer::start().unwrap();
    let (first, second, held) = (store(&server).await, store(&server).await, Held::new());
    let loading = tokio::spawn(call(first, plain(), held.clone(), 1));
    held.begun.acquire().await.unwrap().forget();
    assert_eq!(ask(&server, &["EXISTS", "!kv:load:k"]).unwrap(), "1");
    let waiting = tokio::spawn(call(second, plain(), held.clone(), 2));
    held.passes.add_permits(2);
    assert_eq!(timeout(PATIENCE, loading).await.unwrap().unwrap().unwrap(), 1);
    assert_eq!(timeout(PATIENCE, waiting).await.unwrap().unwrap().unwrap(), 1);
    assert_eq!(held.loads.load(Ordering::SeqCst), 1);
    assert_eq!(ask(&server, &["EXISTS", "!kv:load:k"]).unwrap(), "0");
}

#[tokio::test]
async fn the_lease_of_a_process_that_died_ends() {
    let server = RedisServer::start().unwrap();
    let dead = ["SET", "!kv:load:k", "of a dead process", "PX", "200"];
    assert_eq!(ask(&server, &dead).unwrap(), "OK");
    let held = Held::new();
    held.passes.add_permits(1);
    let loaded = timeout(PATIENCE, call(store(&server).await, plain(), held, 3)).await.unwrap();
    assert_eq!(loaded.unwrap(), 3);
}

#[tokio::test]
async fn a_stale_value_is_replaced_by_one_of_two_stores() {
    let server = RedisServer::start().unwrap();
    let (first, second, held) = (store(&server).await, store(&server).await, Held::new());
    ask(&server, &["SET", "k", "7", "EX", "50"]);
    assert_eq!(call(first.clone(), stale(), held.clone(), 8).await.unwrap(), 7);
    held.begun.acquire().await.unwrap().forget();
    for _ in 0..10 {
        assert_eq!(call(second.clone(), stale(), held.clone(), 9).await.unwrap(), 7);
    }
    held.passes.add_permits(2);
    while first.get("k").await.unwrap() != Some(8) {
        tokio::task::yield_now().await;
    }
    assert_eq!(call(second, stale(), held.clone(), 9).await.unwrap(), 8);
    assert_eq!(held.loads.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn the_stored_value_is_plain_and_lives_through_all_periods() {
    let (server, inner) = direct().await;
    let held = Held::new();
    held.passes.add_permits(1);
    call(Store::new(inner), periods(), held, 5).await.unwrap();
    assert_eq!(ask(&server, &["GET", "k"]).unwrap(), "5");
    let left: u64 = ask(&server, &["TTL", "k"]).unwrap().parse().unwrap();
    assert!((100..=180).contains(&left), "{left} s");
}

#[tokio::test]
async fn while_the_server_stands_still_the_value_is_served() {
    let server = RedisServer::start().unwrap();
    let (store, held) = (store(&server).await, Held::new());
    held.passes.add_permits(1);
    assert_eq!(call(store.clone(), periods(), held.clone(), 5).await.unwrap(), 5);
    server.pause().unwrap();
    for _ in 0..10 {
        // The calls of the store itself may take a minute.
        let served = timeout(PATIENCE / 2, call(store.clone(), periods(), held.clone(), 6)).await;
        assert_eq!(served.expect("nobody waits for the server").unwrap(), 5);
    }
    server.resume().unwrap();
    assert_eq!(call(store, periods(), held.clone(), 6).await.unwrap(), 5);
    assert_eq!(held.loads.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_killed_server_is_answered_for_and_found_again() {
    let mut server = RedisServer::start().unwrap();
    let (store, held) = (store(&server).await, Held::new());
    held.passes.add_permits(3);
    assert_eq!(call(store.clone(), periods(), held.clone(), 5).await.unwrap(), 5);
    server.kill();
    for _ in 0..10 {
        let served = timeout(PATIENCE / 2, call(store.clone(), periods(), held.clone(), 6)).await;
        assert_eq!(served.expect("nobody waits for the server").unwrap(), 5);
    }
    server.restart().unwrap();
    // It lost its data: the value is loaded, once the store is connected again.
    let again = async {
        while call(store.clone(), periods(), held.clone(), 7).await.unwrap() != 7 {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, again).await.unwrap();
    assert_eq!(ask(&server, &["GET", "k"]).unwrap(), "7");
}
