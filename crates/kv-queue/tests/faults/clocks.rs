//! The server's clock jumps while a queue works on it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use kv_core::ErrorKind;
use kv_queue::{Delivery, Job, Worker};
use kv_testbed::RedisServer;

use crate::agreement::assert_agrees;
use crate::bench::{HOUR, LEASE, SECOND, builder, frozen, in_time, kind, one, queue, store};

#[tokio::test]
async fn a_clock_that_jumps_forwards_ends_the_leases_and_fences_their_holders() {
    let server = RedisServer::builder().clock().start().unwrap();
    let queue = queue::<u32>(&server).await;
    queue.enqueue_many(0..20_u32).await.unwrap();
    queue.enqueue(Job::new(20).delay(HOUR / 2)).await.unwrap();
    let held = queue.dequeue(10).await.unwrap();
    server.clock().unwrap().advance(HOUR).unwrap();
    let all = queue.dequeue(30).await.unwrap();
    assert_eq!(all.len(), 21);
    assert_eq!(all.iter().filter(|delivery| delivery.delivery() == 2).count(), 10);
    let highest = held.iter().map(Delivery::token).max().unwrap();
    assert!(all.iter().all(|delivery| delivery.token() > highest));
    for delivery in &held {
        assert_eq!(kind(delivery.ack().await), Some(ErrorKind::Conflict));
    }
    for delivery in &all {
        delivery.ack().await.unwrap();
    }
    assert!(queue.drained().await.unwrap());
    assert_agrees(&server);
}

#[tokio::test]
async fn a_clock_that_jumps_forwards_under_workers_loses_nothing() {
    const JOBS: usize = 300;
    let server = Arc::new(RedisServer::builder().clock().start().unwrap());
    let queue = builder().partitions(2).max_crashes(100);
    let queue = queue.open(&store(&server).await).await.unwrap();
    queue.enqueue_many(0..300_u32).await.unwrap();
    let seen = Arc::new(Mutex::new(HashMap::<u32, usize>::new()));
    let (started, noted) = (AtomicUsize::new(0), Arc::clone(&seen));
    let clock = server.clock().unwrap().clone();
    let work = Worker::new(queue.clone()).concurrency(8).until_drained().run(move |delivery| {
        *noted.lock().unwrap().entry(*delivery.payload()).or_default() += 1;
        if started.fetch_add(1, SeqCst) % 50 == 25 {
            clock.advance(HOUR).unwrap();
        }
        async { Ok::<(), String>(()) }
    });
    let summary = in_time(work).await.unwrap();
    let stats = queue.stats().await.unwrap();
    assert_eq!((stats.done, stats.dead, stats.outstanding()), (JOBS as u64, 0, 0));
    let seen = seen.lock().unwrap();
    let repeated = seen.values().sum::<usize>() - seen.len();
    assert_eq!(seen.len(), JOBS);
    // At each jump at most what runs, and as much again that is being settled.
    assert!(repeated <= 16 * JOBS / 50, "{repeated} came again, {summary:?}");
    assert_agrees(&server);
}

#[tokio::test]
async fn a_clock_that_is_set_back_delays_and_loses_nothing_and_tokens_still_rise() {
    let server = frozen();
    let clock = server.clock().unwrap();
    let queue = queue::<u32>(&server).await;
    queue.enqueue_many([1, 2, 3]).await.unwrap();
    queue.enqueue(Job::new(4).delay(SECOND)).await.unwrap();
    let (first, second) = (one(&queue).await, one(&queue).await);
    clock.set_back(HOUR).unwrap();
    first.ack().await.unwrap();
    let third = one(&queue).await;
    assert!(first.token() < second.token() && second.token() < third.token());
    third.ack().await.unwrap();
    clock.advance(LEASE + SECOND).unwrap();
    assert!(queue.dequeue(9).await.unwrap().is_empty(), "nothing is due before its old time");
    clock.advance(HOUR).unwrap();
    let mut left = queue.dequeue(9).await.unwrap();
    left.sort_by_key(|delivery| *delivery.payload());
    let payloads: Vec<_> = left.iter().map(|delivery| *delivery.payload()).collect();
    assert_eq!((payloads, left[0].delivery()), (vec![2, 4], 2));
    assert!(left.iter().all(|delivery| delivery.token() > third.token()));
    assert_eq!(kind(second.ack().await), Some(ErrorKind::Conflict));
    for delivery in left {
        delivery.ack().await.unwrap();
    }
    assert!(queue.drained().await.unwrap());
    assert_agrees(&server);
}
