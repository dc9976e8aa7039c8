//! What becomes of a job by what its handler says.

use std::error::Error;
use std::time::Duration;

use kv_queue::{Failure, Outcome, Queue, RetryPolicy, Worker};

use crate::bench::Bench;

type Boxed = Box<dyn Error + Send + Sync>;

pub(crate) async fn each_outcome_is_settled_as_the_handler_says(bench: &Bench) {
    let queue = bench.builder().max_failures(2).retry(RetryPolicy::fixed(Duration::ZERO));
    let queue: Queue<u32> = queue.open(&bench.store).await.unwrap();
    queue.enqueue_many(0..4_u32).await.unwrap();
    let run = Worker::new(queue.clone()).until_drained().run(|delivery| async move {
        match (delivery.payload(), delivery.delivery()) {
            (1, _) => Outcome::fail("for good"),
            (2, 1) => Outcome::snooze(Duration::ZERO),
            (3, _) => Outcome::retry_after(Duration::ZERO, format!("try {}", delivery.attempt())),
            _ => Outcome::Done,
        }
    });
    let summary = run.await.unwrap();
    assert_eq!((summary.done, summary.snoozed, summary.retried, summary.buried), (2, 1, 1, 2));
    let mut reasons: Vec<_> =
        queue.dead_letters(9).await.unwrap().into_iter().map(|it| it.reason).collect();
    reasons.sort_unstable();
    assert_eq!(reasons, ["for good", "try 2"]);
}

pub(crate) async fn an_error_that_says_what_it_means_is_heeded(bench: &Bench) {
    let queue: Queue<u32> = bench.queue().await;
    queue.enqueue_many(0..3_u32).await.unwrap();
    let run = Worker::new(queue.clone()).until_drained().run(|delivery| async move {
        match (delivery.payload(), delivery.delivery()) {
            (0, _) => return Err(Boxed::from(Failure::fatal("no such page"))),
            (1, 1) => Err(Failure::snooze(Duration::ZERO))?,
            (2, 1) => Err(Failure::retry_after(Duration::ZERO, "busy"))?,
            _ => {}
        }
        Ok(())
    });
    let summary = run.await.unwrap();
    assert_eq!((summary.done, summary.snoozed, summary.retried, summary.buried), (2, 1, 1, 1));
    assert_eq!(queue.dead_letters(9).await.unwrap()[0].reason, "no such page");
}
