//! The engine answers as the machine does on every other arrangement of servers.

use std::sync::Arc;
use std::time::Duration;

use kv_core::async_trait;
use kv_core::queue::{Partition, QueueEngine};
use kv_queue_machine::testing::{Coverage, Subject, check};
use kv_redis::RedisStore;
use kv_testbed::{RedisServer, slot_of};

use crate::fleet::Fleet;
use crate::support::{PATIENCE, engine_of};
use crate::{oracle, stored};

/// The queue's name as stored.
const NAME: &str = "data_fetcher:!kv:queue:oracle";

struct Placed<'a> {
    fleet: &'a Fleet,
    engine: Arc<dyn QueueEngine>,
}

#[async_trait]
impl Subject for Placed<'_> {
    fn engine(&self) -> &dyn QueueEngine {
        &*self.engine
    }

    fn queue(&self) -> Arc<str> {
        NAME.into()
    }

    async fn set_time(&self, now: Duration) {
        self.fleet.freeze_at(now);
    }

    async fn check(&self, partition: &Partition) -> Result<(), String> {
        let owner = owner(self.fleet, &stored::key(partition, "jobs"));
        stored::check(&mut owner.connection().unwrap(), partition)
    }
}

/// The server that has a key.
fn owner<'a>(fleet: &'a Fleet, key: &str) -> &'a RedisServer {
    let at = match fleet {
        Fleet::Cluster(cluster) => cluster.primary_of(slot_of(key)).unwrap(),
        Fleet::Sentinels(sentinels) => sentinels.primary().unwrap(),
        Fleet::Tls(_) | Fleet::Unix(_) | Fleet::Valkey(_) => 0,
    };
    &fleet.servers()[at]
}

async fn agrees(fleet: Fleet, first: u64) -> Coverage {
    let config = fleet.config().timeout(PATIENCE).build().unwrap();
    let engine = engine_of(&RedisStore::connect(config).await.unwrap());
    let make = async || {
        fleet.flush();
        Placed { fleet: &fleet, engine: Arc::clone(&engine) }
    };
    let seen = check(make, oracle::seeds(first, 3), oracle::STEPS).await.unwrap();
    engine.remove(NAME, 2).await.unwrap();
    assert_eq!(left(&fleet), [""; 0], "after the removal");
    seen
}

/// The queue's keys that are there.
fn left(fleet: &Fleet) -> Vec<String> {
    let partition = |number| Partition { queue: NAME.into(), number };
    let parts = |number| stored::PARTS.map(|part| stored::key(&partition(number), part));
    let keys = (0..2).flat_map(parts).chain([stored::description(NAME)]);
    let is_there = |key: &String| {
        let exists = owner(fleet, key).cli(&["EXISTS", key]).unwrap();
        exists.integer() != Some(0)
    };
    keys.filter(is_there).collect()
}

#[tokio::test]
async fn a_cluster_of_six_nodes_answers_as_the_machine_does() {
    let seen = agrees(Fleet::cluster(), 11_000).await;
    assert!(seen.of("claimed") > 100, "{seen:?}");
}

#[tokio::test]
async fn a_primary_that_is_found_through_sentinels_answers_as_the_machine_does() {
    agrees(Fleet::sentinels(), 12_000).await;
}

#[tokio::test]
async fn a_server_behind_tls_answers_as_the_machine_does() {
    agrees(Fleet::tls(), 13_000).await;
}

#[tokio::test]
async fn a_server_on_a_unix_socket_in_resp3_answers_as_the_machine_does() {
    agrees(Fleet::unix(), 14_000).await;
}

#[tokio::test]
async fn a_valkey_server_answers_as_the_machine_does() {
    agrees(Fleet::valkey(), 15_000).await;
}
