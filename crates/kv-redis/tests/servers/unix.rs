//! Sockets in the file system.

use kv_core::{Effect, ErrorKind, KeyValueStore, Lifetime};
use kv_redis::{RedisConfig, RedisStore};
use kv_testbed::RedisServer;
use tokio::time::timeout;

use crate::load::{SOON, works_again};
use crate::support::{PATIENCE, connect};

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_restarted_on_its_socket_is_found_again() {
    let mut server = RedisServer::builder().unix_socket().start().unwrap();
    let path = server.unix_path().unwrap().to_owned();
    let config = RedisConfig::builder().unix_socket(&path).key_prefix("").timeout(PATIENCE);
    let store = connect(config.clone()).await;
    // Whoever is connected needs no path any more.
    std::fs::remove_file(&path).unwrap();
    assert_eq!(store.increment("n", 1, Lifetime::Never).await.unwrap(), 1);
    server.kill();
    let late = RedisStore::connect(config.build().unwrap());
    let error = timeout(SOON, late).await.unwrap().unwrap_err();
    assert_eq!((error.kind(), error.effect()), (ErrorKind::Connection, Effect::NotApplied));
    assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    let error = timeout(SOON, store.get("n")).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connection, "{error:?}");
    server.restart().unwrap();
    works_again(&store).await;
}
