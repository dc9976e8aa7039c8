//! A third of a Cluster that answers nothing any more: what is on the others runs.

use kv_core::Store;
use kv_queue::{CancellationToken, Job, Queue, Worker};
use kv_redis::{RedisConfig, RedisStore};
use kv_testbed::{RedisCluster, RedisServer, Reply};
use tokio::sync::mpsc::unbounded_channel;

use crate::bench::{HOUR, SECOND, in_time};

const PARTITIONS: u32 = 24;

/// How many jobs wait for a time on a node.
fn delayed(node: &RedisServer) -> usize {
    let Reply::Array(keys) = node.cli(&["KEYS", "*}:timed"]).unwrap() else { panic!("no list") };
    let count = |key: String| match node.cli(&["ZCOUNT", &key, "-inf", "(inf"]).unwrap() {
        Reply::Integer(jobs) => usize::try_from(jobs).unwrap(),
        other => panic!("{other:?}"),
    };
    keys.iter().filter_map(Reply::text).map(count).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn due_jobs_run_on_the_shards_that_answer_while_another_hangs() {
    let cluster = RedisCluster::builder().replicas(0).node_timeout(HOUR).start().unwrap();
    let [first, ..] = cluster.nodes() else { panic!("no nodes") };
    let nodes = cluster.ports().into_iter().map(|port| format!("127.0.0.1:{port}"));
    let config = RedisConfig::builder().cluster(nodes);
    let store = RedisStore::connect(config.build().unwrap()).await.unwrap();
    let queue: Queue<u32> =
        Queue::builder("shards").partitions(PARTITIONS).open(&Store::new(store)).await.unwrap();
    let (stop, (tell, mut begun)) = (CancellationToken::new(), unbounded_channel());
    let worker = Worker::new(queue.clone()).concurrency(4).stop_on(stop.clone());
    let run = tokio::spawn(worker.run(move |delivery| {
        let told = tell.send(*delivery.payload());
        async move { told }
    }));
    let jobs = (0..PARTITIONS).map(|number| Job::new(number).delay(SECOND * 3));
    queue.enqueue_many(jobs).await.unwrap();
    let hung = delayed(first);
    assert!((1..PARTITIONS as usize).contains(&hung), "{hung} of {PARTITIONS} on the first node");
    first.pause().unwrap();
    in_time(async {
        for _ in hung..PARTITIONS as usize {
            begun.recv().await.unwrap();
        }
    })
    .await;
    first.resume().unwrap();
    in_time(async {
        for _ in 0..hung {
            begun.recv().await.unwrap();
        }
    })
    .await;
    stop.cancel();
    let summary = in_time(run).await.unwrap().unwrap();
    assert_eq!((summary.done, summary.lost), (u64::from(PARTITIONS), 0), "{summary:?}");
}
