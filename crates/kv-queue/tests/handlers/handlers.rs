//! What a handler is told, and what it can say.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use kv_queue::{CancellationToken, Delivery, Outcome, Queue, Worker};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use crate::bench::Bench;
use crate::watched::{LEASE, Watched};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn a_handler_that_settled_its_job_cannot_say_something_else_about_it() {
    let bench = Bench::memory();
    let queue: Queue<u32> = bench.queue().await;
    queue.enqueue_many(0..3_u32).await.unwrap();
    let run = Worker::new(queue.clone()).until_drained().run(|delivery| async move {
        delivery.ack().await.unwrap();
        match delivery.payload() {
            0 => Outcome::fail("too late"),
            1 => Outcome::snooze(SECOND),
            _ => Outcome::retry("too late"),
        }
    });
    let summary = run.await.unwrap();
    assert_eq!((summary.done, summary.deliveries()), (3, 3));
    assert!(queue.drained().await.unwrap() && queue.stats().await.unwrap().dead == 0);
}

#[tokio::test]
async fn a_handler_gets_a_clone_of_the_state_for_each_job() {
    let bench = Bench::memory();
    let queue: Queue<u32> = bench.queue().await;
    queue.enqueue_many(1..=10_u32).await.unwrap();
    let sum = Arc::new(AtomicUsize::new(0));
    let worker = Worker::new(queue).state(Arc::clone(&sum)).concurrency(3).until_drained();
    let summary = worker.run(|sum, delivery| async move {
        sum.fetch_add(delivery.into_payload() as usize, SeqCst);
    });
    assert_eq!((summary.await.unwrap().done, sum.load(SeqCst)), (10, 55));
}

#[tokio::test]
async fn a_delivery_tells_its_queue_and_the_saved_progress() {
    let bench = Bench::memory();
    let queue: Queue<String> = bench.queue().await;
    queue.enqueue("page".to_owned()).await.unwrap();
    let first = queue.dequeue(1).await.unwrap().remove(0);
    assert_eq!((first.queue(), first.progress()), ("bench", None));
    first.checkpoint_at(7, "half").await.unwrap();
    first.retry(Duration::ZERO).await.unwrap();
    let (page, second) = queue.dequeue(1).await.unwrap().remove(0).into_parts();
    assert_eq!((&*page, second.progress()), ("page", Some(7)));
    second.ack().await.unwrap();
    assert!(queue.drained().await.unwrap());
}

#[tokio::test]
async fn a_delivery_without_a_worker_learns_of_its_loss_when_it_asks() {
    let bench = Bench::memory();
    let queue: Queue<u32> = bench.queue().await;
    queue.enqueue(1).await.unwrap();
    let delivery = queue.dequeue(1).await.unwrap().remove(0);
    queue.cancel(&[delivery.id()]).await.unwrap();
    assert!(!delivery.is_cancelled(), "nobody has told");
    delivery.extend(SECOND).await.unwrap_err();
    assert!(delivery.is_cancelled());
    delivery.cancelled().await;
}

/// Runs one handler until its lease is lost, and tells how long after that the slot was free.
async fn after_a_loss<Fut>(
    worker: impl FnOnce(Worker<u32>) -> Worker<u32>,
    handler: impl Fn(Delivery<u32>) -> Fut + Send + Sync + 'static,
) -> Duration
where
    Fut: Future<Output = ()> + Send + 'static,
{
    let watched = Watched::new();
    let queue = watched.queue(1).await;
    let id = queue.enqueue(1).await.unwrap().id();
    let stop = CancellationToken::new();
    let worker = worker(Worker::new(queue.clone()).concurrency(1).stop_on(stop.clone()));
    let (begun, ended) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (told, next) = (Arc::clone(&begun), Arc::clone(&ended));
    let handler = Arc::new(handler);
    let run = tokio::spawn(worker.run(move |delivery| {
        let (told, next, handler) = (Arc::clone(&told), Arc::clone(&next), Arc::clone(&handler));
        async move {
            if *delivery.payload() == 2 {
                next.notify_one();
                return;
            }
            told.notify_one();
            handler(delivery).await;
        }
    }));
    begun.notified().await;
    queue.enqueue(2).await.unwrap();
    queue.cancel(&[id]).await.unwrap();
    let lost = Instant::now();
    ended.notified().await;
    let freed = lost.elapsed();
    stop.cancel();
    let summary = run.await.unwrap().unwrap();
    assert_eq!((summary.done, summary.cancelled), (1, 1));
    freed
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_watches_its_lease_may_clean_up() {
    let clean = Arc::new(AtomicBool::new(false));
    let cleaned = Arc::clone(&clean);
    let freed = after_a_loss(
        |worker| worker,
        move |delivery| {
            let clean = Arc::clone(&clean);
            async move {
                delivery.cancelled().await;
                sleep(SECOND * 2).await;
                clean.store(delivery.is_cancelled(), SeqCst);
            }
        },
    );
    let freed = freed.await;
    assert!(cleaned.load(SeqCst), "it was given its time");
    assert!((SECOND * 2..SECOND * 3).contains(&freed), "{freed:?}");
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_cleans_up_for_too_long_is_dropped() {
    let limited = |worker: Worker<u32>| worker.cleanup_within(SECOND);
    let freed = after_a_loss(limited, |delivery| async move {
        delivery.cancelled().await;
        sleep(LEASE * 100).await;
    });
    let freed = freed.await;
    assert!((SECOND..SECOND * 2).contains(&freed), "{freed:?}");
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_does_not_watch_its_lease_is_dropped_at_once() {
    let freed = after_a_loss(|worker| worker, |_| std::future::pending());
    let freed = freed.await;
    assert!(freed < SECOND / 10, "{freed:?}");
}
