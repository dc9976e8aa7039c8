//! What a store logs. Alone in its binary, since it takes over all logs.

#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

#[path = "common/capture.rs"]
mod capture;

use kv_core::{KeyValueStore, Lifetime, Write};
use kv_redis::{RedisConfig, RedisStore};
use kv_testbed::{Proxy, RedisServer};

use crate::capture::{capture_all_logs, logs};

/// What was told of a server, of a level or above.
fn events(port: u16, levels: &[&str]) -> Vec<String> {
    let logs = logs();
    let of_it = logs.events.lines().filter(|line| line.contains(&format!(":{port}")));
    let told = of_it.filter(|line| levels.iter().any(|level| line.contains(level)));
    told.map(str::to_owned).collect()
}

async fn connect(port: u16) -> RedisStore {
    let config = RedisConfig::builder().host("127.0.0.1").port(port).build().unwrap();
    RedisStore::connect(config).await.unwrap()
}

/// Two scripts, one after the other and at once.
async fn scripts(store: &RedisStore) {
    let lives = Lifetime::In(std::time::Duration::from_secs(600));
    let counts = (0..10).map(|_| store.increment("n", 1, lives));
    futures_util::future::try_join_all(counts).await.unwrap();
    store.touch("n", Lifetime::Never).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_forgot_its_scripts_is_told_of_once_and_a_fresh_one_never() {
    capture_all_logs();
    let server = RedisServer::start().unwrap();
    let store = connect(server.port()).await;
    let forgotten = || {
        let told = events(server.port(), &["INFO", "WARN", "ERROR"]);
        told.into_iter().filter(|line| line.contains("script")).count()
    };
    scripts(&store).await;
    scripts(&store).await;
    assert_eq!(forgotten(), 0);
    assert!(!events(server.port(), &["DEBUG"]).is_empty(), "the first time is told quietly");
    for times in 1..=3 {
        server.cli(&["SCRIPT", "FLUSH"]).unwrap();
        scripts(&store).await;
        scripts(&store).await;
        assert_eq!(forgotten(), times);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_drivers_own_lines_come_through_log_alone_and_bear_its_name() {
    capture_all_logs();
    let mut server = RedisServer::start().unwrap();
    let proxy = Proxy::start(("127.0.0.1", server.port())).await.unwrap();
    let store = connect(proxy.port()).await;
    proxy.reset_connections();
    while store.set("k", "v".into(), Write::ALWAYS).await.is_err() {}
    server.kill();
    while store.get("k").await.is_ok() {}
    server.restart().unwrap();
    while store.get("k").await.is_err() {
        tokio::task::yield_now().await;
    }
    store.close().await.unwrap();
    let told = events(proxy.port(), &["INFO", "WARN"]);
    for expected in ["redis connected", "redis disconnected", "redis reconnected"] {
        assert!(told.iter().any(|line| line.contains(expected)), "{expected}: {told:?}");
    }
    assert!(told.iter().all(|line| line.contains(" kv_redis::")), "{told:?}");
    let logs = logs();
    assert!(!logs.events.contains(" fred"), "an event under the driver's name");
    let of_ours: Vec<_> = logs.records.iter().filter(|(it, _)| it.starts_with("kv_")).collect();
    assert!(of_ours.is_empty() && !logs.records.is_empty(), "{of_ours:?}");
}
