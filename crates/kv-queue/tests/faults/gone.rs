//! Queues that come and go: nothing of them is left on the server.

use kv_queue::{Job, Queue, Worker};
use kv_testbed::{RedisServer, Reply};

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

#[tokio::test]
async fn queues_that_were_deleted_leave_no_key_and_no_connection() {
    let server = RedisServer::start().unwrap();
    let store = store(&server).await;
    let before = connections(&server);
    for run_of in 0..60 {
        let name = format!("run:{run_of}");
        let queue = Queue::builder(&name).partitions(8).open(&store).await.unwrap();
        run(&queue).await;
        queue.delete().await.unwrap();
    }
    assert_eq!(keys(&server), Vec::<String>::new());
    // The one that blocks for all queues ends by itself when nobody waits.
    in_time(async {
        while connections(&server) > before {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    })
    .await;
}
