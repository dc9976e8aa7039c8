//! What the tests share: a server, a proxy in front of it, a store behind that.

use std::time::Duration;

use kv_core::ErrorKind;
use kv_redis::{RedisConfig, RedisConfigBuilder, RedisStore};
use kv_testbed::{Proxy, RedisServer};
use tokio::time::timeout;

pub(crate) use crate::calls::{Call, execute, increment, reads, scan, version, walk, writes};

/// Long enough for a loaded machine; no test waits for it unless it fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn config(port: u16) -> RedisConfigBuilder {
    RedisConfig::builder().host("127.0.0.1").port(port).key_prefix("").timeout(PATIENCE)
}

/// Connects, again where the time of one attempt was too short: a test may configure less than a
/// loaded machine needs.
pub(crate) async fn connect(builder: RedisConfigBuilder) -> RedisStore {
    let config = builder.build().unwrap();
    let connecting = async {
        loop {
            match RedisStore::connect(config.clone()).await {
                Err(error) if error.kind() == ErrorKind::Timeout => {}
                connected => return connected.unwrap(),
            }
        }
    };
    timeout(PATIENCE, connecting).await.expect("the server lets in")
}

/// A server of the test's own and a store on it.
pub(crate) async fn direct() -> (RedisServer, RedisStore) {
    let server = RedisServer::start().unwrap();
    let store = connect(config(server.port())).await;
    (server, store)
}

/// The same with a proxy between the two.
pub(crate) async fn proxied(limit: Duration) -> (RedisServer, Proxy, RedisStore) {
    let server = RedisServer::start().unwrap();
    let proxy = Proxy::start(("127.0.0.1", server.port())).await.unwrap();
    let store = connect(config(proxy.port()).timeout(limit)).await;
    (server, proxy, store)
}

/// What the server itself says to a command, as text.
pub(crate) fn ask(server: &RedisServer, command: &[&str]) -> Option<String> {
    server.cli(command).unwrap().text()
}
