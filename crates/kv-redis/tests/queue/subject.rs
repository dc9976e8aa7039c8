//! An engine under the oracle: on a server whose clock stands where the test sets it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use kv_core::async_trait;
use kv_core::queue::{Partition, QueueEngine};
use kv_queue_machine::testing::{START, Subject};
use kv_testbed::{Connection, RedisServer};

use super::stored;

/// A server whose clock stands still.
pub(crate) fn frozen() -> RedisServer {
    RedisServer::builder().clock_frozen_at(START).start().unwrap()
}

/// An engine on an empty server.
pub(crate) struct Subjected<'a> {
    server: &'a RedisServer,
    connection: Mutex<Connection>,
    engine: Arc<dyn QueueEngine>,
    queue: Arc<str>,
}

impl<'a> Subjected<'a> {
    pub(crate) fn new(server: &'a RedisServer, engine: Arc<dyn QueueEngine>) -> Self {
        Self::named(server, engine, "data_fetcher:!kv:queue:oracle")
    }

    /// With a queue of this name.
    pub(crate) fn named(
        server: &'a RedisServer,
        engine: Arc<dyn QueueEngine>,
        queue: &str,
    ) -> Self {
        let mut connection = server.connection().unwrap();
        stored::ask(&mut connection, &["FLUSHALL"]).unwrap();
        Self { server, connection: Mutex::new(connection), engine, queue: queue.into() }
    }
}

#[async_trait]
impl Subject for Subjected<'_> {
    fn engine(&self) -> &dyn QueueEngine {
        &*self.engine
    }

    fn queue(&self) -> Arc<str> {
        Arc::clone(&self.queue)
    }

    async fn set_time(&self, now: Duration) {
        self.server.clock().unwrap().freeze_at(now).unwrap();
    }

    async fn check(&self, partition: &Partition) -> Result<(), String> {
        stored::check(&mut self.connection.lock().unwrap(), partition)
    }
}
