//! `tower` services as handlers.

#![cfg(feature = "tower")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use kv_queue::{Delivery, Failure, Outcome, Queue, RetryPolicy, Worker};
use tower::{BoxError, ServiceBuilder};

use crate::bench::Bench;

async fn queue(jobs: u32) -> Queue<u32> {
    let bench = Bench::memory();
    let builder = bench.builder().max_failures(1).retry(RetryPolicy::fixed(Duration::ZERO));
    let queue = builder.open(&bench.store).await.unwrap();
    queue.enqueue_many(0..jobs).await.unwrap();
    queue
}

#[tokio::test(start_paused = true)]
async fn existing_middleware_applies_to_all_jobs_together() {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let seen = Arc::clone(&most);
    let service = ServiceBuilder::new().concurrency_limit(2).service_fn(move |_: Delivery<u32>| {
        let (now, most) = (Arc::clone(&now), Arc::clone(&most));
        async move {
            most.fetch_max(now.fetch_add(1, SeqCst) + 1, SeqCst);
            tokio::time::sleep(Duration::from_secs(1)).await;
            now.fetch_sub(1, SeqCst);
            Ok::<(), BoxError>(())
        }
    });
    let worker = Worker::new(queue(10).await).concurrency(5).until_drained();
    assert_eq!(worker.run_service(service).await.unwrap().done, 10);
    assert_eq!(seen.load(SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn an_error_of_the_middleware_is_a_failure_of_the_job() {
    let queue = queue(1).await;
    let service = ServiceBuilder::new()
        .timeout(Duration::from_secs(1))
        .service_fn(|_: Delivery<u32>| std::future::pending::<Result<(), BoxError>>());
    let worker = Worker::new(queue.clone()).until_drained();
    assert_eq!(worker.run_service(service).await.unwrap().buried, 1);
    assert_eq!(queue.dead_letters(1).await.unwrap()[0].reason, "request timed out");
}

#[tokio::test]
async fn a_service_says_what_becomes_of_its_job() {
    let queue = queue(3).await;
    let service = ServiceBuilder::new().timeout(Duration::from_secs(60)).service_fn(
        |delivery: Delivery<u32>| async move {
            match (delivery.payload(), delivery.delivery()) {
                (0, 1) => Ok(Outcome::snooze(Duration::ZERO)),
                (1, _) => Err(BoxError::from(Failure::fatal("for good"))),
                _ => Ok(Outcome::Done),
            }
        },
    );
    let worker = Worker::new(queue.clone()).until_drained();
    let summary = worker.run_service(service).await.unwrap();
    assert_eq!((summary.done, summary.snoozed, summary.buried), (2, 1, 1));
}
