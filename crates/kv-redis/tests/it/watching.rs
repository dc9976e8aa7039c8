//! What a watch tells where a connection breaks, a server flushes, or a user may not watch.

use std::time::Duration;

use kv_core::{Change, ErrorKind, Store, Watch};
use kv_redis::RedisStore;
use kv_testbed::{Mode, RedisServer};
use tokio::time::timeout;

use crate::support::{PATIENCE, ask, config, connect, direct, proxied};

async fn next(watch: &mut Watch) -> Change {
    let told = timeout(PATIENCE, watch.next()).await.expect("something is told");
    told.expect("the store is open")
}

async fn begun(store: &RedisStore) -> Watch {
    let mut watch = Store::new(store.clone()).watch("").unwrap();
    until_gap(&mut watch).await;
    watch
}

/// Passes by everything before the next gap. Tells whether changes were lost.
async fn until_gap(watch: &mut Watch) -> bool {
    let mut was_lost = false;
    loop {
        match next(watch).await {
            Change::Gap => return was_lost,
            Change::Lost(_) => was_lost = true,
            Change::Key(_) => {}
        }
    }
}

async fn told_of(watch: &mut Watch, key: &str) {
    loop {
        match next(watch).await {
            Change::Key(told) if told == key => return,
            Change::Key(_) => {}
            other => panic!("{other:?} before {key:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_other_clients_do_is_told_whichever_command_they_use() {
    let (server, store) = direct().await;
    let mut watch = begun(&store).await;
    let commands: [&[&str]; 7] = [
        &["SET", "k", "1"],
        &["APPEND", "k", "2"],
        &["RENAME", "k", "l"],
        &["LPUSH", "k", "v"],
        &["PEXPIRE", "k", "100000"],
        &["UNLINK", "k"],
        &["COPY", "l", "k"],
    ];
    for command in commands {
        ask(&server, command);
        told_of(&mut watch, "k").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flush_is_a_gap() {
    let (server, store) = direct().await;
    let mut watch = begun(&store).await;
    for flush in ["FLUSHDB", "FLUSHALL"] {
        ask(&server, &["SET", "k", "v"]);
        told_of(&mut watch, "k").await;
        ask(&server, &[flush]);
        assert!(!until_gap(&mut watch).await, "the connection is there");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_connection_is_a_loss_and_then_a_gap_from_which_on_changes_are_told() {
    let (server, proxy, store) = proxied(PATIENCE).await;
    let mut watch = begun(&store).await;
    for round in 0..3 {
        proxy.reset_connections();
        assert!(until_gap(&mut watch).await, "round {round}: a gap without a loss");
        ask(&server, &["SET", "k", "v"]);
        told_of(&mut watch, "k").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_away_is_tried_again_until_it_is_back() {
    let (mut server, store) = direct().await;
    let mut watch = begun(&store).await;
    server.kill();
    assert!(matches!(next(&mut watch).await, Change::Lost(_)));
    server.restart().unwrap();
    until_gap(&mut watch).await;
    ask(&server, &["SET", "k", "v"]);
    told_of(&mut watch, "k").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_silent_is_noticed_without_any_call() {
    let (_server, proxy, store) = proxied(Duration::from_millis(500)).await;
    let mut watch = begun(&store).await;
    proxy.set_mode(Mode::BlackHole);
    assert!(matches!(next(&mut watch).await, Change::Lost(_)));
    proxy.set_mode(Mode::Pass);
    until_gap(&mut watch).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_may_not_watch_is_told_why() {
    let server = RedisServer::start().unwrap();
    ask(&server, &["ACL", "SETUSER", "u", "on", ">p", "~*", "+@all", "-client|tracking"]);
    let store = connect(config(server.port()).username("u").password("p")).await;
    let mut watch = Store::new(store.clone()).watch("").unwrap();
    let Change::Lost(error) = next(&mut watch).await else { panic!("expected a loss") };
    assert_eq!(error.kind(), ErrorKind::Auth, "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_may_not_read_the_channel_is_told_why() {
    let server = RedisServer::start().unwrap();
    ask(&server, &["ACL", "SETUSER", "u", "on", ">p", "resetchannels", "~*", "+@all"]);
    let store = connect(config(server.port()).username("u").password("p")).await;
    let mut watch = Store::new(store.clone()).watch("").unwrap();
    let Change::Lost(error) = next(&mut watch).await else { panic!("expected a loss") };
    assert_eq!(error.kind(), ErrorKind::Auth, "{error:?}");
    ask(&server, &["ACL", "SETUSER", "u", "&__redis__:invalidate"]);
    until_gap(&mut watch).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_watch_leaves_no_connection_behind() {
    let (server, store) = direct().await;
    let before = connections(&server);
    let watch = begun(&store).await;
    assert_eq!(connections(&server), before + 1);
    drop(watch);
    let gone = async {
        while connections(&server) != before {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, gone).await.expect("the connection ends");
}

fn connections(server: &RedisServer) -> usize {
    ask(server, &["CLIENT", "LIST", "TYPE", "normal"]).map_or(0, |list| list.lines().count())
        + ask(server, &["CLIENT", "LIST", "TYPE", "pubsub"]).map_or(0, |list| list.lines().count())
}
