//! Observe counts and reports each call, and shows neither key nor value nor secret.

use std::time::Duration;

use kv_core::{Bytes, Error, ErrorKind, KeyValueStore, Lifetime, Result, Write};
use kv_layers::{Call, Layer, Layers, Metrics, Observe, Operation, Retry};
use kv_memory::MemoryStore;
use kv_testkit::{Fault, Faulty, ManualClock, Method};
use tracing::Level;

use crate::log::logged;
use crate::support::{Gate, call, operations, poll, put};

fn observed(store: impl KeyValueStore) -> (Metrics, impl KeyValueStore) {
    let metrics = Metrics::new();
    (metrics.clone(), Observe::to(metrics).on(store))
}

#[tokio::test]
async fn each_operation_is_counted_under_its_own_name() {
    for operation in operations() {
        let (metrics, store) = observed(MemoryStore::new());
        call(&store, operation).await.unwrap();
        for one in Operation::ALL.iter().copied() {
            let figures = metrics.snapshot(one);
            assert_eq!(figures.done, u64::from(one == operation), "{one:?} of {operation:?}");
            assert_eq!(figures.latencies.count(), figures.done);
        }
    }
}

#[tokio::test]
async fn errors_are_counted_by_kind() {
    let faulty = Faulty::new(MemoryStore::new());
    let kinds = [ErrorKind::Connection, ErrorKind::Auth, ErrorKind::Connection];
    for (nth, kind) in (1..).zip(kinds) {
        faulty.inject(Fault::nth(Method::Get, nth, kind));
    }
    let (metrics, store) = observed(faulty);
    for _ in 0..4 {
        drop(store.get("k").await);
    }
    let gets = metrics.snapshot(Operation::Get);
    assert_eq!((gets.done, gets.failed(), gets.latencies.count()), (1, 3, 4));
    assert_eq!(gets.errors[&ErrorKind::Connection], 2);
    assert_eq!(gets.errors[&ErrorKind::Auth], 1);
}

#[test]
fn a_call_that_its_caller_dropped_is_counted_as_that() {
    let (metrics, store) = observed(Gate::shut().on(MemoryStore::new()));
    let mut pending = Box::pin(store.ping());
    assert!(poll(&mut pending).is_pending());
    drop(pending);
    let pings = metrics.snapshot(Operation::Ping);
    assert_eq!((pings.done, pings.dropped, pings.failed()), (0, 1, 0));
    drop(store.ping());
    assert_eq!(metrics.snapshot(Operation::Ping).dropped, 1, "a call that never began is none");
}

#[tokio::test]
async fn an_answer_at_hand_is_counted_as_a_get_and_one_that_is_not_is_not() {
    let (metrics, store) = observed(MemoryStore::new());
    assert!(store.get_now("k").is_some());
    assert_eq!(metrics.snapshot(Operation::Get).done, 1);
    let (metrics, store) = observed(Faulty::new(MemoryStore::new()));
    assert!(store.get_now("k").is_none());
    assert_eq!(metrics.snapshot(Operation::Get).done, 0);
}

/// Steps a clock during each call.
struct Slow(ManualClock);

impl Layer for Slow {
    async fn call<A, T, R>(&self, _: Call, args: A, run: impl Fn(A) -> R + Send + Sync) -> Result<T>
    where
        A: Clone + Send + Sync,
        T: Send,
        R: Future<Output = Result<T>> + Send,
    {
        self.0.advance(Duration::from_millis(3));
        run(args).await
    }
}

#[tokio::test]
async fn durations_are_those_of_the_clock() {
    let (metrics, clock) = (Metrics::new(), ManualClock::new());
    let slow = Slow(clock.clone()).on(MemoryStore::new());
    let store = Observe::to(metrics.clone()).clock(clock).on(slow);
    store.ping().await.unwrap();
    let median = metrics.snapshot(Operation::Ping).latencies.quantile(0.5);
    assert_eq!(median, Some(Duration::from_micros(4_096)), "3 ms, up to a factor of two");
}

const CANARY: &str = "canary";

/// Every operation, with a canary in keys and values, and failing with one in the error.
async fn canaries() {
    let faulty = Faulty::new(MemoryStore::new());
    let layers = Layers::new().observe(Observe::to(Metrics::new())).retry(Retry::new().attempts(2));
    let store = layers.on(faulty.clone()).unwrap();
    let value = Bytes::from_static(CANARY.as_bytes());
    put(&store, CANARY, CANARY).await.unwrap();
    store.set_many(vec![(CANARY.into(), value)], Lifetime::Never).await.unwrap();
    assert!(store.increment(CANARY, 1, Lifetime::Never).await.is_err());
    faulty.inject(Fault::every(Method::Get, ErrorKind::Connection));
    assert!(store.get(CANARY).await.is_err());
}

#[test]
fn no_key_no_value_and_no_text_of_an_error_is_logged_at_any_level() {
    let log = logged(Level::TRACE, canaries());
    for part in ["set_many", "failed", "kind=Connection", "the call is repeated", "done", "took="] {
        assert!(log.contains(part), "{part} is not in {log}");
    }
    assert!(!log.contains(CANARY) && !log.contains("injected"), "{log}");
}

#[test]
fn what_the_store_logs_stands_in_the_span_of_its_call() {
    struct Loud;
    impl Layer for Loud {
        async fn call<A, T, R>(&self, _: Call, _: A, _: impl Fn(A) -> R + Send + Sync) -> Result<T>
        where
            A: Clone + Send + Sync,
            T: Send,
            R: Future<Output = Result<T>> + Send,
        {
            tracing::info!("from within");
            Err(Error::closed())
        }
    }
    let store = Observe::to(Metrics::new()).on(Loud.on(MemoryStore::new()));
    let log = logged(Level::DEBUG, async move {
        assert!(store.set("k", Bytes::new(), Write::ALWAYS).await.is_err());
    });
    let line = log.lines().find(|line| line.contains("from within")).unwrap();
    assert!(line.contains("store{operation=\"set\"}"), "{line}");
}
