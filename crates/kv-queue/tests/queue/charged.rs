//! A job is charged for work that was begun, and for nothing else.

use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use kv_core::ErrorKind;
use kv_queue::{Delivery, Job, Queue, Worker};
use tokio::time::{Instant, sleep, timeout};

use crate::bench::Bench;
use crate::watched::Watched;

const SECOND: Duration = Duration::from_secs(1);

/// Only a failure takes this long.
const PATIENCE: Duration = Duration::from_secs(60);

/// The next job, as soon as there is one.
async fn next(queue: &Queue<u32>) -> Delivery<u32> {
    let look = async {
        loop {
            if let Some(delivery) = queue.dequeue(1).await.unwrap().pop() {
                return delivery;
            }
            sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(PATIENCE, look).await.expect("no job came back")
}

fn is_as_new(delivery: &Delivery<u32>) -> bool {
    (delivery.attempt(), delivery.delivery()) == (1, 1)
}

pub(crate) async fn a_dropped_dequeue_hands_back_at_once_and_charges_nothing(bench: &Bench) {
    let queue = bench.builder::<u32>().max_crashes(1).open(&bench.store).await.unwrap();
    queue.enqueue(7).await.unwrap();
    for polls in 1..=40 {
        let delivery = match polled(queue.dequeue(1), polls).await {
            // It was done before it could be dropped.
            Some(taken) => taken.unwrap().remove(0),
            None => next(&queue).await,
        };
        assert!(is_as_new(&delivery), "dropped after {polls} polls");
        delivery.ack().await.unwrap();
        queue.enqueue(7).await.unwrap();
    }
}

/// What a future comes to within so many polls; dropped if they are too few.
async fn polled<F: Future>(future: F, polls: usize) -> Option<F::Output> {
    let mut future = pin!(future);
    let context = &mut Context::from_waker(Waker::noop());
    for _ in 0..polls {
        if let Poll::Ready(output) = future.as_mut().poll(context) {
            return Some(output);
        }
        sleep(Duration::from_millis(1)).await;
    }
    None
}

pub(crate) async fn a_live_job_behind_expired_ones_is_found_at_once(bench: &Bench) {
    let queue = bench.queue::<u32>().await;
    queue.enqueue_many((0..20).map(|n| Job::new(n).time_to_live(SECOND))).await.unwrap();
    queue.enqueue(20).await.unwrap();
    bench.advance(2 * SECOND);
    assert_eq!(*queue.dequeue(1).await.unwrap()[0].payload(), 20);
    assert_eq!(queue.stats().await.unwrap().dead, 20);
}

pub(crate) async fn a_job_that_snoozes_goes_behind_those_that_wait(bench: &Bench) {
    let queue = bench.queue::<u32>().await;
    queue.enqueue_many([1, 2]).await.unwrap();
    queue.dequeue(1).await.unwrap()[0].snooze(Duration::ZERO).await.unwrap();
    queue.enqueue(3).await.unwrap();
    let order: Vec<_> = queue.dequeue(9).await.unwrap().iter().map(|one| *one.payload()).collect();
    assert_eq!(order, [2, 1, 3]);
}

#[tokio::test]
async fn snoozes_for_politeness_do_not_bury_a_job() {
    let bench = Bench::memory();
    let queue = bench.queue::<u32>().await;
    queue.enqueue(7).await.unwrap();
    for _ in 0..86_400 {
        let delivery = queue.dequeue(1).await.unwrap().pop().expect("a day of snoozes");
        delivery.snooze(Duration::ZERO).await.unwrap();
    }
    assert_eq!(queue.stats().await.unwrap().dead, 0);
}

#[tokio::test(start_paused = true)]
async fn a_claim_whose_reply_never_came_is_handed_back_and_charges_nothing() {
    let watched = Watched::new();
    let queue = watched.queue(1).await;
    queue.enqueue(7).await.unwrap();
    for round in 0..5 {
        // The claim and all of its repeats are executed, and nobody hears of it.
        watched.lose_replies(5);
        let error = queue.dequeue(1).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout, "round {round}");
        sleep(SECOND).await;
        let delivery = queue.dequeue(1).await.unwrap().pop().expect("handed back");
        assert!(is_as_new(&delivery), "round {round}");
        drop(delivery);
        sleep(crate::watched::LEASE).await;
        queue.clear().await.unwrap();
        queue.enqueue(7).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn claims_that_stood_still_longer_than_a_lease_are_charged_nothing() {
    let watched = Watched::new();
    let queue = watched.queue(1).await;
    queue.enqueue(7).await.unwrap();
    watched.lose_replies(usize::MAX);
    assert!(queue.dequeue(1).await.is_err());
    // The store answers again when the lease is over.
    sleep(2 * crate::watched::LEASE).await;
    watched.lose_replies(0);
    let delivery = next(&queue).await;
    assert!(is_as_new(&delivery), "attempt {}", delivery.attempt());
}

#[tokio::test(start_paused = true)]
async fn what_has_finished_is_settled_for_as_long_as_the_lease_lasts() {
    let watched = Watched::new();
    let (builder, store) = watched.builder();
    let builder = builder.lease(6 * SECOND).timeout(SECOND);
    let queue = builder.open(&store).await.unwrap();
    queue.enqueue(7).await.unwrap();
    let (outage, begin) = (watched.clone(), Instant::now());
    let worker = Worker::new(queue.clone()).until_drained().run(move |_| {
        let outage = outage.clone();
        async move {
            outage.fail(Some(ErrorKind::Connection));
            tokio::spawn(async move {
                sleep(Duration::from_millis(1_600)).await;
                outage.fail(None);
            });
            Ok::<(), String>(())
        }
    });
    let summary = worker.await.unwrap();
    assert_eq!((summary.done, summary.lost), (1, 0));
    assert!(begin.elapsed() < 6 * SECOND, "no second delivery");
    assert_eq!(queue.stats().await.unwrap().done, 1);
}

#[tokio::test(start_paused = true)]
async fn urgent_jobs_that_are_due_are_promoted_before_a_backlog_runs() {
    let watched = Watched::new();
    let queue = watched.queue(1).await;
    queue.enqueue_many((0..5_000).map(|n| Job::new(n).priority(15))).await.unwrap();
    let urgent = (0..3_000).map(|n| Job::new(n).priority(0).delay(SECOND));
    queue.enqueue_many(urgent).await.unwrap();
    sleep(2 * SECOND).await;
    let taken = queue.dequeue(3_000).await.unwrap();
    assert!(taken.iter().all(|one| one.id().to_string().starts_with("0-0")));
}

#[tokio::test]
async fn a_cancelled_job_frees_its_unique_key_at_once() {
    let bench = Bench::memory();
    let queue = bench.queue::<u32>().await;
    let doomed = queue.enqueue(Job::new(1).unique_while_live("page")).await.unwrap();
    let running = queue.dequeue(1).await.unwrap();
    queue.cancel(&[doomed.id()]).await.unwrap();
    let fresh = queue.enqueue(Job::new(2).unique_while_live("page")).await.unwrap();
    assert!(!fresh.is_duplicate());
    // The end of the cancelled one leaves the key with the new job.
    assert!(running[0].ack().await.is_ok());
    assert!(queue.enqueue(Job::new(3).unique_while_live("page")).await.unwrap().is_duplicate());
}
