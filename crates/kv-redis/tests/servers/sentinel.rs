//! Primaries that sentinels know: they hand over, die and come back as replicas.

use std::time::Duration;

use kv_core::{Error, ErrorKind, KeyValueStore, Lifetime};
use kv_redis::{RedisConfig, RedisConfigBuilder, RedisStore};
use kv_testbed::{RedisSentinels, RedisServer, eventually};
use tokio::time::timeout;

use crate::load::{Load, SOON, works_again};
use crate::support::{PATIENCE, connect, local, opened};
use crate::waits::Waiting;

fn start(sentinels: usize, least_replicas: usize) -> RedisSentinels {
    let builder = RedisSentinels::builder().sentinels(sentinels);
    let builder = builder.config("min-replicas-to-write", least_replicas.to_string());
    builder.password("node secret").sentinel_password("sentinel secret").start().unwrap()
}

/// How to reach the primary, but for the sentinels' password.
fn anonymous(servers: &RedisSentinels) -> RedisConfigBuilder {
    let nodes = servers.sentinel_ports().into_iter().map(local);
    let builder = RedisConfig::builder().sentinel(servers.master_name(), nodes);
    builder.password("node secret").key_prefix("").timeout(PATIENCE)
}

fn config(servers: &RedisSentinels) -> RedisConfigBuilder {
    anonymous(servers).sentinel_credentials(None, "sentinel secret")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_primary_that_hands_over_is_left_and_nothing_is_applied_twice() {
    // A primary acknowledges writes until it hears that another one was promoted: they are lost,
    // unless it has to have all of its replicas to write.
    let servers = start(3, 2);
    let store = connect(config(&servers)).await;
    let load = Load::start(&store, "n").await;
    servers.failover().unwrap();
    works_again(&store).await;
    let told = load.stop().await;
    told.lost(&store).await;
}

fn value(node: &RedisServer, key: &str) -> Option<String> {
    node.cli(&["GET", key]).unwrap().text()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_primary_that_dies_is_replaced_though_two_of_five_sentinels_are_gone_and_is_a_replica_then()
 {
    let mut servers = start(5, 0);
    let store = connect(config(&servers)).await;
    let waiting = Waiting::on(opened(&store).await).await;
    servers.sentinels_mut()[..2].iter_mut().for_each(RedisServer::kill);
    let load = Load::start(&store, "n").await;
    let old = servers.kill_primary().unwrap();
    let new = servers.wait_until_failed_over(old).unwrap();
    works_again(&store).await;
    waiting.wakes().await;
    servers.nodes_mut()[old].restart().unwrap();
    servers.wait_until_ok().unwrap();
    let told = load.stop().await;
    told.lost(&store).await;
    assert_eq!(store.increment("after", 1, Lifetime::Never).await.unwrap(), 1);
    assert_eq!(value(&servers.nodes()[new], "after").as_deref(), Some("1"));
    let passed_on = || value(&servers.nodes()[old], "after");
    assert_eq!(eventually(PATIENCE, passed_on).as_deref(), Some("1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_primary_that_stands_still_is_left_for_the_one_that_sentinels_name() {
    let servers = start(3, 0);
    let store = connect(config(&servers).timeout(Duration::from_secs(3))).await;
    let old = servers.primary().unwrap();
    servers.nodes()[old].pause().unwrap();
    let call = timeout(SOON, store.increment("lost", 1, Lifetime::Never));
    let error = call.await.expect("a call's own time ends").unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Timeout | ErrorKind::Connection), "{error:?}");
    let new = servers.wait_until_failed_over(old).unwrap();
    works_again(&store).await;
    servers.nodes()[old].resume().unwrap();
    servers.wait_until_ok().unwrap();
    assert_eq!(store.increment("after", 1, Lifetime::Never).await.unwrap(), 1);
    assert_eq!(value(&servers.nodes()[new], "after").as_deref(), Some("1"));
}

async fn failure(builder: RedisConfigBuilder) -> Error {
    let connecting = RedisStore::connect(builder.build().unwrap());
    timeout(SOON, connecting).await.expect("it ends in time").unwrap_err()
}

fn says(error: &Error, kind: ErrorKind, words: &[&str]) {
    let text = error.to_string();
    assert_eq!(error.kind(), kind, "{error:?}");
    words.iter().for_each(|word| assert!(text.contains(word), "{text} lacks {word}"));
    assert!(!format!("{error:?}").contains("secret"), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_sentinels_is_said_clearly() {
    let mut servers = start(3, 0);
    let nodes = || servers.sentinel_ports().into_iter().map(local);
    let unknown = config(&servers).sentinel("other", nodes());
    let unknown = failure(unknown.sentinel_credentials(None, "sentinel secret")).await;
    says(
        &unknown,
        ErrorKind::Config,
        &["knows no master \"other\"", &local(servers.sentinel_ports()[0])],
    );
    for guess in [None, Some("another secret")] {
        let builder = match guess {
            None => anonymous(&servers),
            Some(guess) => anonymous(&servers).sentinel_credentials(None, guess),
        };
        says(&failure(builder).await, ErrorKind::Auth, &[&local(servers.sentinel_ports()[0])]);
    }
    let wrong = failure(config(&servers).password("another secret")).await;
    says(&wrong, ErrorKind::Auth, &[&local(servers.nodes()[0].port())]);
    let plain = RedisServer::start().unwrap();
    let builder = RedisConfig::builder().sentinel("other", [local(plain.port())]);
    says(&failure(builder).await, ErrorKind::Config, &["no sentinel", &local(plain.port())]);
    // One that stands still does not use up the time that the others need.
    servers.sentinels()[0].pause().unwrap();
    let store = connect(config(&servers).timeout(Duration::from_secs(10))).await;
    store.ping().await.unwrap();
    servers.sentinels_mut().iter_mut().for_each(RedisServer::kill);
    let gone = failure(config(&servers)).await;
    says(&gone, ErrorKind::Connection, &["127.0.0.1:"]);
    store.ping().await.unwrap();
}
