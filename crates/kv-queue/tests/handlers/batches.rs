//! What a worker of batches promises.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use kv_queue::{Delivery, Outcome, Queue, RetryPolicy, Worker};

use crate::bench::Bench;

async fn queue(jobs: u32) -> Queue<u32> {
    let bench = Bench::memory();
    let builder = bench.builder().max_failures(1).retry(RetryPolicy::fixed(Duration::ZERO));
    let queue = builder.open(&bench.store).await.unwrap();
    queue.enqueue_many(0..jobs).await.unwrap();
    queue
}

fn done(deliveries: &[Delivery<u32>]) -> Vec<Outcome> {
    deliveries.iter().map(|_| Outcome::Done).collect()
}

#[tokio::test(start_paused = true)]
async fn jobs_come_in_full_batches_while_there_are_enough() {
    let (queue, sizes) = (queue(25).await, Arc::new(Mutex::new(Vec::new())));
    let seen = Arc::clone(&sizes);
    let worker = Worker::new(queue).concurrency(2).until_drained();
    let run = worker.run_batches(10, move |deliveries| {
        seen.lock().unwrap().push(deliveries.len());
        async move { done(&deliveries) }
    });
    assert_eq!(run.await.unwrap().done, 25);
    let mut sizes = sizes.lock().unwrap().clone();
    sizes.sort_unstable();
    assert_eq!(sizes, [5, 10, 10]);
}

#[tokio::test(start_paused = true)]
async fn a_batch_of_one_does_not_wait() {
    let queue = queue(3).await;
    let begun = tokio::time::Instant::now();
    let worker = Worker::new(queue).concurrency(1).until_drained();
    let run = worker.run_batches(1, |deliveries| async move { done(&deliveries) });
    assert_eq!(run.await.unwrap().done, 3);
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn each_job_of_a_batch_has_its_own_outcome() {
    let queue = queue(4).await;
    let run = Worker::new(queue.clone()).until_drained().run_batches(4, |rows| async move {
        let judge = |row: &Delivery<u32>| match row.payload() {
            2 => Err("two"),
            _ => Ok(()),
        };
        rows.iter().map(judge).collect()
    });
    let summary = run.await.unwrap();
    assert_eq!((summary.done, summary.buried), (3, 1));
    assert_eq!(queue.dead_letters(9).await.unwrap()[0].reason, "two");
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_forgets_a_job_or_panics_fails_the_whole_batch() {
    for (panics, why) in
        [(false, "the handler returned 1 outcomes for 4 jobs"), (true, "the handler panicked: no")]
    {
        let queue = queue(4).await;
        let run = Worker::new(queue.clone()).until_drained().run_batches(4, move |_| async move {
            assert!(!panics, "no");
            vec![()]
        });
        let summary = run.await.unwrap();
        assert_eq!((summary.done, summary.buried), (0, 4));
        for letter in queue.dead_letters(9).await.unwrap() {
            assert_eq!(letter.reason, why);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_whose_jobs_all_took_too_long_is_dropped() {
    let queue = queue(2).await;
    let gone = Arc::new(());
    let held = Arc::downgrade(&gone);
    let worker = Worker::new(queue.clone()).job_timeout(Duration::from_secs(1)).until_drained();
    let run = worker.run_batches(2, move |_| {
        let held = Arc::clone(&gone);
        async move {
            std::future::pending::<()>().await;
            drop(held);
            Vec::<()>::new()
        }
    });
    assert_eq!(run.await.unwrap().buried, 2);
    assert_eq!(held.strong_count(), 0);
    assert_eq!(queue.dead_letters(9).await.unwrap()[0].reason, "took longer than 1s");
}
