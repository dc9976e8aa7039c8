//! What `connect` says when it cannot.

use kv_core::{ErrorKind, KeyValueStore};
use kv_redis::{RedisConfigBuilder, RedisStore};
use kv_testbed::{Port, RedisServer, eventually};
use tokio::time::timeout;

use crate::support::{PATIENCE, ask, config};

async fn failure(builder: RedisConfigBuilder) -> kv_core::Error {
    RedisStore::connect(builder.build().unwrap()).await.unwrap_err()
}

fn guarded() -> RedisServer {
    RedisServer::builder().config("requirepass", "right").start().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_listening_is_a_connection_error_at_once() {
    let port = Port::reserve().unwrap();
    let error = failure(config(port.number())).await;
    assert_eq!(error.kind(), ErrorKind::Connection, "{error:?}");
    assert!(error.to_string().contains(&format!("127.0.0.1:{}", port.number())), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_host_is_a_connection_error() {
    let error = failure(config(1).host("no-such-host.invalid")).await;
    assert_eq!(error.kind(), ErrorKind::Connection, "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_missing_and_foreign_credentials_are_auth_errors() {
    let server = guarded();
    let base = || config(server.port());
    for builder in [base(), base().password("wrong"), base().username("who").password("right")] {
        let error = failure(builder).await;
        assert_eq!(error.kind(), ErrorKind::Auth, "{error:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_right_password_and_a_user_of_ones_own_are_let_in() {
    let server = guarded();
    server.cli(&["ACL", "SETUSER", "app", "on", ">p%w d", "~*", "+@all"]).unwrap();
    let url = format!("redis://app:p%25w%20d@127.0.0.1:{}/0", server.port());
    for builder in [config(server.port()).password("right"), config(1).url(&url).unwrap()] {
        let store = RedisStore::connect(builder.build().unwrap()).await.unwrap();
        store.ping().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_does_not_exist_is_a_configuration_error() {
    let server = RedisServer::start().unwrap();
    let error = failure(config(server.port()).db(200)).await;
    assert_eq!(error.kind(), ErrorKind::Config, "{error:?}");
    assert!(error.to_string().contains("db"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denied_command_is_an_auth_error_and_the_connection_goes_on() {
    let server = RedisServer::start().unwrap();
    server.cli(&["ACL", "SETUSER", "app", "on", ">pw", "~*", "+@all", "-set"]).unwrap();
    let store = config(server.port()).username("app").password("pw").build().unwrap();
    let store = RedisStore::connect(store).await.unwrap();
    let error = store.set("k", "v".into(), kv_core::Write::ALWAYS).await.unwrap_err();
    assert_eq!((error.kind(), error.effect()), (ErrorKind::Auth, kv_core::Effect::NotApplied));
    assert_eq!(store.increment("n", 1, kv_core::Lifetime::Never).await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_connections_beyond_what_the_server_takes_is_refused_clearly_and_passes() {
    let server = RedisServer::builder().config("maxclients", "20").start().unwrap();
    let connecting = (0..100).map(|_| {
        let config = config(server.port()).build().unwrap();
        timeout(PATIENCE, RedisStore::connect(config))
    });
    let connected = futures_util::future::join_all(connecting).await;
    let (mut stores, mut errors) = (Vec::new(), Vec::new());
    for result in connected {
        match result.expect("it ends in time") {
            Ok(store) => stores.push(store),
            Err(error) => errors.push(error),
        }
    }
    assert!((1..=20).contains(&stores.len()), "{} of 100 were let in", stores.len());
    for error in &errors {
        assert_eq!(error.kind(), ErrorKind::Backpressure, "{error:?}");
        assert!(error.to_string().contains("too many clients"), "{error}");
    }
    for store in &stores {
        store.ping().await.unwrap();
    }
    drop(stores);
    let last =
        || ask(&server, &["INFO", "clients"])?.contains("connected_clients:1\r").then_some(());
    eventually(PATIENCE, last).expect("the stores' connections end");
    RedisStore::connect(config(server.port()).build().unwrap()).await.unwrap();
}
