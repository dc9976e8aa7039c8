//! A thousand of everything fits into one request, and nothing more.

use std::time::Duration;

use kv_core::queue::{
    Claim, Control, Exchange, Handle, Inspect, Inspected, JobKey, MAX_BATCH, Operation,
    QueueEngine, Submit, Submitted, Verdict,
};
use kv_core::{Effect, Error, ErrorKind};
use kv_testbed::RedisServer;

use crate::support::{
    acks, claim, claimed, contents, counts, exchange, job, jobs, opened, operations, partition,
    tend, unique,
};

fn unique_jobs() -> Submit {
    Submit { lane: None, jobs: (0..MAX_BATCH).map(|at| unique(format!("u{at}"))).collect() }
}

fn keys(handles: &[Handle]) -> Vec<JobKey> {
    handles.iter().map(|handle| handle.key).collect()
}

async fn all(engine: &dyn QueueEngine, request: Exchange, verdict: Verdict) {
    let answer = engine.exchange(&partition(), request).await.unwrap();
    let verdicts = [answer.acks, answer.operations].concat();
    assert_eq!(verdicts, vec![verdict; verdicts.len()]);
    assert!(verdicts.len() >= MAX_BATCH, "{}", verdicts.len());
}

#[tokio::test]
async fn a_thousand_jobs_with_unique_keys_are_added_and_known_again() {
    let server = RedisServer::start().unwrap();
    let engine = opened(&server.url()).await;
    let added = engine.submit(&partition(), unique_jobs()).await.unwrap();
    assert!(added.iter().all(|one| matches!(one, Submitted::Added(_))));
    let again = engine.submit(&partition(), unique_jobs()).await.unwrap();
    for (one, other) in added.iter().zip(&again) {
        let Submitted::Added(key) = one else { panic!("{one:?}") };
        assert_eq!(*other, Submitted::Duplicate(*key));
    }
    assert_eq!(again.len(), MAX_BATCH);
}

#[tokio::test]
async fn a_thousand_jobs_are_claimed_checkpointed_retried_and_acked_at_once() {
    let server = RedisServer::start().unwrap();
    let engine = opened(&server.url()).await;
    engine.submit(&partition(), unique_jobs()).await.unwrap();
    let handles = claimed(&*engine, 1, MAX_BATCH).await;
    let checkpoint = Operation::Checkpoint { state: "state".into(), progress: 7 };
    all(&*engine, operations(2, &handles, &checkpoint), Verdict::Applied).await;
    let retry = Operation::Retry { after: Duration::ZERO, reason: "again".into() };
    all(&*engine, operations(3, &handles, &retry), Verdict::Applied).await;
    let answer = engine.exchange(&partition(), claim(4, MAX_BATCH)).await.unwrap();
    assert_eq!(answer.claimed.len(), MAX_BATCH);
    for claimed in &answer.claimed {
        let checkpoint = claimed.checkpoint.as_ref().unwrap();
        assert_eq!((&claimed.body[..], &checkpoint.state[..]), (&b"unique"[..], &b"state"[..]));
        assert_eq!((checkpoint.progress, claimed.attempt, claimed.delivery), (7, 2, 2));
    }
    let handles = answer.claimed.iter().map(|claimed| claimed.handle).collect();
    all(&*engine, acks(5, handles), Verdict::Applied).await;
    assert_eq!(counts(&*engine).await.done, 1_000);
}

#[tokio::test]
async fn a_thousand_acks_operations_and_claims_fit_into_one_request() {
    let server = RedisServer::start().unwrap();
    let engine = opened(&server.url()).await;
    for _ in 0..3 {
        engine.submit(&partition(), jobs(MAX_BATCH)).await.unwrap();
    }
    let (first, second) =
        (claimed(&*engine, 1, MAX_BATCH).await, claimed(&*engine, 2, MAX_BATCH).await);
    let fail = Operation::Fail { reason: "it is broken".into() };
    let request =
        Exchange { acks: first, claim: claim(3, MAX_BATCH).claim, ..operations(3, &second, &fail) };
    let answer = engine.exchange(&partition(), request).await.unwrap();
    assert_eq!(answer.acks, vec![Verdict::Applied; MAX_BATCH]);
    assert_eq!(answer.operations, vec![Verdict::Buried; MAX_BATCH]);
    assert_eq!(answer.claimed.len(), MAX_BATCH);
    let counts = counts(&*engine).await;
    assert_eq!((counts.done, counts.dead, counts.leased), (1_000, 1_000, 1_000));
}

