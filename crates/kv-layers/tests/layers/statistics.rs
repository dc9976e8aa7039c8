//! Figures by namespace.

use std::time::Duration;

use kv_core::{CacheOptions, Clock, ErrorKind, Expiry, KeyValueStore, Store};
use kv_layers::{Statistics, Usage};
use kv_memory::MemoryStore;
use kv_testkit::{Fault, Faulty, ManualClock, Method};

fn counted() -> (Store, Faulty, Statistics) {
    let faulty = Faulty::new(MemoryStore::new());
    let statistics = Statistics::new().clock(ManualClock::new());
    (Store::from(statistics.on(faulty.clone())), faulty, statistics)
}

fn usage(statistics: &Statistics, namespace: &str) -> Usage {
    statistics.snapshot().get(namespace).copied().unwrap_or_default()
}

#[tokio::test]
async fn each_namespace_has_its_hits_misses_writes_deletes_and_bytes() {
    let (store, _, statistics) = counted();
    let (a, b) = (store.namespace("a"), store.namespace("b"));
    a.set("k", "12345").await.unwrap();
    assert_eq!(a.get::<String>("k").await.unwrap().as_deref(), Some("12345"));
    a.get::<String>("none").await.unwrap();
    a.delete("k").await.unwrap();
    b.get_many::<String>(["x", "y"]).await.unwrap();
    store.set("alone", &1).await.unwrap();
    let figures = usage(&statistics, "a");
    assert_eq!((figures.hits, figures.misses, figures.writes, figures.deletes), (1, 1, 1, 1));
    assert_eq!((figures.bytes_read, figures.bytes_written, figures.calls), (7, 7, 4));
    assert_eq!((usage(&statistics, "b").misses, usage(&statistics, "").writes), (2, 1));
}

#[tokio::test]
async fn loads_counters_batches_and_errors_are_counted() {
    let (store, faulty, statistics) = counted();
    let a = store.namespace("a");
    let load = || async { Ok::<_, std::io::Error>(1) };
    let options = CacheOptions::new().stale(Duration::from_secs(1)).ttl(Duration::from_secs(1));
    a.get_or_set_with("k", options, load).await.unwrap();
    let figures = usage(&statistics, "a");
    assert_eq!((figures.loads, figures.writes), (1, 0));
    a.increment("n", 1, Expiry::Never).await.unwrap();
    assert_eq!(usage(&statistics, "!kv").writes, 1);
    let pipeline = a.pipeline().set("p", &1).get::<u32>("p").delete("p");
    pipeline.execute().await.unwrap();
    let after = usage(&statistics, "a");
    assert_eq!((after.writes, after.hits, after.deletes), (1, figures.hits + 1, 1));
    faulty.inject(Fault::every(Method::Get, ErrorKind::Timeout));
    a.get::<u32>("k").await.unwrap_err();
    assert_eq!(usage(&statistics, "a").errors, 1);
}

/// A store whose every call takes a second of a clock.
#[tokio::test]
async fn the_time_of_calls_adds_up() {
    let clock = ManualClock::new();
    let statistics = Statistics::new().clock(clock.clone());
    let layer = super::support::Gate::shut();
    let store = statistics.on(kv_layers::Layer::on(layer.clone(), MemoryStore::new()));
    for _ in 0..3 {
        let call = store.set("a:k", "v".into(), kv_core::Write::ALWAYS);
        let pass = async {
            clock.advance(Duration::from_secs(1));
            layer.open(1);
        };
        tokio::join!(call, pass).0.unwrap();
    }
    assert_eq!(usage(&statistics, "a").time, Duration::from_secs(3));
    assert_eq!(clock.now(), Duration::from_secs(3));
}

#[tokio::test]
async fn further_namespaces_count_together() {
    let (store, _, statistics) = counted();
    for namespace in 0..300 {
        store.namespace(&namespace.to_string()).set("k", &1).await.unwrap();
    }
    let all = statistics.snapshot();
    assert_eq!((all.len(), all["*"].writes), (257, 44));
}
