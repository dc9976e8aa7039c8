//! What is broken harms its own job only.

use kv_core::queue::{
    DeadLetter, Exchange, Handle, Inspect, Inspected, JobKey, NewJob, Operation, QueueEngine,
    Submit, Verdict,
};
use kv_queue_machine::reason;
use kv_testbed::RedisServer;
use std::time::Duration;

use crate::stored;
use crate::support::{
    acks, claim, claimed, counts, exchange, job, maintain, opened, operations, partition, session,
};

const NOW: Duration = Duration::ZERO;

fn key(sequence: u64) -> JobKey {
    JobKey::new(8, sequence)
}

/// Runs a command on a key of the partition.
fn plant(server: &RedisServer, command: &str, part: &str, rest: &[&str]) {
    let part = stored::key(&partition(), part);
    server.cli(&[&[command, part.as_str()], rest].concat()).unwrap();
}

fn garble(server: &RedisServer, key: JobKey) {
    plant(server, "HSET", "records", &[&key.to_string(), "no record"]);
}

async fn submit(engine: &dyn QueueEngine, bodies: &[&str]) {
    let jobs = bodies.iter().map(|body| job(body.to_string())).collect();
    engine.submit(&partition(), Submit { session: None, jobs }).await.unwrap();
}

async fn letters(engine: &dyn QueueEngine) -> Vec<DeadLetter> {
    let look = Inspect::Dead { after: None, limit: 100, bytes: 1 << 20 };
    match engine.inspect(&partition(), look).await.unwrap() {
        Inspected::Dead(letters) => letters,
        other => panic!("{other:?}"),
    }
}

async fn reasons(engine: &dyn QueueEngine) -> Vec<String> {
    letters(engine).await.into_iter().map(|letter| letter.reason).collect()
}

#[tokio::test]
async fn a_claim_sets_aside_what_is_broken_and_goes_on_and_the_acks_stand() {
    let server = RedisServer::start().unwrap();
    let engine = opened(&server.url()).await;
    submit(&*engine, &["held", "a", "b", "c", "d"]).await;
    let held = claimed(&*engine, 1, 1).await;
    let checkpointed = claimed(&*engine, 2, 1).await;
    let state = Operation::Checkpoint { state: "state".into(), progress: 1 };
    for (request, operation) in [(3, state), (4, Operation::Snooze { after: NOW })] {
        engine
            .exchange(&partition(), operations(request, &checkpointed, &operation))
            .await
            .unwrap();
    }
    plant(&server, "HDEL", "records", &[&format!("{}c", key(2))]);
    garble(&server, key(3));
    plant(&server, "HDEL", "jobs", &[&key(4).to_string()]);
    let request = Exchange { acks: held, ..claim(5, 3) };
    let answer = engine.exchange(&partition(), request).await.unwrap();
    assert_eq!(answer.acks, [Verdict::Applied]);
    let bodies: Vec<_> = answer.claimed.iter().map(|it| it.body.clone()).collect();
    assert_eq!(bodies, ["d"]);
    assert!(!answer.more);
    let mut letters = letters(&*engine).await;
    letters.sort_by_key(|letter| letter.key);
    let kept: Vec<_> = letters.iter().map(|it| (&it.body[..], &*it.reason)).collect();
    let expected = [(&b"a"[..], reason::CHECKPOINT), (b"b", reason::RECORD), (b"", reason::BODY)];
    assert_eq!(kept, expected);
}

/// What becomes of an operation on a job whose record cannot be read.
async fn handed_back(
    server: &RedisServer,
    operation: Operation,
) -> (Verdict, Handle, std::sync::Arc<dyn QueueEngine>) {
    server.cli(&["FLUSHALL"]).unwrap();
    let engine = opened(&server.url()).await;
    submit(&*engine, &["a"]).await;
    let handles = claimed(&*engine, 1, 1).await;
    garble(server, handles[0].key);
    let answer = engine.exchange(&partition(), operations(2, &handles, &operation)).await.unwrap();
    (answer.operations[0], handles[0], engine)
}

