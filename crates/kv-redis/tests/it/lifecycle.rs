//! Handles: cloning, dropping, closing.

use kv_core::{ErrorKind, KeyValueStore, Write};
use kv_testbed::{RedisServer, eventually};

use crate::support::{Call, PATIENCE, config, connect, direct, proxied, reads, writes};

/// How many clients the server sees, this question's own left out.
fn clients(server: &RedisServer) -> usize {
    let list = server.cli(&["CLIENT", "LIST"]).unwrap().text().unwrap();
    list.lines().filter(|line| !line.contains("cmd=client")).count()
}

fn all_gone(server: &RedisServer) -> bool {
    eventually(PATIENCE, || (clients(server) == 0).then_some(())).is_some()
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_reaches_all_clones_and_every_verb() {
    let (server, store) = direct().await;
    let clone = store.clone();
    store.close().await.unwrap();
    store.close().await.unwrap();
    clone.close().await.unwrap();
    let calls: Vec<(&str, Call<'_>)> = reads(&clone).into_iter().chain(writes(&clone)).collect();
    for (name, call) in calls {
        assert_eq!(call.await.unwrap_err().kind(), ErrorKind::Closed, "{name}");
    }
    assert_eq!(clone.get_many(&[]).await.unwrap_err().kind(), ErrorKind::Closed);
    assert!(all_gone(&server), "the connection was closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_called_before_closing_is_still_answered() {
    let (server, store) = direct().await;
    let calls = (0..100).map(|_| store.increment("n", 1, kv_core::Lifetime::Never));
    let calls = futures_util::future::join_all(calls);
    let (results, closed) = tokio::join!(biased; calls, store.close());
    closed.unwrap();
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    assert_eq!(server.cli(&["GET", "n"]).unwrap().text().as_deref(), Some("100"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_handle_ends_the_connection() {
    let (server, store) = direct().await;
    let clone = store.clone();
    drop(store);
    clone.ping().await.unwrap();
    assert_eq!(clients(&server), 1);
    drop(clone);
    assert!(all_gone(&server), "the connection was closed");
}

#[test]
fn handles_may_be_dropped_outside_of_the_runtime_and_after_it() {
    let server = RedisServer::start().unwrap();
    for keep_runtime in [true, false] {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let store = runtime.block_on(connect(config(server.port())));
        let runtime = keep_runtime.then_some(runtime);
        drop(store);
        assert!(all_gone(&server), "the connection was closed");
        drop(runtime);
    }
}

#[test]
fn a_call_after_the_runtime_ended_is_an_error() {
    let server = RedisServer::start().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let store = runtime.block_on(connect(config(server.port())));
    drop(runtime);
    let other = tokio::runtime::Runtime::new().unwrap();
    let error = other.block_on(store.set("k", "v".into(), Write::ALWAYS)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connection, "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_connect_leaves_no_connection() {
    let (server, proxy, store) = proxied(PATIENCE).await;
    drop(store);
    assert!(all_gone(&server));
    for polls in 1..20 {
        let config = config(proxy.port()).build().unwrap();
        let mut connecting = Box::pin(kv_redis::RedisStore::connect(config));
        for _ in 0..polls {
            let _ = futures_util::poll!(connecting.as_mut());
            tokio::task::yield_now().await;
        }
    }
    assert!(all_gone(&server), "a connection outlived its caller");
}

#[tokio::test(flavor = "multi_thread")]
async fn more_connections_are_opened_used_and_closed() {
    let server = RedisServer::start().unwrap();
    let store = connect(config(server.port()).max_connections(3)).await;
    assert_eq!(clients(&server), 3);
    for round in 1..=9 {
        assert_eq!(store.increment("n", 1, kv_core::Lifetime::Never).await.unwrap(), round);
    }
    let list = server.cli(&["CLIENT", "LIST"]).unwrap().text().unwrap();
    assert_eq!(list.lines().filter(|line| line.contains("cmd=incrby")).count(), 3, "{list}");
    store.close().await.unwrap();
    assert!(all_gone(&server));
}
