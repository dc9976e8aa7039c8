//! What a worker promises.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use kv_queue::{CancellationToken, Delivery, Queue, RetryPolicy, Worker};
use tokio::sync::{Notify, Semaphore};

use crate::bench::Bench;

type Done = Result<(), String>;

const AT_ONCE: Duration = Duration::ZERO;

async fn queue(bench: &Bench, max_failures: u32) -> Queue<u32> {
    let builder = bench.builder().partitions(2).max_failures(max_failures);
    builder.retry(RetryPolicy::fixed(AT_ONCE)).open(&bench.store).await.unwrap()
}

/// A number that tasks count up together.
fn counter() -> (Arc<AtomicUsize>, Arc<AtomicUsize>) {
    let counter = Arc::new(AtomicUsize::new(0));
    (Arc::clone(&counter), counter)
}

pub(crate) async fn every_job_is_done_once_and_the_end_is_seen(bench: &Bench) {
    let queue = queue(bench, 5).await;
    queue.enqueue_many(1..=100_u32).await.unwrap();
    let (sum, add) = counter();
    let worker = Worker::new(queue.clone()).concurrency(8).until_drained();
    let run = worker.run(move |delivery: Delivery<u32>| {
        add.fetch_add(*delivery.payload() as usize, SeqCst);
        async { Done::Ok(()) }
    });
    let summary = run.await.unwrap();
    assert_eq!((summary.done, summary.retried, sum.load(SeqCst)), (100, 0, 5_050));
    assert!(queue.drained().await.unwrap());
}

pub(crate) async fn a_handler_that_fails_is_tried_again_and_then_buried(bench: &Bench) {
    let queue = queue(bench, 3).await;
    queue.enqueue(7).await.unwrap();
    let run = Worker::new(queue.clone())
        .until_drained()
        .run(|delivery| async move { Done::Err(format!("attempt {}", delivery.attempt())) });
    let summary = run.await.unwrap();
    assert_eq!((summary.done, summary.retried, summary.buried), (0, 2, 1));
    let letters = queue.dead_letters(9).await.unwrap();
    assert_eq!((letters.len(), &*letters[0].reason), (1, "attempt 3"));
}

pub(crate) async fn a_panic_and_a_timeout_are_failures_and_free_the_slot(bench: &Bench) {
    let queue = queue(bench, 1).await;
    queue.enqueue_many([0, 1, 2, 3]).await.unwrap();
    let worker = Worker::new(queue.clone()).concurrency(1).until_drained();
    let run = worker.job_timeout(Duration::from_millis(20)).run(|delivery| {
        assert_ne!(*delivery.payload(), 3, "as a test of panics asks for");
        async move {
            match delivery.payload() {
                0 => panic!("as a test of panics asks for"),
                1 => std::future::pending().await,
                _ => Done::Ok(()),
            }
        }
    });
    let summary = run.await.unwrap();
    assert_eq!((summary.done, summary.buried), (1, 3));
    let mut reasons: Vec<_> =
        queue.dead_letters(9).await.unwrap().into_iter().map(|letter| letter.reason).collect();
    reasons.sort_unstable();
    let [one, other, timeout] = &reasons[..] else { panic!("{reasons:?}") };
    for panicked in [one, other] {
        assert!(panicked.starts_with("the handler panicked: "), "{panicked}");
        assert!(panicked.contains("as a test of panics asks for"), "{panicked}");
    }
    assert_eq!(timeout, "took longer than 20ms");
}

pub(crate) async fn jobs_that_submit_others_are_waited_for(bench: &Bench) {
    let queue = queue(bench, 5).await;
    queue.enqueue(6).await.unwrap();
    let submit = queue.clone();
    let run = Worker::new(queue.clone()).until_drained().run(move |delivery| {
        let submit = submit.clone();
        async move {
            let depth = *delivery.payload();
            let children = (0..2).filter(|_| depth > 0).map(|_| depth - 1);
            submit.enqueue_many(children).await.map(drop)
        }
    });
    assert_eq!(run.await.unwrap().done, 127);
}

pub(crate) async fn a_stop_ends_what_runs_and_claims_no_more(bench: &Bench) {
    let queue = queue(bench, 5).await;
    queue.enqueue_many([1, 2, 3]).await.unwrap();
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    let worker = Worker::new(queue.clone()).concurrency(1).stop_on(stop);
    let worker = worker.stop_within(Duration::MAX);
    let run = worker.run(move |_| {
        stopped.cancel();
        async {
            tokio::task::yield_now().await;
            Done::Ok(())
        }
    });
    let summary = run.await.unwrap();
    assert_eq!((summary.done, summary.handed_back), (1, 0));
    let stats = queue.stats().await.unwrap();
    assert_eq!((stats.ready, stats.leased, stats.done), (2, 0, 1));
}

pub(crate) async fn what_does_not_end_in_time_is_handed_back_at_once(bench: &Bench) {
    let queue = queue(bench, 1).await;
    queue.enqueue(7).await.unwrap();
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    let worker = Worker::new(queue.clone()).stop_on(stop).stop_within(Duration::from_millis(5));
    let run = worker.run(move |_| {
        stopped.cancel();
        std::future::pending::<Done>()
    });
    assert_eq!(run.await.unwrap().handed_back, 1);
    let again = queue.dequeue(1).await.unwrap().pop().unwrap();
    assert_eq!(again.attempt(), 1, "no attempt is charged");
}