#[tokio::test]
async fn a_job_with_an_unreadable_record_is_buried_where_it_would_be_handed_back() {
    let server = RedisServer::start().unwrap();
    let why = || "why".to_owned();
    for (operation, last) in [
        (Operation::Retry { after: NOW, reason: why() }, "; last failure: why"),
        (Operation::Fail { reason: why() }, "; last failure: why"),
        (Operation::Snooze { after: NOW }, ""),
        (Operation::Release, ""),
    ] {
        let (verdict, _, engine) = handed_back(&server, operation).await;
        assert_eq!(verdict, Verdict::Buried);
        assert_eq!(reasons(&*engine).await, [format!("{}{last}", reason::RECORD)]);
        assert_eq!(letters(&*engine).await[0].body, "a");
    }
}

#[tokio::test]
async fn a_job_with_an_unreadable_record_can_be_acked_extended_and_checkpointed() {
    let server = RedisServer::start().unwrap();
    let extend = Operation::Extend { lease: Duration::from_secs(9) };
    let (verdict, handle, engine) = handed_back(&server, extend).await;
    let acked = engine.exchange(&partition(), acks(3, vec![handle])).await.unwrap();
    assert_eq!((verdict, &acked.acks[..]), (Verdict::Applied, &[Verdict::Applied][..]));
    let checkpoint = Operation::Checkpoint { state: "half".into(), progress: 3 };
    let (verdict, handle, engine) = handed_back(&server, checkpoint).await;
    assert_eq!(verdict, Verdict::Applied);
    let snooze = operations(3, &[handle], &Operation::Snooze { after: NOW });
    engine.exchange(&partition(), snooze).await.unwrap();
    let again = engine.exchange(&partition(), claim(4, 1)).await.unwrap();
    assert_eq!(again.claimed[0].checkpoint.as_ref().unwrap().progress, 3);
}

#[tokio::test]
async fn a_maintenance_buries_jobs_with_unreadable_records_and_goes_on() {
    let server = RedisServer::start().unwrap();
    let engine = opened(&server.url()).await;
    let delayed = |body: &str| NewJob { delay: Duration::from_micros(1), ..job(body.to_owned()) };
    let jobs = vec![job("a"), delayed("b"), delayed("c")];
    engine.submit(&partition(), Submit { session: None, jobs }).await.unwrap();
    let past = Exchange {
        claim: claim(1, 1).claim.map(|claim| kv_core::queue::Claim { lease: NOW, ..claim }),
        ..exchange(1)
    };
    engine.exchange(&partition(), past).await.unwrap();
    garble(&server, key(1));
    garble(&server, key(2));
    let maintained = engine.maintain(&partition(), maintain(10)).await.unwrap();
    assert_eq!((maintained.promoted, maintained.recovered, maintained.buried), (1, 1, 2));
    assert_eq!(reasons(&*engine).await, [reason::RECORD; 2]);
    assert_eq!(counts(&*engine).await.ready, 1);
}

#[tokio::test]
async fn a_repeat_buries_what_broke_meanwhile_and_brings_the_rest() {
    let server = RedisServer::start().unwrap();
    let engine = opened(&server.url()).await;
    submit(&*engine, &["a", "b", "c"]).await;
    let first = engine.exchange(&partition(), claim(1, 3)).await.unwrap();
    garble(&server, key(1));
    plant(&server, "HDEL", "jobs", &[&key(2).to_string()]);
    let repeat = engine.exchange(&partition(), claim(1, 3)).await.unwrap();
    assert_eq!(repeat.claimed, first.claimed[2..]);
    assert_eq!(reasons(&*engine).await, [reason::RECORD, reason::BODY]);
}

#[tokio::test]
async fn a_session_that_cannot_be_read_is_an_error_before_anything_is_done() {
    let server = RedisServer::start().unwrap();
    let engine = opened(&server.url()).await;
    submit(&*engine, &["a", "b"]).await;
    let held = claimed(&*engine, 1, 1).await;
    plant(&server, "HSET", "control", &[&format!("lane:{}", session(1).name), "no session"]);
    let before = crate::support::contents(&server);
    let request = Exchange { acks: held, ..claim(2, 1) };
    engine.exchange(&partition(), request).await.unwrap_err();
    assert_eq!(crate::support::contents(&server), before);
}
