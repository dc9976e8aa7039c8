//! Queues that come and go: nothing of them is left on the server.

use kv_queue::{Job, Queue, Worker};
use kv_redis::{RedisConfig, RedisStore};
use kv_testbed::{RedisCluster, RedisServer, Reply};

use crate::bench::{in_time, store};

fn keys(server: &RedisServer) -> Vec<String> {
    match server.cli(&["KEYS", "*"]).unwrap() {
        Reply::Array(keys) => keys.iter().filter_map(Reply::text).collect(),
        other => panic!("{other:?}"),
    }
}

fn connections(server: &RedisServer) -> usize {
    let clients = server.cli(&["CLIENT", "LIST", "TYPE", "normal"]).unwrap();
    clients.text().unwrap().lines().count()
}

/// What a run leaves in each state: done, dead, delayed, unique.
async fn run(queue: &Queue<u32>) {
    queue.enqueue_many((0..40).map(|n| Job::new(n).unique(n.to_string()))).await.unwrap();
    let worker = Worker::new(queue.clone()).until_drained().run(async |delivery| {
        match delivery.payload() % 8 {
            0 => delivery.fail("as the test asks for").await,
            _ => delivery.ack().await,
        }
    });
    in_time(worker).await.unwrap();
    queue.enqueue(Job::new(1).delay(std::time::Duration::from_secs(60))).await.unwrap();
}

/// Opens, uses and deletes queues, one after another.
async fn come_and_go(store: &kv_core::Store, queues: u32, partitions: u32) {
    for number in 0..queues {
        let name = format!("run:{number}");
        let queue = Queue::builder(&name).partitions(partitions).open(store).await.unwrap();
        run(&queue).await;
        queue.delete().await.unwrap();
    }
}

/// Waits until these servers have as many connections as before; those that block for the queues
/// end by themselves when nobody waits.
async fn closed(servers: &[&RedisServer], before: &[usize]) {
    in_time(async {
        while servers.iter().zip(before).any(|(server, before)| connections(server) > *before) {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn queues_that_were_deleted_leave_no_key_and_no_connection() {
    let server = RedisServer::start().unwrap();
    let store = store(&server).await;
    let before = connections(&server);
    come_and_go(&store, 60, 8).await;
    come_and_go(&store, 300, 2).await;
    assert_eq!(keys(&server), Vec::<String>::new());
    closed(&[&server], &[before]).await;
}

#[tokio::test]
async fn queues_that_were_deleted_from_a_cluster_leave_no_key_and_no_connection() {
    let cluster = RedisCluster::builder().replicas(0).start().unwrap();
    let nodes = cluster.ports().into_iter().map(|port| format!("127.0.0.1:{port}"));
    let config = RedisConfig::builder().cluster(nodes).build().unwrap();
    let store = kv_core::Store::new(RedisStore::connect(config).await.unwrap());
    // From then on there is a connection to every node.
    come_and_go(&store, 1, 16).await;
    let servers: Vec<&RedisServer> = cluster.nodes().iter().collect();
    let before: Vec<usize> = servers.iter().map(|server| connections(server)).collect();
    come_and_go(&store, 60, 8).await;
    for server in &servers {
        assert_eq!(keys(server), Vec::<String>::new());
    }
    closed(&servers, &before).await;
}
