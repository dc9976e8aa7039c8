//! Waits for jobs over failovers and moved slots.

use std::sync::Arc;
use std::time::Duration;

use kv_core::KeyValueStore;
use kv_core::queue::{Partition, QueueEngine, QueueSupport};
use kv_testbed::{RedisCluster, RedisServer, eventually, slot_of};
use tokio::task::JoinHandle;
use tokio::time::{interval, timeout};

use crate::load::SOON;
use crate::support::{
    PATIENCE, QUEUE, config, connect, jobs, next_to, opened, partition, partition_slot, refusals,
    three,
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
                    Err(error) => assert!(error.kind().is_transient(), "{error:?}"),
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

/// The engine of a store, with a queue of eight partitions, and these.
async fn eight(cluster: &RedisCluster) -> (Arc<dyn QueueEngine>, Vec<Partition>) {
    let QueueSupport::Native(engine) = connect(config(cluster)).await.queue_engine() else {
        panic!("no native engine")
    };
    engine.open(QUEUE, 8).await.unwrap();
    let partitions = (0..8).map(|number| Partition { queue: QUEUE.into(), number });
    (engine, partitions.collect())
}

/// All connections to the nodes of a cluster, and how many of them block.
fn all_clients(cluster: &RedisCluster) -> (usize, usize) {
    let lists = cluster.nodes().iter().map(|node| {
        let list = node.cli(&["CLIENT", "LIST", "TYPE", "normal"]).unwrap().text().unwrap();
        let others = list.lines().filter(|line| !line.contains("cmd=client|list"));
        (others.clone().count(), others.filter(|line| line.contains("flags=b")).count())
    });
    lists.fold((0, 0), |(all, blocked), (more, block)| (all + more, blocked + block))
}

/// Leaves a wake-up for a partition in which there is nothing to do, so that no glance finds it.
fn wake(cluster: &RedisCluster, number: u32) {
    let list = format!("!kv:{{{QUEUE}:{number}}}:wake");
    let node = &cluster.nodes()[cluster.primary_of(slot_of(&list)).unwrap()];
    // Counters, as every partition has them that had a job.
    node.cli(&["HSET", &list.replace(":wake", ":control"), "sequence", "0"]).unwrap();
    assert_eq!(node.cli(&["RPUSH", &list, "1"]).unwrap().integer(), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_wake_ups_that_come_close_together_none_is_lost() {
    let cluster = three();
    let (engine, partitions) = eight(&cluster).await;
    let until_blocked = |count: usize| {
        let blocked = || (all_clients(&cluster).1 == count).then_some(());
        eventually(PATIENCE, blocked).unwrap_or_else(|| panic!("{count} do not block"));
    };
    for (one, two) in [(0, 3), (4, 5), (6, 7)] {
        let mut wait = Box::pin(engine.wait(&partitions, LONG));
        assert!(timeout(Duration::from_millis(50), &mut wait).await.is_err());
        until_blocked(8);
        wake(&cluster, one);
        wake(&cluster, two);
        // Both are taken from the server before the wait is polled again.
        until_blocked(6);
        let mut told = timeout(PATIENCE, wait).await.unwrap().unwrap();
        if told.len() == 1 {
            // The other reply was still on its way.
            told.extend(timeout(PATIENCE, engine.wait(&partitions, LONG)).await.unwrap().unwrap());
            told.sort_unstable();
        }
        assert_eq!(told, [one, two]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_connection_of_a_queue_stays_for_which_nobody_waits_any_more() {
    let cluster = three();
    let (engine, partitions) = eight(&cluster).await;
    let (before, _) = all_clients(&cluster);
    let (waiting, at) = (Arc::clone(&engine), partitions.clone());
    let wait = tokio::spawn(async move { waiting.wait(&at, LONG).await });
    let all_wait = || (all_clients(&cluster) == (before + 8, 8)).then_some(());
    eventually(PATIENCE, all_wait).expect("all partitions are waited for");
    wait.abort();
    let closed = || (all_clients(&cluster).0 == before).then_some(());
    eventually(PATIENCE, closed).expect("the connections are closed");
    let waiting = tokio::spawn(async move { engine.wait(&partitions, LONG).await });
    wake(&cluster, 5);
    assert_eq!(timeout(PATIENCE, waiting).await.unwrap().unwrap().unwrap(), [5]);
}
