//! Several layers stand in one order, whatever the order in which they are named.

use std::time::Duration;

use kv_core::{ErrorKind, KeyValueStore};
use kv_layers::{Fallback, Layer, Layers, Limit, Metrics, Observe, Operation, Retry, Timeout};
use kv_memory::MemoryStore;
use kv_testkit::{Fault, Faulty, Method};

use crate::support::{Gate, break_down, poll, put};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn observe_sees_one_call_however_often_it_is_made() {
    let (metrics, faulty) = (Metrics::new(), Faulty::new(MemoryStore::new()));
    faulty.inject(Fault::nth(Method::Get, 1, ErrorKind::Connection));
    let layers = Layers::new().retry(Retry::new()).observe(Observe::to(metrics.clone()));
    let store = layers.on(faulty.clone()).unwrap();
    store.get("k").await.unwrap();
    let gets = metrics.snapshot(Operation::Get);
    assert_eq!((gets.done, gets.failed(), faulty.calls(Method::Get)), (1, 0, 2));
}

#[tokio::test(start_paused = true)]
async fn fallback_hears_of_the_primary_when_all_attempts_were_made() {
    let (metrics, faulty) = (Metrics::new(), Faulty::new(MemoryStore::new()));
    break_down(&faulty, ErrorKind::Connection);
    let fallback = Fallback::to(MemoryStore::new).failures(1);
    let layers = Layers::new().retry(Retry::new().attempts(3)).fallback(fallback);
    let store = layers.observe(Observe::to(metrics.clone())).on(faulty.clone()).unwrap();
    put(&store, "k", "v").await.unwrap();
    assert_eq!((faulty.calls(Method::Set), metrics.snapshot(Operation::Set).done), (3, 1));
}

#[tokio::test(start_paused = true)]
async fn each_attempt_has_its_own_time() {
    let gate = Gate::shut();
    let layers = Layers::new().timeout(Timeout::after(SECOND)).retry(Retry::new().attempts(2));
    let store = layers.on(gate.clone().on(MemoryStore::new())).unwrap();
    let opened = async {
        tokio::time::sleep(SECOND + SECOND / 2).await;
        gate.open(1);
    };
    let (answer, ()) = tokio::join!(store.ping(), opened);
    answer.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_call_keeps_its_place_while_it_pauses_and_a_refusal_is_not_repeated() {
    let faulty = Faulty::new(MemoryStore::new());
    faulty.inject(Fault::every(Method::Get, ErrorKind::Connection));
    let retry = Retry::new().attempts(2).pauses(SECOND, SECOND).within(2 * SECOND);
    let store = Layers::new().retry(retry).limit(Limit::to(1).queue(0)).on(faulty.clone()).unwrap();
    let mut pausing = Box::pin(store.get("k"));
    assert!(poll(&mut pausing).is_pending());
    assert_eq!(store.ping().await.unwrap_err().kind(), ErrorKind::Backpressure);
    assert_eq!(faulty.calls(Method::Ping), 0);
    assert!(pausing.await.is_err());
    store.ping().await.unwrap();
}

#[tokio::test]
async fn without_layers_the_store_is_as_it_was() {
    let store = Layers::new().on(MemoryStore::new()).unwrap();
    put(&store, "k", "v").await.unwrap();
    assert!(store.get_now("k").is_some());
}

#[tokio::test]
async fn what_cannot_be_a_fallback_is_refused_with_the_whole_stack() {
    let layers = Layers::new().fallback(Fallback::to(|| crate::support::Bare));
    let error = layers.on(MemoryStore::new()).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Config);
}
