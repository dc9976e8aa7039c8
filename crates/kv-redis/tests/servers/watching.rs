//! What a watch tells where primaries hand over or die.

use kv_core::{Change, KeyValueStore, Store, Watch, Write};
use kv_redis::{RedisConfig, RedisStore};
use kv_testbed::{RedisCluster, RedisSentinels, slot_of};
use tokio::time::timeout;

use crate::load::works_again;
use crate::support::{PATIENCE, config, connect, local};

async fn until_gap(watch: &mut Watch) {
    let gap = async { while !matches!(watch.next().await, Some(Change::Gap)) {} };
    timeout(PATIENCE, gap).await.expect("changes are told again");
}

async fn tells(store: &RedisStore, watch: &mut Watch, key: &str) {
    store.set(key, "v".into(), Write::ALWAYS).await.unwrap();
    let told =
        async { while !matches!(watch.next().await, Some(Change::Key(told)) if told == key) {} };
    timeout(PATIENCE, told).await.expect("the key is told");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_tells_a_gap_whenever_a_primary_hands_over_or_dies() {
    let mut cluster = RedisCluster::start().unwrap();
    let store = connect(config(&cluster)).await;
    let mut watch = Store::new(store.clone()).watch("").unwrap();
    until_gap(&mut watch).await;
    for key in ["a", "b", "k"] {
        tells(&store, &mut watch, key).await;
    }
    // The store is not used meanwhile, and no connection breaks.
    cluster.failover(slot_of("k")).unwrap();
    until_gap(&mut watch).await;
    tells(&store, &mut watch, "k").await;
    cluster.kill_primary(slot_of("k")).unwrap();
    cluster.wait_until_ok().unwrap();
    works_again(&store).await;
    until_gap(&mut watch).await;
    tells(&store, &mut watch, "k").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_primary_that_sentinels_replace_is_a_gap() {
    let servers = RedisSentinels::start().unwrap();
    let nodes = servers.sentinel_ports().into_iter().map(local);
    let config = RedisConfig::builder().sentinel(servers.master_name(), nodes).key_prefix("");
    let store = connect(config.timeout(PATIENCE)).await;
    let mut watch = Store::new(store.clone()).watch("").unwrap();
    until_gap(&mut watch).await;
    servers.failover().unwrap();
    works_again(&store).await;
    until_gap(&mut watch).await;
    tells(&store, &mut watch, "k").await;
}
