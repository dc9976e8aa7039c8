//! What is left of a queue that was purged, or removed.

use std::time::Duration;

use kv_core::ErrorKind;
use kv_core::queue::{
    Control, Counts, Exchange, JobKey, NewJob, Operation, Partition, QueueEngine, Submit,
    Submitted, Verdict,
};
use kv_testbed::RedisServer;

use crate::stored;
use crate::support::{
    QUEUE, acks, claim, claimed, contents, counts, engine, every_verb, exchange, job, jobs, opened,
    operations, partition, tend, unique,
};

/// Leaves jobs in every state, a checkpoint and a unique key; some handle.
async fn fill(engine: &dyn QueueEngine, at: &Partition) -> kv_core::queue::Handle {
    let later = NewJob { delay: Duration::from_secs(9), ..job("later") };
    let all = vec![unique("u"), job("a"), job("b"), job("c"), later];
    engine.submit(at, Submit { lane: None, jobs: all }).await.unwrap();
    let answer = engine.exchange(at, claim(1, 3)).await.unwrap();
    let [one, two, three] = &answer.claimed[..] else { panic!("{answer:?}") };
    let fail = Operation::Fail { reason: "broken".into() };
    let state = Operation::Checkpoint { state: "state".into(), progress: 1 };
    engine.exchange(at, operations(2, &[one.handle], &fail)).await.unwrap();
    engine.exchange(at, operations(3, &[two.handle], &state)).await.unwrap();
    three.handle
}

async fn purge(engine: &dyn QueueEngine) {
    let purged = engine.control(&partition(), Control::Purge).await.unwrap();
    assert!(!purged.more);
}

fn sound(server: &RedisServer) {
    stored::check(&mut server.connection().unwrap(), &partition()).unwrap();
}

#[tokio::test]
async fn a_purge_leaves_counters_for_a_week_and_idle_workers_change_nothing() {
    let server = RedisServer::start().unwrap();
    let engine = opened(&server.url()).await;
    let handle = fill(&*engine, &partition()).await;
    purge(&*engine).await;
    sound(&server);
    let control = stored::key(&partition(), "control");
    let lifetime = server.cli(&["PTTL", &control]).unwrap().integer().unwrap();
    assert!((604_700_000..=604_800_000).contains(&lifetime), "{lifetime}");
    let before = contents(&server);
    let request = Exchange { acks: vec![handle], ..claim(9, 5) };
    let idle = engine.exchange(&partition(), request).await.unwrap();
    assert_eq!((&idle.acks[..], idle.next_due), (&[Verdict::Stale][..], None));
    assert_eq!(engine.tend(&partition(), tend(10)).await.unwrap().next_due, None);
    purge(&*engine).await;
    let counts = counts(&*engine).await;
    assert_eq!(counts, Counts { entered: 5, ..Counts::default() });
    assert_eq!(contents(&server), before);
}

#[tokio::test]
async fn a_partition_that_was_purged_goes_on_with_its_counters_when_something_comes() {
    let server = RedisServer::start().unwrap();
    let engine = opened(&server.url()).await;
    let handle = fill(&*engine, &partition()).await;
    purge(&*engine).await;
    let added = engine.submit(&partition(), jobs(1)).await.unwrap();
    assert_eq!(added, [Submitted::Added(JobKey::new(8, 6))]);
    sound(&server);
    for part in ["control", "wake"] {
        let key = stored::key(&partition(), part);
        assert_eq!(server.cli(&["PTTL", &key]).unwrap().integer(), Some(-1), "{part}");
    }
    let again = claimed(&*engine, 1, 1).await;
    assert!(again[0].token > handle.token);
    engine.exchange(&partition(), acks(2, again)).await.unwrap();
    assert_eq!(counts(&*engine).await.done, 1);
    sound(&server);
}

#[tokio::test]
async fn a_partition_that_is_paused_stays_paused_over_a_purge() {
    let server = RedisServer::start().unwrap();
    let engine = opened(&server.url()).await;
    fill(&*engine, &partition()).await;
    engine.control(&partition(), Control::Pause).await.unwrap();
    purge(&*engine).await;
    sound(&server);
    let control = stored::key(&partition(), "control");
    assert_eq!(server.cli(&["PTTL", &control]).unwrap().integer(), Some(-1));
    engine.submit(&partition(), jobs(1)).await.unwrap();
    assert!(claimed(&*engine, 1, 1).await.is_empty());
    assert!(counts(&*engine).await.paused);
}

#[tokio::test]
async fn a_purged_partition_can_be_paused() {
    let server = RedisServer::start().unwrap();
    let engine = opened(&server.url()).await;
    fill(&*engine, &partition()).await;
    purge(&*engine).await;
    assert_eq!(engine.control(&partition(), Control::Pause).await.unwrap().affected, 1);
    sound(&server);
    engine.submit(&partition(), jobs(1)).await.unwrap();
    let answer = engine.exchange(&partition(), exchange(1)).await.unwrap();
    assert!(answer.claimed.is_empty() && claimed(&*engine, 2, 1).await.is_empty());
}

#[tokio::test]
async fn a_queue_that_is_removed_leaves_nothing_and_others_are_unharmed() {
    let server = RedisServer::start().unwrap();
    let other = Partition { queue: format!("{QUEUE}2").into(), number: 0 };
    let engine = engine(&server.url()).await;
    engine.open(&other.queue, 1).await.unwrap();
    fill(&*engine, &other).await;
    let before = contents(&server);
    engine.open(QUEUE, 70).await.unwrap();
    for number in [0, 1, 69] {
        fill(&*engine, &Partition { number, ..partition() }).await;
    }
    for _ in 0..2 {
        engine.remove(QUEUE, 70).await.unwrap();
    }
    assert_eq!(contents(&server), before);
    for (verb, result) in every_verb(&*engine).await {
        assert_eq!(result.expect_err(verb).kind(), ErrorKind::Config, "{verb}");
    }
    engine.open(QUEUE, 2).await.unwrap();
    assert_eq!(counts(&*engine).await, Counts::default());
}

#[tokio::test]
async fn a_queue_is_removed_by_an_engine_that_did_not_open_it() {
    let server = RedisServer::start().unwrap();
    fill(&*opened(&server.url()).await, &partition()).await;
    let engine = engine(&server.url()).await;
    assert_eq!(engine.remove(QUEUE, 0).await.unwrap_err().kind(), ErrorKind::Config);
    engine.remove(QUEUE, 1).await.unwrap();
    assert!(contents(&server).is_empty());
}
