//! What a producer sees: an answer for each job, and nothing added where something is wrong.

use std::time::Duration;

use kv_core::{Effect, ErrorKind};
use kv_queue::{Enqueue, Job};
use tokio::time::Instant;

use crate::bench::Bench;
use crate::watched::Watched;

pub(crate) async fn each_of_many_jobs_gets_its_own_answer_in_order(bench: &Bench) {
    let queue = bench.builder::<u32>().partitions(4).open(&bench.store).await.unwrap();
    let jobs = (0..2_500_u32).map(|n| Job::new(n).unique((n % 2_000).to_string()));
    let enqueued = queue.enqueue_many(jobs).await.unwrap();
    assert_eq!((enqueued.added, enqueued.duplicates, enqueued.jobs.len()), (2_000, 500, 2_500));
    for (at, answer) in enqueued.jobs.iter().enumerate() {
        let holder = enqueued.jobs[at % 2_000].id();
        let right = if at < 2_000 { Enqueue::Added(holder) } else { Enqueue::Duplicate(holder) };
        assert_eq!(*answer, right, "job {at}");
    }
}

pub(crate) async fn jobs_of_a_partition_keep_their_order_over_many_requests(bench: &Bench) {
    let queue = bench.queue::<u32>().await;
    queue.enqueue_many(0..2_500_u32).await.unwrap();
    let taken = queue.dequeue(2_500).await.unwrap();
    assert!(taken.iter().map(|one| *one.payload()).eq(0..2_500));
}

pub(crate) async fn a_bad_job_among_many_keeps_all_of_them_out(bench: &Bench) {
    let queue = bench.builder::<u32>().partitions(4).open(&bench.store).await.unwrap();
    let second = Duration::from_secs(1);
    for (bad, kind) in [
        (Job::new(0).priority(16), ErrorKind::TooLarge),
        (Job::new(0).unique(""), ErrorKind::InvalidKey),
        (Job::new(0).unique_for("", second), ErrorKind::InvalidKey),
        (Job::new(0).unique_for("page", Duration::ZERO), ErrorKind::InvalidTtl),
        (Job::new(0).time_to_live(Duration::ZERO), ErrorKind::InvalidTtl),
    ] {
        let mut jobs: Vec<_> = (0..20_u32).map(Job::new).collect();
        jobs.insert(17, bad);
        let error = queue.enqueue_many(jobs).await.unwrap_err();
        assert_eq!((error.kind(), error.effect()), (kind, Effect::NotApplied), "{error}");
        assert!(error.to_string().contains("job 17"), "{error}");
    }
    assert_eq!(queue.stats().await.unwrap().entered, 0);
}

pub(crate) async fn a_unique_key_of_any_length_admits_one_job(bench: &Bench) {
    let queue = bench.builder::<u32>().partitions(4).open(&bench.store).await.unwrap();
    for length in [1_024, 1_025, 100_000] {
        let key = "u".repeat(length);
        let first = queue.enqueue(Job::new(1).unique(key.clone())).await.unwrap();
        let other = queue.enqueue(Job::new(2).unique(format!("{key}x"))).await.unwrap();
        assert!(!first.is_duplicate() && !other.is_duplicate(), "{length} bytes");
        let again = queue.enqueue(Job::new(3).unique(key)).await.unwrap();
        assert_eq!(again, Enqueue::Duplicate(first.id()), "{length} bytes");
    }
}

#[tokio::test(start_paused = true)]
async fn partitions_are_handed_their_jobs_side_by_side() {
    let watched = Watched::new();
    let queue = watched.queue(8).await;
    watched.take_time(Duration::from_secs(1));
    let begin = Instant::now();
    queue.enqueue_many(0..800_u32).await.unwrap();
    assert_eq!(begin.elapsed().as_secs(), 1, "eight requests, each of a second");
}

#[tokio::test(start_paused = true)]
async fn a_producer_chooses_to_wait_for_a_store_that_is_away_or_to_fail_at_once() {
    let watched = Watched::new();
    let queue = watched.queue(1).await;
    watched.refuse_submits(Some(ErrorKind::Connection));
    let begin = Instant::now();
    let error = queue.fail_fast().enqueue(1).await.unwrap_err();
    assert_eq!((error.kind(), begin.elapsed()), (ErrorKind::Connection, Duration::ZERO));
    let (waited, ()) = tokio::join!(queue.enqueue(2), async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        watched.refuse_submits(None);
    });
    assert!(waited.is_ok(), "{waited:?}");
}

#[tokio::test]
async fn alternating_between_handing_in_and_taking_uses_all_partitions() {
    let watched = Watched::new();
    let queue = watched.queue(2).await;
    let mut used = [0; 2];
    for n in 0..300 {
        let id = queue.enqueue(n).await.unwrap().id().to_string();
        used[usize::from(id.starts_with("1-"))] += 1;
        queue.dequeue(1).await.unwrap();
    }
    assert_eq!(used, [150, 150]);
}
