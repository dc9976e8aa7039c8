//! A backlog that is far larger than any request: every call stays as small as it is asked to be.

use std::time::Duration;

use kv_core::queue::{
    Control, Exchange, Inspect, Inspected, JobKey, MAX_BATCH, NewJob, QueueEngine, Submit,
};
use kv_testbed::RedisServer;

use crate::support::{acks, claim, claimed, counts, job, opened, partition, tend};

/// Adds so many jobs, a thousand at a time.
async fn fill(engine: &dyn QueueEngine, jobs: u64, one: NewJob) {
    for _ in 0..jobs / 1_000 {
        let submit = Submit { lane: None, jobs: vec![one.clone(); MAX_BATCH] };
        engine.submit(&partition(), submit).await.unwrap();
    }
}

/// Works on it in calls of every kind, none of which touches more than a thousand jobs.
async fn works(jobs: u64) {
    let server = RedisServer::start().unwrap();
    let engine = opened(&server.url()).await;
    let at = partition();
    let half = jobs / 2;
    fill(&*engine, half, job("ready")).await;
    fill(&*engine, half, NewJob { delay: Duration::from_micros(1), ..job("due") }).await;
    let before = counts(&*engine).await;
    assert_eq!((before.ready, before.timed, before.entered), (half, half, jobs));

    let first = claimed(&*engine, 1, MAX_BATCH).await;
    assert_eq!((first[0].key, first.len()), (JobKey::new(8, 1), MAX_BATCH));
    let next = Exchange { claim: claim(2, MAX_BATCH).claim, ..acks(2, first) };
    let next = engine.exchange(&at, next).await.unwrap();
    assert_eq!(next.claimed[0].handle.key, JobKey::new(8, 1_001));
    let tended = engine.tend(&at, tend(MAX_BATCH)).await.unwrap();
    assert_eq!((tended.promoted, tended.more), (MAX_BATCH, true));
    let peeked = engine
        .inspect(&at, Inspect::Peek { after: None, limit: MAX_BATCH, bytes: usize::MAX })
        .await
        .unwrap();
    let Inspected::Jobs(peeked) = peeked else { panic!("{peeked:?}") };
    assert_eq!((peeked[0].key, peeked.len()), (JobKey::new(8, 2_001), MAX_BATCH));

    let before = counts(&*engine).await;
    assert_eq!((before.ready, before.timed), (half - 1_000, half - 1_000));
    assert_eq!((before.leased, before.done, before.entered), (1_000, 1_000, jobs));
    let purged = engine.control(&at, Control::Purge).await.unwrap();
    assert_eq!((purged.affected as u64, purged.more), (before.outstanding(), false));
    assert_eq!(counts(&*engine).await.outstanding(), 0);
}

#[tokio::test]
async fn a_hundred_thousand_jobs_are_worked_on_in_small_calls() {
    works(100_000).await;
}

#[tokio::test]
#[ignore = "takes half a minute: `cargo nextest run -p kv-redis --run-ignored only` runs it"]
async fn a_million_jobs_are_worked_on_in_small_calls() {
    works(1_000_000).await;
}
