//! What the tests share: clusters, stores on them, a queue, and how often servers refused.

use std::sync::Arc;
use std::time::Duration;

use kv_core::queue::{NewJob, Partition, QueueEngine, QueueSupport, Submit};
use kv_core::{Bytes, KeyValueStore, Lifetime};
use kv_redis::{RedisConfig, RedisConfigBuilder, RedisStore};
use kv_testbed::{RedisCluster, RedisServer, eventually, slot_of};

/// Longer than anything takes but on a machine that stands still.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// Three primaries without replicas, which are the soonest to start.
pub(crate) fn three() -> RedisCluster {
    RedisCluster::builder().replicas(0).start().unwrap()
}

pub(crate) fn local(port: u16) -> String {
    format!("127.0.0.1:{port}")
}

/// How to reach a cluster, with all its nodes named.
pub(crate) fn config(cluster: &RedisCluster) -> RedisConfigBuilder {
    let nodes = cluster.ports().into_iter().map(local);
    RedisConfig::builder().cluster(nodes).key_prefix("").timeout(PATIENCE)
}

pub(crate) async fn connect(builder: RedisConfigBuilder) -> RedisStore {
    RedisStore::connect(builder.build().unwrap()).await.unwrap()
}

/// How often these servers have answered with an error of this code.
pub(crate) fn refusals(servers: &[RedisServer], code: &str) -> u64 {
    let wanted = format!("errorstat_{code}:count=");
    let count = |server: &RedisServer| {
        let stats = server.cli(&["INFO", "errorstats"]).unwrap().text().unwrap();
        let count = stats.lines().find_map(|line| line.strip_prefix(&wanted));
        count.map_or(0, |count| count.trim().parse().unwrap())
    };
    servers.iter().filter(|server| server.pid().is_some()).map(count).sum()
}

/// Returns once so many more errors of this code were answered.
pub(crate) fn until_refused(servers: &[RedisServer], code: &str, times: u64) {
    let before = refusals(servers, code);
    let refused = || (refusals(servers, code) >= before + times).then_some(());
    eventually(PATIENCE, refused).unwrap_or_else(|| panic!("nothing gets {code}"));
}

/// The place of the next node after the one that serves a key, of three.
pub(crate) fn next_to(cluster: &RedisCluster, key: &str) -> usize {
    (cluster.primary_of(slot_of(key)).unwrap() + 1) % 3
}

/// Moves the slots of these keys one node further.
pub(crate) fn move_on<K: AsRef<str>>(cluster: &RedisCluster, keys: &[K]) {
    for key in keys.iter().map(AsRef::as_ref) {
        cluster.move_slot(slot_of(key), next_to(cluster, key)).unwrap();
    }
}

/// So many names, over all slots.
pub(crate) fn names(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("key:{number}")).collect()
}

pub(crate) fn refs(names: &[String]) -> Vec<&str> {
    names.iter().map(String::as_str).collect()
}

/// Gives each key its own name as its value.
pub(crate) async fn fill(store: &RedisStore, names: &[String]) {
    let pairs = names.iter().map(|name| (name.clone(), Bytes::from(name.clone())));
    store.set_many(pairs.collect(), Lifetime::Never).await.unwrap();
}

/// Each key has its own name as its value.
pub(crate) async fn expect_all(store: &RedisStore, names: &[String]) {
    let entries = store.get_many(&refs(names)).await.unwrap();
    for (name, entry) in names.iter().zip(entries) {
        assert_eq!(entry.map(|entry| entry.value), Some(name.clone().into()));
    }
}

pub(crate) const QUEUE: &str = "!kv:queue:fetch";

pub(crate) fn partition() -> Partition {
    Partition { queue: QUEUE.into(), number: 0 }
}

/// The slot of the partition.
pub(crate) fn partition_slot() -> u16 {
    slot_of("{!kv:queue:fetch:0}")
}

/// The store's engine, with a queue of one partition.
pub(crate) async fn opened(store: &RedisStore) -> Arc<dyn QueueEngine> {
    let QueueSupport::Native(engine) = store.queue_engine() else { panic!("no native engine") };
    engine.open(QUEUE, 1).await.unwrap();
    engine
}

pub(crate) fn jobs(count: usize) -> Submit {
    let job = NewJob {
        body: "job".into(),
        priority: 8,
        delay: Duration::ZERO,
        unique: None,
        time_to_live: None,
        group: None,
        note_time: false,
    };
    Submit { session: None, jobs: vec![job; count] }
}

/// For how many seconds each connection of a store to a server has been there; this question's own
/// is left out.
pub(crate) fn clients(server: &RedisServer) -> Vec<u64> {
    let list = server.cli(&["CLIENT", "LIST", "TYPE", "normal"]).unwrap().text().unwrap();
    let others = list.lines().filter(|line| !line.contains("cmd=client|list"));
    let ages = others.flat_map(|line| line.split(' ').find_map(|word| word.strip_prefix("age=")));
    ages.map(|age| age.parse().unwrap()).collect()
}
