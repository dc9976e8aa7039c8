//! A server, a queue on it, and what most tests say about them.

use std::time::Duration;

use kv_core::{Error, ErrorKind, Result, Store};
use kv_queue::{Delivery, Queue, QueueBuilder};
use kv_redis::{RedisConfig, RedisStore};
use kv_testbed::{RedisServer, RedisServerBuilder};
use serde::de::DeserializeOwned;

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const LEASE: Duration = Duration::from_secs(30);
pub(crate) const HOUR: Duration = Duration::from_secs(3_600);
/// Where frozen clocks stand at first.
pub(crate) const START: Duration = Duration::from_secs(1_800_000_000);
/// Far longer than anything here takes: a test that gets here hangs.
pub(crate) const HANGS: Duration = Duration::from_secs(60);

/// A server that keeps what it acknowledged.
pub(crate) fn durable() -> RedisServerBuilder {
    RedisServer::builder().config("appendonly", "yes").config("appendfsync", "always")
}

/// A server whose time stands still until it is stepped.
pub(crate) fn frozen() -> RedisServer {
    RedisServer::builder().clock_frozen_at(START).start().unwrap()
}

pub(crate) async fn store_at(port: u16) -> Store {
    let config = RedisConfig::builder().port(port).build().unwrap();
    Store::new(RedisStore::connect(config).await.unwrap())
}

pub(crate) async fn store(server: &RedisServer) -> Store {
    store_at(server.port()).await
}

pub(crate) fn builder<T>() -> QueueBuilder<T> {
    Queue::builder("faults").lease(LEASE)
}

pub(crate) async fn queue<T>(server: &RedisServer) -> Queue<T> {
    builder().open(&store(server).await).await.unwrap()
}

pub(crate) async fn one<T: DeserializeOwned>(queue: &Queue<T>) -> Delivery<T> {
    queue.dequeue(1).await.unwrap().pop().unwrap()
}

pub(crate) fn kind<T>(outcome: Result<T, Error>) -> Option<ErrorKind> {
    outcome.err().map(|error| error.kind())
}

pub(crate) async fn in_time<F: Future>(it: F) -> F::Output {
    tokio::time::timeout(HANGS, it).await.expect("it hangs")
}
