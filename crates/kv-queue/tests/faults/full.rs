//! A server that takes no new data: its memory is full, or its disk is.

use std::fs;
use std::time::Duration;

use kv_core::ErrorKind;
use kv_testbed::{RedisServer, Reply, eventually};

use crate::agreement::assert_agrees;
use crate::bench::{HANGS, SECOND, kind, one, queue};

fn set(server: &RedisServer, setting: &str, value: &str) {
    let reply = server.cli(&["CONFIG", "SET", setting, value]).unwrap();
    assert_eq!(reply, Reply::Simple("OK".to_owned()));
}

#[tokio::test]
async fn a_server_without_memory_refuses_new_jobs_and_goes_on_with_those_it_has() {
    let server = RedisServer::start().unwrap();
    let queue = queue::<u32>(&server).await;
    queue.enqueue_many([1, 2, 3, 4]).await.unwrap();
    let first = one(&queue).await;
    set(&server, "maxmemory", "1");
    let error = queue.enqueue(5).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::OutOfMemory, true));
    assert_eq!(kind(queue.enqueue_many([6, 7]).await), Some(ErrorKind::OutOfMemory));
    first.ack().await.unwrap();
    let second = one(&queue).await;
    second.checkpoint("half").await.unwrap();
    second.extend(SECOND).await.unwrap();
    second.retry(Duration::ZERO).await.unwrap();
    // The job that comes back goes behind the two that wait.
    let others = [one(&queue).await, one(&queue).await];
    let again = one(&queue).await;
    assert_eq!((*again.payload(), again.attempt()), (2, 2));
    again.snooze(Duration::ZERO).await.unwrap();
    one(&queue).await.fail("no").await.unwrap();
    for delivery in others {
        delivery.ack().await.unwrap();
    }
    assert_agrees(&server);
    assert_eq!(queue.redrive(9).await.unwrap(), 1);
    one(&queue).await.ack().await.unwrap();
    set(&server, "maxmemory", "0");
    queue.enqueue(5).await.unwrap();
    assert_eq!(*one(&queue).await.payload(), 5);
    assert_eq!(queue.stats().await.unwrap().entered, 5);
}

/// Whether the server's last snapshot was written, when it has tried.
fn snapshot(server: &RedisServer) -> bool {
    let said = |what: &str| {
        let info = server.cli(&["INFO", "persistence"]).unwrap().text().unwrap();
        info.lines().any(|line| line == what)
    };
    server.cli(&["BGSAVE"]).unwrap();
    let ended = || said("rdb_bgsave_in_progress:0").then_some(());
    eventually(HANGS, ended).expect("the snapshot does not end");
    said("rdb_last_bgsave_status:ok")
}

#[tokio::test]
async fn a_server_that_cannot_write_its_disk_refuses_jobs_and_recovers() {
    let server = RedisServer::builder().config("save", "3600 1000000").config("dbfilename", "dump");
    let server = server.start().unwrap();
    let queue = queue::<u32>(&server).await;
    queue.enqueue_many([1, 2]).await.unwrap();
    let first = one(&queue).await;
    // A directory in its place: the snapshot cannot be written, as on a full disk.
    let dump = server.dir().join("dump");
    fs::create_dir(&dump).unwrap();
    assert!(!snapshot(&server));
    let error = queue.enqueue(3).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::ReadOnly, true));
    assert_eq!(kind(first.ack().await), Some(ErrorKind::ReadOnly));
    assert_eq!(kind(queue.dequeue(1).await), Some(ErrorKind::ReadOnly));
    fs::remove_dir(&dump).unwrap();
    assert!(snapshot(&server));
    queue.enqueue(3).await.unwrap();
    first.ack().await.unwrap();
    let left: Vec<u32> =
        queue.dequeue(9).await.unwrap().iter().map(|delivery| *delivery.payload()).collect();
    assert_eq!(left, [2, 3]);
    assert_agrees(&server);
}
