//! What a worker does beside running handlers: it renews, goes on past what hangs, and stops.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use kv_core::ErrorKind;
use kv_core::queue::Operation;
use kv_queue::{CancellationToken, Queue, Worker, WorkerSummary};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use crate::watched::{Call, LEASE, Watched};

const SECOND: Duration = Duration::from_secs(1);

type Run = JoinHandle<kv_core::Result<WorkerSummary>>;

/// Starts a worker whose handlers end when the gate is closed.
fn start(worker: Worker<u32>, gate: &Arc<Semaphore>) -> Run {
    let gate = Arc::clone(gate);
    tokio::spawn(worker.run(move |_| {
        let gate = Arc::clone(&gate);
        async move {
            let _ = gate.acquire().await;
            Ok::<(), String>(())
        }
    }))
}

/// How many leases each exchange extended, by partition.
fn renewed(calls: &[Call]) -> Vec<(u32, usize)> {
    let renewed = calls.iter().filter_map(|call| match call {
        Call::Exchange { partition, operations, .. } => {
            let extends = operations.iter().filter(|it| matches!(it, Operation::Extend { .. }));
            Some((*partition, extends.count())).filter(|(_, extends)| *extends > 0)
        }
        _ => None,
    });
    renewed.collect()
}

/// A queue of two partitions with so many jobs in each.
async fn two_partitions(watched: &Watched, jobs: u32) -> Queue<u32> {
    let queue = watched.queue(2).await;
    queue.enqueue_many(0..jobs * 2).await.unwrap();
    queue
}

#[tokio::test(start_paused = true)]
async fn claims_ride_with_settles() {
    let watched = Watched::new();
    let queue = watched.queue(1).await;
    queue.enqueue_many(0..1_000_u32).await.unwrap();
    watched.take_calls();
    let worker = Worker::new(queue).concurrency(20).until_drained();
    assert_eq!(worker.run(|_| async { Ok::<(), String>(()) }).await.unwrap().done, 1_000);
    let calls = watched.take_calls();
    let both = |call: &&Call| matches!(call, Call::Exchange { acks: 1.., claim: Some(_), .. });
    let (both, exchanges) = (calls.iter().filter(both).count(), calls.len());
    assert!(both >= 40 && exchanges <= 120, "{both} of {exchanges}");
}

#[tokio::test(start_paused = true)]
async fn what_is_held_is_renewed_in_one_exchange_a_partition() {
    let watched = Watched::new();
    let queue = two_partitions(&watched, 5).await;
    let (gate, stop) = (Arc::new(Semaphore::new(0)), CancellationToken::new());
    let worker = Worker::new(queue.clone()).concurrency(2).prefetch(8).stop_on(stop.clone());
    let run = start(worker, &gate);
    sleep(LEASE * 20).await;
    let mut renewed = renewed(&watched.take_calls());
    assert!(renewed.len() >= 100, "three times a lease in each partition: {renewed:?}");
    renewed.retain(|(_, leases)| *leases != 5);
    assert_eq!(renewed, [], "all five of a partition each time");
    let stats = queue.stats().await.unwrap();
    assert_eq!((stats.leased, stats.ready, stats.dead), (10, 0, 0));
    stop.cancel();
    gate.close();
    let summary = run.await.unwrap().unwrap();
    assert_eq!((summary.done, summary.handed_back, summary.lost), (2, 8, 0));
}

#[tokio::test(start_paused = true)]
async fn a_partition_that_hangs_delays_neither_the_others_nor_the_stop() {
    let watched = Watched::new();
    let queue = two_partitions(&watched, 2).await;
    let (gate, stop) = (Arc::new(Semaphore::new(0)), CancellationToken::new());
    let worker = Worker::new(queue.clone()).concurrency(8).stop_on(stop.clone());
    let run = start(worker.stop_within(SECOND), &gate);
    sleep(SECOND).await;
    watched.hold(0);
    watched.take_calls();
    sleep(LEASE * 4).await;
    let others = renewed(&watched.take_calls()).into_iter().filter(|(number, _)| *number == 1);
    assert!(others.count() >= 11, "the others' leases are renewed");
    queue.enqueue_many(0..2).await.unwrap();
    sleep(SECOND * 2).await;
    let claimed = renewed(&watched.take_calls());
    assert!(claimed.contains(&(1, 3)), "the others' jobs are claimed: {claimed:?}");
    let before = Instant::now();
    stop.cancel();
    let summary = run.await.unwrap().unwrap();
    assert!(before.elapsed() <= SECOND * 3, "stopped after {:?}", before.elapsed());
    assert_eq!(summary.handed_back, 3, "those of the partition that answers");
}

