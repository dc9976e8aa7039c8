//! A server that forgets its scripts all the time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use kv_queue::Worker;
use kv_testbed::RedisServer;

use crate::agreement::assert_agrees;
use crate::bench::{builder, in_time, store};

/// Jobs of this depth add two of the next lower one: 511 in all.
const DEPTH: u32 = 8;

/// Flushes the scripts again and again until it is stopped; how often.
fn flush(server: &RedisServer, stop: &AtomicBool) -> usize {
    let mut connection = server.connection().unwrap();
    let mut flushed = 0;
    while !stop.load(SeqCst) {
        connection.command(&["SCRIPT", "FLUSH"]).unwrap();
        flushed += 1;
    }
    flushed
}

#[tokio::test]
async fn scripts_that_are_flushed_again_and_again_are_not_noticed() {
    let server = Arc::new(RedisServer::start().unwrap());
    let stop = Arc::new(AtomicBool::new(false));
    let flushing = {
        let (server, stop) = (Arc::clone(&server), Arc::clone(&stop));
        tokio::task::spawn_blocking(move || flush(&server, &stop))
    };
    let queue = builder().partitions(4).open(&store(&server).await).await.unwrap();
    queue.enqueue(DEPTH).await.unwrap();
    let (submit, again) = (queue.clone(), Arc::new(AtomicUsize::new(0)));
    let seen = Arc::clone(&again);
    let work = Worker::new(queue.clone()).until_drained().run(move |delivery| {
        seen.fetch_add(usize::from(delivery.delivery() > 1), SeqCst);
        let submit = submit.clone();
        async move {
            let depth = *delivery.payload();
            delivery.checkpoint(&depth).await?;
            let children = (0..2).filter(|_| depth > 0).map(|_| depth - 1);
            submit.enqueue_many(children).await.map(drop)
        }
    });
    let summary = in_time(work).await.unwrap();
    stop.store(true, SeqCst);
    let flushed = flushing.await.unwrap();
    assert_eq!((summary.done, summary.retried, summary.lost), ((2 << DEPTH) - 1, 0, 0));
    assert_eq!(again.load(SeqCst), 0, "no job was delivered twice");
    assert!(flushed > 10, "flushed {flushed} times only");
    assert_agrees(&server);
}
