//! Primaries of a Cluster that hand over, die, or stand still.

use std::time::Duration;

use kv_core::queue::QueueSupport;
use kv_core::{Effect, ErrorKind, KeyValueStore, Lifetime};
use kv_redis::RedisStore;
use kv_testbed::{RedisCluster, RedisServer, eventually, slot_of};
use tokio::time::{interval, timeout};

use crate::load::{Load, SOON, pings_again, works_again};
use crate::support::{
    PATIENCE, clients, config, connect, expect_all, fill, names, refusals, three,
};

#[tokio::test(flavor = "multi_thread")]
async fn no_increment_is_applied_twice_or_lost_where_a_primary_hands_over_nor_twice_where_it_dies()
{
    let mut cluster = RedisCluster::start().unwrap();
    let store = connect(config(&cluster)).await;
    let load = Load::start(&store, "graceful").await;
    for key in ["k", "l"] {
        cluster.failover(slot_of(key)).unwrap();
    }
    let graceful = load.stop().await;
    let load = Load::start(&store, "killed").await;
    cluster.kill_primary(slot_of("k")).unwrap();
    cluster.wait_until_ok().unwrap();
    works_again(&store).await;
    let killed = load.stop().await;
    let lost = graceful.lost(&store).await;
    assert_eq!(lost, 0, "a primary hands over when its replica has everything");
    // A node that is killed takes with it what it had not yet passed on.
    killed.lost(&store).await;
    store.close().await.unwrap();
}

/// Returns once the store is connected to the server, without any call.
fn until_connected(server: &RedisServer) {
    let connected = || clients(server).iter().any(|age| *age >= 2).then_some(());
    eventually(SOON, connected).expect("the store finds the new primary by itself");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_store_finds_the_new_primary_and_one_that_stands_still_costs_bounded_time() {
    // Else the other shards answer only until the cluster has noticed that one stands still.
    let mut cluster = RedisCluster::builder().full_coverage(false).start().unwrap();
    let store = connect(config(&cluster).timeout(Duration::from_secs(3))).await;
    let names = names(100);
    fill(&store, &names).await;
    let killed = cluster.kill_primary(slot_of("k")).unwrap();
    cluster.wait_until_ok().unwrap();
    cluster.nodes_mut()[killed].restart().unwrap();
    cluster.wait_until_ok().unwrap();
    let new = cluster.primary_of(slot_of("k")).unwrap();
    until_connected(&cluster.nodes()[new]);
    expect_all(&store, &names).await;
    let paused = cluster.primary_of(slot_of("l")).unwrap();
    cluster.nodes()[paused].pause().unwrap();
    let calls =
        [store.increment("l", 1, Lifetime::Never), store.increment("l", 1, Lifetime::Never)];
    for result in futures_util::future::join_all(calls).await {
        let error = result.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Timeout | ErrorKind::Connection), "{error:?}");
    }
    store.increment("k", 1, Lifetime::Never).await.unwrap();
    cluster.wait_until_ok().unwrap();
    works_again(&store).await;
    cluster.nodes()[paused].resume().unwrap();
    cluster.wait_until_ok().unwrap();
    works_again(&store).await;
    expect_bounded(&store).await;
}

/// No call takes long on what is well.
async fn expect_bounded(store: &RedisStore) {
    for key in names(50) {
        timeout(SOON, store.get(&key)).await.unwrap().unwrap();
    }
}

/// Calls fail by kinds that pass until one is answered as it is wanted.
async fn until(store: &RedisStore, key: &str, wanted: impl Fn(&kv_core::Result<i64>) -> bool) {
    let mut pace = interval(Duration::from_millis(5));
    let until = async {
        loop {
            pace.tick().await;
            let result = store.increment(key, 1, Lifetime::Never).await;
            if let Err(error) = &result {
                assert_eq!(error.kind(), ErrorKind::Connection, "{error:?}");
            }
            if wanted(&result) {
                break;
            }
        }
    };
    timeout(PATIENCE, until).await.expect("what is waited for");
}

/// Of twenty queues; the others fail by a kind that passes.
async fn queues_opened(store: &RedisStore) -> usize {
    let QueueSupport::Native(engine) = store.queue_engine() else { panic!("no engine") };
    let mut opened = 0;
    for number in 0..20 {
        match engine.open(&format!("q{number}"), 1).await {
            Ok(()) => opened += 1,
            Err(error) => assert_eq!(error.kind(), ErrorKind::Connection, "{error:?}"),
        }
    }
    opened
}

#[tokio::test(flavor = "multi_thread")]
async fn other_shards_go_on_while_one_is_away() {
    let builder = RedisCluster::builder().replicas(0).full_coverage(false);
    let mut cluster = builder.start().unwrap();
    let store = connect(config(&cluster)).await;
    let killed = cluster.kill_primary(slot_of("k")).unwrap();
    let there = |key: &String| cluster.primary_of(slot_of(key)).is_ok();
    let there: Vec<String> = names(100).into_iter().filter(there).collect();
    until(&store, "k", |result| result.as_ref().is_err_and(|it| it.effect() == Effect::NotApplied))
        .await;
    for _ in 0..10 {
        fill(&store, &there).await;
        expect_all(&store, &there).await;
        let error = store.get("k").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connection, "{error:?}");
    }
    let opened = queues_opened(&connect(config(&cluster)).await).await;
    assert!((1..20).contains(&opened), "{opened} of 20 queues, some are on the missing node");
    assert_eq!(store.ping().await.unwrap_err().kind(), ErrorKind::Connection);
    cluster.nodes_mut()[killed].restart().unwrap();
    cluster.wait_until_ok().unwrap();
    works_again(&store).await;
    pings_again(&store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_is_down_is_a_connection_error_until_it_is_back() {
    let mut cluster = three();
    let store = connect(config(&cluster)).await;
    let killed = cluster.kill_primary(slot_of("k")).unwrap();
    let other = (killed + 1) % 3;
    let on_other = |key: &String| cluster.slots_of(other).unwrap().contains(&slot_of(key));
    let key = names(100).into_iter().find(on_other).unwrap();
    until(&store, &key, Result::is_err).await;
    assert!(refusals(cluster.nodes(), "CLUSTERDOWN") > 0);
    until(&store, &key, Result::is_err).await;
    let error = store.get(&key).await.unwrap_err();
    assert_eq!((error.kind(), error.effect()), (ErrorKind::Connection, Effect::NotApplied));
    cluster.nodes_mut()[killed].restart().unwrap();
    cluster.wait_until_ok().unwrap();
    works_again(&store).await;
}