#[tokio::test(start_paused = true)]
async fn a_worker_without_a_free_slot_leaves_wake_ups_to_others() {
    let watched = Watched::new();
    let queue = watched.queue(1).await;
    let (gate, stop) = (Arc::new(Semaphore::new(0)), CancellationToken::new());
    let run = start(Worker::new(queue.clone()).concurrency(2).stop_on(stop.clone()), &gate);
    queue.enqueue(1).await.unwrap();
    sleep(SECOND).await;
    assert_eq!(watched.waiting(), 1, "one slot is free");
    queue.enqueue(2).await.unwrap();
    sleep(SECOND).await;
    assert_eq!(watched.waiting(), 0, "none is");
    gate.close();
    sleep(SECOND).await;
    assert_eq!(watched.waiting(), 1);
    stop.cancel();
    assert_eq!(run.await.unwrap().unwrap().done, 2);
    assert_eq!(watched.waiting(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_handler_whose_job_was_cancelled_is_dropped() {
    let watched = Watched::new();
    let queue = watched.queue(1).await;
    let id = queue.enqueue(7).await.unwrap().id();
    let gate = Arc::new(Semaphore::new(0));
    let run = start(Worker::new(queue.clone()).until_drained(), &gate);
    sleep(SECOND).await;
    assert_eq!(queue.cancel(&[id]).await.unwrap(), 1);
    let summary = run.await.unwrap().unwrap();
    assert_eq!((summary.cancelled, summary.done), (1, 0));
    assert_eq!(Arc::strong_count(&gate), 1, "the handlers are gone");
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_is_dropped_leaves_its_jobs_no_longer_than_a_lease() {
    let watched = Watched::new();
    let queue = two_partitions(&watched, 2).await;
    let gate = Arc::new(Semaphore::new(0));
    let run = start(Worker::new(queue.clone()).prefetch(4).concurrency(1), &gate);
    sleep(SECOND).await;
    run.abort();
    assert!(run.await.is_err());
    assert_eq!(queue.stats().await.unwrap().leased, 4);
    sleep(LEASE).await;
    assert_eq!(Arc::strong_count(&gate), 1, "the handlers are gone");
    assert_eq!(queue.dequeue(9).await.unwrap().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn the_partitions_take_turns() {
    let watched = Watched::new();
    let queue = two_partitions(&watched, 50).await;
    watched.hold(0);
    let ran = Arc::new(Semaphore::new(0));
    let (count, stop) = (Arc::clone(&ran), CancellationToken::new());
    let worker = Worker::new(queue.clone()).concurrency(1).stop_on(stop.clone());
    let run = tokio::spawn(worker.run(move |_| {
        count.add_permits(1);
        async { Ok::<(), String>(()) }
    }));
    sleep(SECOND * 5).await;
    assert_eq!(ran.available_permits(), 50, "all of the partition that answers");
    watched.release();
    sleep(SECOND * 5).await;
    assert_eq!(ran.available_permits(), 100);
    stop.cancel();
    run.await.unwrap().unwrap();
}

/// A program's types that panic where one might not look for it.
mod panicking {
    use std::fmt;

    #[derive(Debug)]
    pub(super) struct Payload(pub(super) u32);

    impl serde::Serialize for Payload {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_u32(self.0)
        }
    }

    impl<'de> serde::Deserialize<'de> for Payload {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let number = u32::deserialize(deserializer)?;
            assert!(number != 1, "a payload that panics");
            Ok(Self(number))
        }
    }

    #[derive(Debug)]
    pub(super) struct Error;

    impl std::error::Error for Error {}

    impl fmt::Display for Error {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            panic!("an error that panics")
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_anywhere_in_the_programs_code_is_a_failure_and_frees_the_slot() {
    let watched = Watched::new();
    let builder = Queue::<panicking::Payload>::builder("panicking");
    let store = kv_core::Store::new(watched.clone());
    let retry = kv_queue::RetryPolicy::custom(|_| panic!("a policy that panics"));
    let queue = builder.max_failures(1).retry(retry).open(&store).await.unwrap();
    queue.enqueue_many((0..4).map(panicking::Payload)).await.unwrap();
    let run =
        Worker::new(queue.clone()).concurrency(1).until_drained().run(|delivery| async move {
            match delivery.payload().0 {
                2 => Err(panicking::Error),
                _ => Ok(()),
            }
        });
    let summary = run.await.unwrap();
    assert_eq!((summary.done, summary.buried), (2, 2));
    assert_eq!(queue.dead_letters(10).await.unwrap().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_worker_goes_on_after_an_error_that_passes_whatever_it_may_have_done() {
    for kind in [ErrorKind::Backpressure, ErrorKind::ReadOnly, ErrorKind::Conflict] {
        let watched = Watched::new();
        let queue = watched.queue(1).await;
        watched.fail_unsure(kind);
        let stop = CancellationToken::new();
        let worker = Worker::new(queue.clone()).stop_on(stop.clone());
        let running = tokio::spawn(worker.run(|_| async { Ok::<(), String>(()) }));
        sleep(SECOND * 20).await;
        watched.fail(None);
        queue.enqueue(1).await.unwrap();
        sleep(SECOND * 5).await;
        stop.cancel();
        assert_eq!(running.await.unwrap().unwrap().done, 1, "{kind:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_partition_that_hangs_with_settles_and_a_claim_leaves_slots_to_the_others() {
    let watched = Watched::new();
    let queue = two_partitions(&watched, 50).await;
    watched.hold(0);
    let (stop, done) = (CancellationToken::new(), Arc::new(AtomicU64::new(0)));
    let (worker, counted) = (Worker::new(queue).concurrency(1), Arc::clone(&done));
    let run = tokio::spawn(worker.stop_on(stop.clone()).run(move |_| {
        let counted = Arc::clone(&counted);
        async move {
            counted.fetch_add(1, SeqCst);
            Ok::<(), String>(())
        }
    }));
    sleep(SECOND * 10).await;
    assert_eq!(done.load(SeqCst), 50, "those of the partition that answers");
    stop.cancel();
    run.await.unwrap().unwrap();
}
