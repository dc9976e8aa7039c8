//! The engine answers as the queue's machine does.

use std::sync::Arc;
use std::time::Duration;

use kv_core::queue::{Partition, QueueEngine, QueueSupport};
use kv_core::{KeyValueStore, async_trait};
use kv_queue_machine::testing::{START, Subject, check};
use kv_redis::{RedisConfig, RedisStore};
use kv_testbed::RedisServer;

use crate::stored;

/// An engine on a server whose clock stands where the test sets it.
struct Subjected<'a> {
    server: &'a RedisServer,
    engine: Arc<dyn QueueEngine>,
}

impl<'a> Subjected<'a> {
    async fn new(server: &'a RedisServer) -> Self {
        server.cli(&["FLUSHALL"]).unwrap();
        let config = RedisConfig::from_url(&server.url()).unwrap();
        let store = RedisStore::connect(config).await.unwrap();
        let QueueSupport::Native(engine) = store.queue_engine() else { panic!("no native engine") };
        Self { server, engine }
    }
}

#[async_trait]
impl Subject for Subjected<'_> {
    fn engine(&self) -> &dyn QueueEngine {
        &*self.engine
    }

    async fn set_time(&self, now: Duration) {
        self.server.clock().unwrap().freeze_at(now).unwrap();
    }

    async fn check(&self, partition: &Partition) -> Result<(), String> {
        stored::check(self.server, partition)
    }
}

#[tokio::test]
async fn it_answers_as_the_machine_does() {
    let server = RedisServer::builder().clock_frozen_at(START).start().unwrap();
    let make = async || Subjected::new(&server).await;
    let seen = check(make, 3_000..3_020, 500).await.unwrap();
    println!("{seen:?}");
}
