//! Numbers at their ends.

use std::time::Duration;

use kv_core::queue::{
    Claim, Exchange, Handle, JobKey, MAX_STAMP, NewJob, Operation, Submit, Submitted, Unique,
    UniqueScope, Verdict,
};
use kv_core::{Effect, ErrorKind};
use kv_queue_machine::testing::START;
use kv_testbed::RedisServer;

use crate::stored;
use crate::subject::frozen;
use crate::support::{
    acks, claim, claimed, contents, counts, exchange, job, jobs, maintain, opened, operations,
    partition, session,
};

fn set_control(server: &RedisServer, field: &str, value: u64) {
    let control = stored::key(&partition(), "control");
    server.cli(&["HSET", &control, field, &value.to_string()]).unwrap();
}

fn sound(server: &RedisServer) {
    stored::check(&mut server.connection().unwrap(), &partition()).unwrap();
}

#[tokio::test]
async fn sequences_are_used_up_to_the_last_one_and_then_refused() {
    let server = RedisServer::start().unwrap();
    let engine = opened(&server.url()).await;
    engine.submit(&partition(), jobs(1)).await.unwrap();
    set_control(&server, "sequence", JobKey::MAX_SEQUENCE - 3);
    let before = contents(&server);
    let error = engine.submit(&partition(), jobs(4)).await.unwrap_err();
    assert_eq!((error.kind(), error.effect()), (ErrorKind::Backend, Effect::NotApplied));
    assert_eq!(contents(&server), before);
    // A session that is known takes another way through the script.
    for request in 1..=3 {
        let submit = Submit { session: Some(session(request)), ..jobs(1) };
        let added = engine.submit(&partition(), submit).await.unwrap();
        let sequence = JobKey::MAX_SEQUENCE - 3 + request;
        assert_eq!(added, [Submitted::Added(JobKey::new(8, sequence))]);
    }
    let submit = Submit { session: Some(session(4)), ..jobs(1) };
    assert_eq!(engine.submit(&partition(), submit).await.unwrap_err().kind(), ErrorKind::Backend);
    let handles = claimed(&*engine, 5, 10).await;
    assert_eq!(handles.last().unwrap().key.sequence(), JobKey::MAX_SEQUENCE);
    assert_eq!(counts(&*engine).await.entered, JobKey::MAX_SEQUENCE);
    sound(&server);
}

#[tokio::test]
async fn tokens_are_used_up_to_the_last_one_and_then_refused_before_anything_is_settled() {
    let server = RedisServer::start().unwrap();
    let engine = opened(&server.url()).await;
    engine.submit(&partition(), jobs(4)).await.unwrap();
    set_control(&server, "token", MAX_STAMP - 3);
    let mut last = Vec::new();
    for request in 1..=3 {
        last = claimed(&*engine, request, 1).await;
        assert_eq!(last[0].token, MAX_STAMP - 3 + request);
    }
    let before = contents(&server);
    let request = Exchange { acks: last.clone(), ..claim(4, 1) };
    let error = engine.exchange(&partition(), request).await.unwrap_err();
    assert_eq!((error.kind(), error.effect()), (ErrorKind::Backend, Effect::NotApplied));
    assert_eq!(contents(&server), before);
    let settled = engine.exchange(&partition(), acks(4, last)).await.unwrap();
    assert_eq!(settled.acks, [Verdict::Applied]);
    sound(&server);
}

#[tokio::test]
async fn tokens_rise_also_when_the_clock_goes_back() {
    let server = frozen();
    let engine = opened(&server.url()).await;
    engine.submit(&partition(), jobs(3)).await.unwrap();
    let first = claimed(&*engine, 1, 1).await[0].token;
    assert_eq!(u128::from(first), START.as_micros());
    server.clock().unwrap().set_back(Duration::from_secs(3_600)).unwrap();
    assert_eq!(claimed(&*engine, 2, 1).await[0].token, first + 1);
    server.clock().unwrap().advance(Duration::from_secs(7_200)).unwrap();
    assert!(claimed(&*engine, 3, 1).await[0].token > first + 3_000_000_000);
}

#[tokio::test]
async fn the_longest_durations_end_at_the_last_time_there_is() {
    let server = frozen();
    let engine = opened(&server.url()).await;
    let unique = Unique { key: "u".into(), scope: UniqueScope::Window(Duration::MAX) };
    let never = NewJob {
        delay: Duration::MAX,
        time_to_live: Some(Duration::MAX),
        unique: Some(unique),
        ..job("never")
    };
    let submit = Submit { session: None, jobs: vec![never, job("now"), job("then")] };
    engine.submit(&partition(), submit.clone()).await.unwrap();
    let again = engine.submit(&partition(), submit).await.unwrap();
    assert!(matches!(again[0], Submitted::Duplicate(_)), "{again:?}");
    // The first claim of a session and a later one take different ways through the script.
    for request in 1..=2 {
        let forever = Some(Claim { limit: 1, bytes: 1, lease: Duration::MAX });
        let request = Exchange { claim: forever, ..exchange(request) };
        assert_eq!(engine.exchange(&partition(), request).await.unwrap().claimed.len(), 1);
    }
    let maintained = engine.maintain(&partition(), maintain(10)).await.unwrap();
    let rest = Duration::from_micros(MAX_STAMP) - START;
    assert_eq!(
        (maintained.promoted, maintained.recovered, maintained.next_due),
        (0, 0, Some(rest))
    );
    for part in ["timed", "leases", "windows"] {
        let key = stored::key(&partition(), part);
        let ends = server.cli(&["ZCOUNT", &key, &MAX_STAMP.to_string(), &MAX_STAMP.to_string()]);
        assert!(ends.unwrap().integer().unwrap() > 0, "{part}");
    }
    sound(&server);
}

#[tokio::test]
async fn the_highest_progress_and_request_number_are_kept_to_the_digit() {
    let server = RedisServer::start().unwrap();
    let engine = opened(&server.url()).await;
    engine.submit(&partition(), jobs(1)).await.unwrap();
    let mut handles: Vec<Handle> = claimed(&*engine, MAX_STAMP - 9, 1).await;
    for (request, given, kept) in [
        (MAX_STAMP - 8, MAX_STAMP - 1, MAX_STAMP - 1),
        (MAX_STAMP - 5, MAX_STAMP, MAX_STAMP),
        (MAX_STAMP - 2, u64::MAX, MAX_STAMP),
    ] {
        let checkpoint = Operation::Checkpoint { state: "state".into(), progress: given };
        let snooze = Operation::Snooze { after: Duration::ZERO };
        for (request, operation) in [(request, checkpoint), (request + 1, snooze)] {
            let request = operations(request, &handles, &operation);
            let answer = engine.exchange(&partition(), request).await.unwrap();
            assert_eq!(answer.operations, [Verdict::Applied]);
        }
        let answer = engine.exchange(&partition(), claim(request + 2, 1)).await.unwrap();
        assert_eq!(answer.claimed[0].checkpoint.as_ref().unwrap().progress, kept);
        handles = vec![answer.claimed[0].handle];
    }
    let older = engine.exchange(&partition(), claim(MAX_STAMP - 1, 1)).await.unwrap_err();
    assert_eq!(older.kind(), ErrorKind::Conflict);
    let beyond = engine.exchange(&partition(), claim(MAX_STAMP + 1, 1)).await.unwrap_err();
    assert_eq!(beyond.kind(), ErrorKind::TooLarge);
    sound(&server);
}