pub(crate) async fn more_jobs_than_one_request_takes_are_handed_back(bench: &Bench) {
    let queue = queue(bench, 1).await;
    queue.enqueue_many(0..2_500_u32).await.unwrap();
    let stop = CancellationToken::new();
    let (stopped, (started, count)) = (stop.clone(), counter());
    let worker = Worker::new(queue.clone()).concurrency(2_500).stop_on(stop).stop_within(AT_ONCE);
    let run = worker.run(move |_| {
        if count.fetch_add(1, SeqCst) == 2_499 {
            stopped.cancel();
        }
        std::future::pending::<Done>()
    });
    assert_eq!(run.await.unwrap().handed_back, 2_500);
    assert_eq!((started.load(SeqCst), queue.stats().await.unwrap().ready), (2_500, 2_500));
}

pub(crate) async fn no_more_jobs_run_at_a_time_than_allowed(bench: &Bench) {
    let queue = queue(bench, 5).await;
    queue.enqueue_many(0..60_u32).await.unwrap();
    let slots = Arc::new(Semaphore::new(4));
    let run = Worker::new(queue.clone()).concurrency(4).until_drained().run(move |_| {
        let slots = Arc::clone(&slots);
        async move {
            let slot = slots.try_acquire().map_err(|_| "a fifth job runs".to_owned())?;
            tokio::task::yield_now().await;
            drop(slot);
            Done::Ok(())
        }
    });
    let summary = run.await.unwrap();
    assert_eq!((summary.done, summary.retried), (60, 0));
}

pub(crate) async fn a_worker_that_waits_is_woken_by_a_job(bench: &Bench) {
    let queue = queue(bench, 5).await;
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    let worker = Worker::new(queue.clone()).stop_on(stop);
    let running = tokio::spawn(worker.run(move |_| {
        stopped.cancel();
        async { Done::Ok(()) }
    }));
    tokio::task::yield_now().await;
    queue.enqueue(7).await.unwrap();
    assert_eq!(running.await.unwrap().unwrap().done, 1);
}

pub(crate) async fn a_handler_that_settles_itself_is_not_settled_again(bench: &Bench) {
    let queue = queue(bench, 5).await;
    queue.enqueue(7).await.unwrap();
    let run = Worker::new(queue.clone()).until_drained().run(|delivery| async move {
        delivery.fail("by itself").await.map_err(|error| error.to_string())
    });
    assert_eq!(run.await.unwrap().lost, 0);
    let stats = queue.stats().await.unwrap();
    assert_eq!((stats.dead, stats.done), (1, 0));
}

pub(crate) async fn what_was_claimed_ahead_is_handed_back_before_running_jobs_end(bench: &Bench) {
    let queue = queue(bench, 5).await;
    queue.enqueue_many(0..10_u32).await.unwrap();
    let stop = CancellationToken::new();
    let (gate, running) = (Arc::new(Semaphore::new(0)), queue.clone());
    let worker = Worker::new(queue.clone()).concurrency(1).prefetch(9).stop_on(stop.clone());
    let (pass, begun) = (Arc::clone(&gate), Arc::new(Notify::new()));
    let begins = Arc::clone(&begun);
    let run = tokio::spawn(worker.run(move |_| {
        let gate = Arc::clone(&pass);
        begins.notify_one();
        async move { gate.acquire().await.map(drop) }
    }));
    // A job that is claimed and has not begun would be handed back as well.
    begun.notified().await;
    leased(&running, 10).await;
    stop.cancel();
    leased(&running, 1).await;
    gate.close();
    let summary = run.await.unwrap().unwrap();
    assert_eq!((summary.handed_back, summary.retried), (9, 1));
}

/// Waits until so many jobs are leased.
async fn leased(queue: &Queue<u32>, jobs: u64) {
    while queue.stats().await.unwrap().leased != jobs {
        tokio::task::yield_now().await;
    }
}

pub(crate) async fn a_delayed_job_is_run_when_it_is_due_and_not_before(bench: &Bench) {
    let queue = queue(bench, 5).await;
    let delay = Duration::from_secs(3_600);
    queue.enqueue(kv_queue::Job::new(7).delay(delay)).await.unwrap();
    let (ran, run) = counter();
    let worker = Worker::new(queue.clone()).until_drained();
    let running = tokio::spawn(worker.run(move |_| {
        run.fetch_add(1, SeqCst);
        async { Done::Ok(()) }
    }));
    queue.enqueue(8).await.unwrap();
    while queue.stats().await.unwrap().done != 1 {
        tokio::task::yield_now().await;
    }
    bench.advance(delay);
    // What comes next is told that time has passed.
    queue.enqueue(kv_queue::Job::new(9).delay(Duration::from_millis(1))).await.unwrap();
    bench.advance(Duration::from_millis(1));
    assert_eq!(running.await.unwrap().unwrap().done, 3);
    assert_eq!(ran.load(SeqCst), 3);
}

pub(crate) async fn workers_on_one_queue_share_its_jobs(bench: &Bench) {
    let queue = queue(bench, 5).await;
    queue.enqueue_many(0..500_u32).await.unwrap();
    let run = |prefetch| {
        let worker = Worker::new(queue.clone()).prefetch(prefetch).until_drained();
        tokio::spawn(worker.run(|_| async { Done::Ok(()) }))
    };
    let (one, other) = (run(0), run(20));
    let done = one.await.unwrap().unwrap().done + other.await.unwrap().unwrap().done;
    assert_eq!((done, queue.stats().await.unwrap().done), (500, 500));
}