#[tokio::test]
async fn a_thousand_jobs_are_promoted_recovered_redriven_cancelled_and_purged_at_once() {
    let server = RedisServer::start().unwrap();
    let engine = opened(&server.url()).await;
    let at = partition();
    let mut delayed = jobs(MAX_BATCH);
    delayed.jobs.iter_mut().for_each(|job| job.delay = Duration::from_micros(1));
    engine.submit(&at, delayed).await.unwrap();
    assert_eq!(engine.tend(&at, tend(MAX_BATCH)).await.unwrap().promoted, MAX_BATCH);
    let past = Some(Claim { limit: MAX_BATCH, bytes: usize::MAX, lease: Duration::ZERO });
    engine.exchange(&at, Exchange { claim: past, ..exchange(1) }).await.unwrap();
    assert_eq!(engine.tend(&at, tend(MAX_BATCH)).await.unwrap().recovered, MAX_BATCH);
    let handles = claimed(&*engine, 2, MAX_BATCH).await;
    let fail = Operation::Fail { reason: "it is broken".into() };
    all(&*engine, operations(3, &handles, &fail), Verdict::Buried).await;
    let dead = engine
        .inspect(&at, Inspect::Dead { after: None, limit: MAX_BATCH, bytes: usize::MAX })
        .await;
    let Ok(Inspected::Dead(dead)) = dead else { panic!("{dead:?}") };
    assert_eq!(dead.len(), MAX_BATCH);
    let redrive = Control::Redrive { keys: keys(&handles), limit: MAX_BATCH };
    assert_eq!(engine.control(&at, redrive).await.unwrap().affected, MAX_BATCH);
    let cancel = Control::Cancel { keys: keys(&handles) };
    assert_eq!(engine.control(&at, cancel).await.unwrap().affected, MAX_BATCH);
    engine.submit(&at, jobs(MAX_BATCH)).await.unwrap();
    let purged = engine.control(&at, Control::Purge).await.unwrap();
    assert_eq!((purged.affected, purged.more), (MAX_BATCH, false));
}

#[tokio::test]
async fn a_thousand_and_one_is_refused_and_changes_nothing() {
    const MORE: usize = MAX_BATCH + 1;
    let server = RedisServer::start().unwrap();
    let engine = opened(&server.url()).await;
    engine.submit(&partition(), jobs(2)).await.unwrap();
    let handle = claimed(&*engine, 1, 1).await[0];
    let before = contents(&server);
    let (at, key) = (partition(), handle.key);
    let snooze = Operation::Snooze { after: Duration::ZERO };
    let mut errors: Vec<Error> = vec![
        engine.submit(&at, jobs(MORE)).await.unwrap_err(),
        engine.tend(&at, tend(MORE)).await.unwrap_err(),
    ];
    for request in
        [acks(2, vec![handle; MORE]), operations(2, &[handle; MORE], &snooze), claim(2, MORE)]
    {
        errors.push(engine.exchange(&at, request).await.unwrap_err());
    }
    for request in [
        Control::Cancel { keys: vec![key; MORE] },
        Control::Redrive { keys: vec![key; MORE], limit: 1 },
        Control::Redrive { keys: Vec::new(), limit: MORE },
    ] {
        errors.push(engine.control(&at, request).await.unwrap_err());
    }
    let (after, limit, bytes) = (None, MORE, 1);
    for request in [Inspect::Peek { after, limit, bytes }, Inspect::Dead { after, limit, bytes }] {
        errors.push(engine.inspect(&at, request).await.unwrap_err());
    }
    for error in errors {
        assert_eq!((error.kind(), error.effect()), (ErrorKind::TooLarge, Effect::NotApplied));
    }
    assert_eq!(contents(&server), before);
}

#[tokio::test]
async fn large_bodies_and_bytes_of_every_kind_come_back_as_they_were() {
    let server = RedisServer::start().unwrap();
    let engine = opened(&server.url()).await;
    let all_bytes: Vec<u8> = (0..=255).collect();
    let bodies = [all_bytes, Vec::new(), vec![b'x'; 4 << 20], b"message".to_vec()];
    let jobs = bodies.iter().cloned().map(job).collect();
    engine.submit(&partition(), Submit { lane: None, jobs }).await.unwrap();
    let all = claim(1, 10).claim.map(|claim| Claim { bytes: usize::MAX, ..claim });
    let request = Exchange { claim: all, ..exchange(1) };
    let answer = engine.exchange(&partition(), request).await.unwrap();
    let claimed: Vec<_> = answer.claimed.iter().map(|claimed| claimed.body.to_vec()).collect();
    assert_eq!(claimed, bodies);
}

/// How many bytes come with each of the claims that it takes to get all jobs.
async fn claimed_in_parts(engine: &dyn QueueEngine, lanes: u64) -> Vec<usize> {
    let mut parts = Vec::new();
    for request in lanes.. {
        let answer = engine.exchange(&partition(), claim(request, MAX_BATCH)).await.unwrap();
        if answer.claimed.is_empty() {
            break;
        }
        let bytes: usize = answer.claimed.iter().map(|claimed| claimed.body.len()).sum();
        assert_eq!(answer.more, answer.next_due == Some(Duration::ZERO), "{answer:?}");
        parts.push(bytes);
    }
    parts
}

#[tokio::test]
async fn large_bodies_come_in_parts_whatever_the_limit_also_from_an_older_build() {
    let server = RedisServer::start().unwrap();
    let engine = opened(&server.url()).await;
    let control = crate::stored::key(&partition(), "control");
    for (round, is_old) in [false, true].into_iter().enumerate() {
        let jobs = (0..20).map(|_| job(vec![b'x'; 300 << 10])).collect();
        engine.submit(&partition(), Submit { lane: None, jobs }).await.unwrap();
        if is_old {
            server.cli(&["HDEL", &control, "largest"]).unwrap();
        }
        let parts = claimed_in_parts(&*engine, 1 + 100 * round as u64).await;
        assert_eq!(
            parts,
            vec![3 * (300 << 10); 6].into_iter().chain([2 * (300 << 10)]).collect::<Vec<_>>()
        );
    }
}
