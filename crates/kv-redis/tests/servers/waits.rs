//! Waits for jobs over failovers and moved slots.

use std::sync::Arc;
use std::time::Duration;

use kv_core::queue::QueueEngine;
use kv_testbed::{RedisCluster, RedisServer, eventually};
use tokio::task::JoinHandle;
use tokio::time::{interval, timeout};

use crate::load::SOON;
use crate::support::{
    PATIENCE, config, connect, jobs, next_to, opened, partition, partition_slot, refusals, three,
};

/// Longer than any wait here is to last.
const LONG: Duration = Duration::from_secs(3_600);
/// A key in the slot of the partition.
const TAG: &str = "{!kv:queue:fetch:0}";

/// Somebody who waits for a job, again after each error.
pub(crate) struct Waiting {
    engine: Arc<dyn QueueEngine>,
    waiter: JoinHandle<()>,
}

impl Waiting {
    pub(crate) async fn on(engine: Arc<dyn QueueEngine>) -> Self {
        let waiting = Arc::clone(&engine);
        let waiter = tokio::spawn(async move {
            let mut pace = interval(Duration::from_millis(20));
            loop {
                pace.tick().await;
                match waiting.wait(&[partition()], LONG).await {
                    Ok(named) if named.is_empty() => {}
                    Ok(named) => return assert_eq!(named, [0]),
                    Err(error) => assert!(error.kind().is_passing(), "{error:?}"),
                }
            }
        });
        Self { engine, waiter }
    }

    /// Waits no more.
    pub(crate) async fn stop(self) {
        self.waiter.abort();
        assert!(self.waiter.await.unwrap_err().is_cancelled());
    }

    /// A job that is submitted wakes the one who waits, soon.
    pub(crate) async fn wakes(self) {
        assert!(!self.waiter.is_finished(), "there is nothing to do yet");
        timeout(SOON, self.engine.submit(&partition(), jobs(1))).await.unwrap().unwrap();
        timeout(SOON, self.waiter).await.expect("the wait goes on").unwrap();
    }
}

/// Returns once somebody blocks on the server.
fn until_blocked(server: &RedisServer) {
    let blocks = || {
        let info = server.cli(&["INFO", "clients"]).ok()?.text()?;
        info.contains("blocked_clients:1").then_some(())
    };
    eventually(PATIENCE, blocks).expect("the wait blocks");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_goes_on_after_its_primary_handed_over_and_after_it_died() {
    let mut cluster = RedisCluster::start().unwrap();
    let store = connect(config(&cluster)).await;
    let owner = |cluster: &RedisCluster| cluster.primary_of(partition_slot()).unwrap();
    let waiting = Waiting::on(opened(&store).await).await;
    until_blocked(&cluster.nodes()[owner(&cluster)]);
    cluster.failover(partition_slot()).unwrap();
    until_blocked(&cluster.nodes()[owner(&cluster)]);
    let engine = Arc::clone(&waiting.engine);
    waiting.wakes().await;
    let waiting = Waiting::on(engine).await;
    cluster.kill_primary(partition_slot()).unwrap();
    cluster.wait_until_ok().unwrap();
    until_blocked(&cluster.nodes()[owner(&cluster)]);
    waiting.wakes().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_asks_at_leisure_while_its_slot_is_on_its_way_and_goes_on_afterwards() {
    let cluster = three();
    let store = connect(config(&cluster)).await;
    let waiting = Waiting::on(opened(&store).await).await;
    let migration = cluster.begin_move(partition_slot(), next_to(&cluster, TAG)).unwrap();
    let target = migration.target();
    let asked = || (refusals(cluster.nodes(), "ASK") > 3).then_some(());
    eventually(PATIENCE, asked).expect("the wait is sent on");
    migration.finish().unwrap();
    until_blocked(&cluster.nodes()[target]);
    waiting.wakes().await;
}
