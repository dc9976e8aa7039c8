//! What the tests share: a server, a proxy in front of it, a store behind that.

use std::time::Duration;

use kv_redis::{RedisConfig, RedisConfigBuilder, RedisStore};
use kv_testbed::{Proxy, RedisServer};

pub(crate) use crate::calls::{Call, execute, increment, reads, scan, version, walk, writes};

/// Long enough for a loaded machine; no test waits for it unless it fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn config(port: u16) -> RedisConfigBuilder {
    RedisConfig::builder().host("127.0.0.1").port(port).key_prefix("").timeout(PATIENCE)
}

pub(crate) async fn connect(builder: RedisConfigBuilder) -> RedisStore {
    RedisStore::connect(builder.build().unwrap()).await.unwrap()
}

/// A server of the test's own and a store on it.
pub(crate) async fn direct() -> (RedisServer, RedisStore) {
    let server = RedisServer::start().unwrap();
    let store = connect(config(server.port())).await;
    (server, store)
}

/// The same with a proxy between the two.
pub(crate) async fn proxied(timeout: Duration) -> (RedisServer, Proxy, RedisStore) {
    let server = RedisServer::start().unwrap();
    let proxy = Proxy::start(("127.0.0.1", server.port())).await.unwrap();
    let store = connect(config(proxy.port()).timeout(timeout)).await;
    (server, proxy, store)
}

/// What the server itself says to a command, as text.
pub(crate) fn ask(server: &RedisServer, command: &[&str]) -> Option<String> {
    server.cli(command).unwrap().text()
}
