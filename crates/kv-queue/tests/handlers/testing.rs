//! The helpers for the tests of programs.

#![cfg(feature = "testing")]

use std::time::Duration;

use kv_core::queue::Operation;
use kv_core::{ErrorKind, Store};
use kv_memory::MemoryStore;
use kv_queue::testing::{Handed, Recorder, TokioClock, run_until_idle};
use kv_queue::{Delivery, Job, Outcome, Queue, RetryPolicy};

const SECOND: Duration = Duration::from_secs(1);

async fn queue() -> Queue<u32> {
    let memory = MemoryStore::builder().clock(TokioClock::new()).build();
    let builder = Queue::builder("tested").retry(RetryPolicy::fixed(SECOND)).max_failures(2);
    builder.open(&Store::new(memory)).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn what_is_ready_runs_in_order_and_what_is_delayed_when_its_time_has_come() {
    let queue = queue().await;
    queue.enqueue_many([Job::new(1).delay(SECOND * 60), 2.into(), 3.into()]).await.unwrap();
    let handle = |delivery: Delivery<u32>| async move {
        if *delivery.payload() == 3 { Err("three") } else { Ok(()) }
    };
    let ran = run_until_idle(&queue, handle).await.unwrap();
    let said: Vec<_> = ran.into_iter().map(|it| (it.attempt, it.outcome)).collect();
    assert_eq!(said, [(1, Outcome::Done), (1, Outcome::retry("three"))]);
    tokio::time::advance(SECOND).await;
    let ran = run_until_idle(&queue, handle).await.unwrap();
    assert_eq!((ran.len(), ran[0].attempt), (1, 2), "after the policy's delay");
    assert_eq!(queue.stats().await.unwrap().dead, 1);
    tokio::time::advance(SECOND * 60).await;
    assert_eq!(run_until_idle(&queue, handle).await.unwrap().len(), 1);
    assert!(queue.drained().await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn jobs_that_the_handler_enqueues_run_too_and_its_own_settles_stand() {
    let queue = queue().await;
    queue.enqueue(3).await.unwrap();
    let more = queue.clone();
    let ran = run_until_idle(&queue, move |delivery| {
        let more = more.clone();
        async move {
            let left = *delivery.payload();
            if left > 0 {
                more.enqueue(left - 1).await.unwrap();
            }
            delivery.ack().await.unwrap();
            Outcome::fail("too late")
        }
    });
    assert_eq!(ran.await.unwrap().len(), 4);
    assert!(queue.drained().await.unwrap() && queue.stats().await.unwrap().dead == 0);
}

#[tokio::test]
async fn a_handed_delivery_behaves_as_one_of_a_queue() {
    let (delivery, job) = Handed::new(7).queue("pages").attempt(4).deliver();
    assert_eq!((delivery.queue(), delivery.attempt(), *delivery.payload()), ("pages", 4, 7));
    assert_eq!(delivery.restore::<u32>().unwrap(), None);
    delivery.checkpoint("half").await.unwrap();
    delivery.extend(SECOND).await.unwrap();
    delivery.ack().await.unwrap();
    let again = delivery.ack().await.unwrap_err();
    assert!(again.to_string().contains("already settled by `ack`"), "{again}");
    assert_eq!(job.saved::<String>().unwrap().as_deref(), Some("half"));
    let operations = job.operations();
    assert!(matches!(
        &operations[..],
        [Some(Operation::Checkpoint { .. }), Some(Operation::Extend { .. }), None]
    ));
}

#[tokio::test]
async fn a_handed_delivery_can_lose_its_lease() {
    let (delivery, job) = Handed::new(7).deliver();
    job.lose();
    delivery.cancelled().await;
    assert_eq!(delivery.ack().await.unwrap_err().kind(), ErrorKind::Conflict);
    assert!(job.operations().is_empty());
}

#[tokio::test]
async fn a_recorder_tells_duplicates_and_forgets_what_was_taken() {
    let recorder = Recorder::new();
    let store = Store::new(MemoryStore::new());
    let queue = Queue::<u32>::builder("mail").record_to(&recorder).open(&store).await.unwrap();
    let jobs = [Job::new(1).unique("a"), Job::new(2).unique("a"), Job::new(3).priority(1)];
    queue.enqueue_many(jobs).await.unwrap();
    let seen: Vec<_> =
        recorder.take().iter().map(|it| (it.payload::<u32>().unwrap(), it.is_duplicate)).collect();
    assert_eq!(seen, [(1, false), (2, true), (3, false)]);
    assert!(recorder.jobs().is_empty());
}
