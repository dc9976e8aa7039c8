//! What a worker with nothing to do asks of the store, and what makes it look.

use std::time::Duration;

use kv_core::ErrorKind;
use kv_queue::{CancellationToken, Job, Queue, Worker, WorkerSummary};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use crate::watched::{Call, LEASE, Watched};

const SECOND: Duration = Duration::from_secs(1);

/// A worker that tells which jobs it runs.
pub(crate) struct Idle {
    stop: CancellationToken,
    ran: UnboundedReceiver<(u32, Instant)>,
    run: JoinHandle<kv_core::Result<WorkerSummary>>,
}

impl Idle {
    pub(crate) fn start(queue: &Queue<u32>) -> Self {
        let (stop, (tell, ran)) = (CancellationToken::new(), unbounded_channel());
        let worker = Worker::new(queue.clone()).stop_on(stop.clone());
        let run = tokio::spawn(worker.run(move |delivery| {
            let told = tell.send((*delivery.payload(), Instant::now()));
            async move { told }
        }));
        Self { stop, ran, run }
    }

    pub(crate) async fn next(&mut self) -> (u32, Instant) {
        self.ran.recv().await.unwrap()
    }

    pub(crate) async fn stop(self) -> WorkerSummary {
        self.stop.cancel();
        self.run.await.unwrap().unwrap()
    }
}

fn claims(calls: &[Call]) -> Vec<u32> {
    let claims = calls.iter().filter_map(|call| match call {
        Call::Exchange { partition, claim: Some(_), .. } => Some(*partition),
        _ => None,
    });
    claims.collect()
}

#[tokio::test(start_paused = true)]
async fn an_idle_worker_asks_less_than_once_a_second_whatever_the_number_of_partitions() {
    for partitions in [1, 16, 1_024] {
        let watched = Watched::new();
        let idle = Idle::start(&watched.queue(partitions).await);
        sleep(SECOND).await;
        let begun = watched.take_calls();
        assert_eq!(claims(&begun).len(), partitions as usize, "each is looked at once");
        sleep(SECOND * 600).await;
        let calls = watched.take_calls();
        assert!((300..600).contains(&calls.len()), "{} calls in 600 s", calls.len());
        assert_eq!(idle.stop().await.done, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_is_woken_looks_only_where_it_was_told_to() {
    let watched = Watched::new();
    let queue = watched.queue(64).await;
    let mut idle = Idle::start(&queue);
    sleep(SECOND).await;
    watched.take_calls();
    let before = Instant::now();
    let id = queue.enqueue(7).await.unwrap().id();
    let (job, at) = idle.next().await;
    let claims = claims(&watched.take_calls());
    assert_eq!((job, at), (7, before), "at once");
    assert!(claims.iter().all(|one| id.to_string().starts_with(&format!("{one}-"))), "{claims:?}");
    idle.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_worker_sleeps_until_exactly_the_next_job_is_due() {
    let watched = Watched::new();
    let queue = watched.queue(8).await;
    let (before, hour) = (Instant::now(), SECOND * 3_600);
    queue.enqueue(Job::new(1).delay(hour)).await.unwrap();
    let mut idle = Idle::start(&queue);
    sleep(SECOND).await;
    queue.enqueue(Job::new(2).delay(SECOND * 60)).await.unwrap();
    for (job, due) in [(2, SECOND * 61), (1, hour)] {
        let (ran, at) = idle.next().await;
        let late = at.duration_since(before).checked_sub(due);
        assert!(ran == job && late.is_some_and(|late| late < SECOND / 50), "{ran}: {late:?}");
    }
    idle.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_retry_is_run_when_it_is_due() {
    let watched = Watched::new();
    let (builder, store) = watched.builder();
    let retry = kv_queue::RetryPolicy::fixed(SECOND * 10);
    let queue = builder.partitions(8).retry(retry).open(&store).await.unwrap();
    queue.enqueue(1).await.unwrap();
    let before = Instant::now();
    let run = Worker::new(queue).until_drained().run(|delivery| async move {
        if delivery.attempt() == 3 { Ok(()) } else { Err("not yet") }
    });
    assert_eq!(run.await.unwrap().retried, 2);
    // The end is asked for once a second.
    assert!((SECOND * 20..SECOND * 22).contains(&before.elapsed()), "{:?}", before.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_job_whose_process_died_is_found_although_nobody_tells() {
    let watched = Watched::new();
    let queue = watched.queue(1).await;
    let mut idle = Idle::start(&queue);
    sleep(SECOND).await;
    queue.pause().await.unwrap();
    queue.enqueue(7).await.unwrap();
    sleep(SECOND * 10).await;
    // Another process claims it and dies, unseen by the worker, which had nothing to look for.
    let other = watched.queue(1).await;
    other.resume().await.unwrap();
    let taken = other.dequeue(1).await.unwrap();
    let due = Instant::now() + LEASE;
    assert_eq!(taken.len(), 1);
    let (_, at) = idle.next().await;
    assert!(at >= due && at < due + SECOND * 3, "{:?} after its lease", at.duration_since(due));
    idle.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_end_is_asked_for_once_a_second_while_others_work_and_at_once_after_own_work() {
    let watched = Watched::new();
    let queue = watched.queue(4).await;
    queue.enqueue_many([1, 2, 3]).await.unwrap();
    let other = queue.dequeue(1).await.unwrap().remove(0);
    let (run, before) = (Worker::new(queue.clone()).until_drained(), Instant::now());
    let running = tokio::spawn(run.run(|_| async { Ok::<(), String>(()) }));
    for _ in 0..20 {
        other.extend(LEASE * 2).await.unwrap();
        sleep(SECOND).await;
    }
    let asked = watched.take_calls().iter().filter(|call| matches!(call, Call::Inspect)).count();
    assert!((76..=88).contains(&asked), "{asked} looks into 4 partitions in 20 s");
    other.ack().await.unwrap();
    assert_eq!(running.await.unwrap().unwrap().done, 2);
    assert!(before.elapsed() <= SECOND * 22);
    let alone = Worker::new(queue.clone()).until_drained();
    let before = Instant::now();
    queue.enqueue(4).await.unwrap();
    assert_eq!(alone.run(|_| async { Ok::<(), String>(()) }).await.unwrap().done, 1);
    assert!(before.elapsed() < SECOND / 10, "at once");
}

#[tokio::test(start_paused = true)]
async fn a_worker_resumes_by_itself_when_the_store_is_back() {
    let watched = Watched::new();
    let queue = watched.queue(16).await;
    let mut idle = Idle::start(&queue);
    sleep(SECOND).await;
    watched.fail(Some(ErrorKind::Connection));
    sleep(SECOND * 60).await;
    watched.take_calls();
    sleep(SECOND * 60).await;
    let calls = watched.take_calls().len();
    assert!(calls < 600, "{calls} calls in a minute while the store is away");
    queue.enqueue_many(0..16).await.unwrap();
    watched.fail(None);
    let back = Instant::now();
    for _ in 0..16 {
        let (_, at) = idle.next().await;
        assert!(at.duration_since(back) <= SECOND * 5, "{:?}", at.duration_since(back));
    }
    idle.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_worker_ends_when_its_queue_is_closed() {
    let watched = Watched::new();
    let queue = watched.queue(16).await;
    let idle = Idle::start(&queue);
    sleep(SECOND).await;
    let before = Instant::now();
    queue.close().await.unwrap();
    assert_eq!(idle.run.await.unwrap().unwrap_err().kind(), ErrorKind::Closed);
    assert!(before.elapsed().is_zero(), "at once");
}
