//! Replies that are lost, and a server that is full.

use std::time::Duration;

use kv_core::queue::{
    Claim, Control, Exchange, Inspect, Inspected, JobKey, Operation, QueueEngine, Submit,
    Submitted, Verdict,
};
use kv_core::{Effect, Error, ErrorKind, Result};
use kv_testbed::{Cut, Proxy, RedisServer};
use tokio::time::timeout;

use crate::stored;
use crate::support::{
    PATIENCE, QUEUE, acks, claim, claimed, contents, counts, every_verb, exchange, jobs, maintain,
    opened, operations, partition, session,
};

/// A queue behind a proxy, on a server that knows all scripts.
async fn proxied() -> (RedisServer, Proxy, std::sync::Arc<dyn QueueEngine>) {
    let server = RedisServer::start().unwrap();
    let proxy = Proxy::start(("127.0.0.1", server.port())).await.unwrap();
    let engine = opened(&proxy.url()).await;
    every_verb(&*engine).await;
    server.cli(&["FLUSHALL"]).unwrap();
    engine.open(QUEUE, 1).await.unwrap();
    (server, proxy, engine)
}

/// A command to the queue is lost on its way, or its reply is: whole, in part, or not at all.
fn cuts() -> [Cut; 4] {
    let needle = "{!kv:queue:fetch:0}:control";
    [
        Cut::before_request(needle),
        Cut::in_reply(needle, 0),
        Cut::in_reply(needle, 2),
        Cut::after_reply(needle),
    ]
}

/// Repeats a request, as it is, until it is answered.
async fn insist<T>(proxy: &Proxy, cut: Cut, request: impl AsyncFn() -> Result<T>) -> T {
    proxy.cut(cut);
    let before = proxy.traffic().cuts;
    let repeat = async {
        loop {
            match request().await {
                Ok(answer) => return answer,
                Err(error) => assert_eq!(error.kind(), ErrorKind::Connection, "{error:?}"),
            }
            tokio::task::yield_now().await;
        }
    };
    let answer = timeout(PATIENCE, repeat).await.expect("the connection comes back");
    assert_eq!(proxy.traffic().cuts, before + 1, "nothing was cut");
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn a_submit_that_is_repeated_after_a_cut_adds_its_jobs_once() {
    let (server, proxy, engine) = proxied().await;
    for (request, cut) in (1..).zip(cuts()) {
        let submit = || Submit { session: Some(session(request)), ..jobs(3) };
        let added = insist(&proxy, cut, async || engine.submit(&partition(), submit()).await).await;
        let key = |at| Submitted::Added(JobKey::new(8, 3 * (request - 1) + at));
        assert_eq!(added, [key(1), key(2), key(3)]);
        assert_eq!(counts(&*engine).await.entered, 3 * request);
    }
    stored::check(&mut server.connection().unwrap(), &partition()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exchange_that_is_repeated_after_a_cut_settles_and_claims_once() {
    let (server, proxy, engine) = proxied().await;
    engine.submit(&partition(), jobs(20)).await.unwrap();
    let mut held = Vec::new();
    for (request, cut) in (1..).zip(cuts()) {
        let exchange = || Exchange { acks: held.clone(), ..claim(request, 3) };
        let answer =
            insist(&proxy, cut, async || engine.exchange(&partition(), exchange()).await).await;
        assert_eq!(answer.acks, vec![Verdict::Applied; held.len()]);
        held = answer.claimed.iter().map(|claimed| claimed.handle).collect();
        let counts = counts(&*engine).await;
        assert_eq!((counts.leased, counts.done), (3, 3 * (request - 1)));
    }
    stored::check(&mut server.connection().unwrap(), &partition()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_maintenance_or_a_control_that_is_repeated_after_a_cut_does_nothing_twice() {
    let (server, proxy, engine) = proxied().await;
    let at = partition();
    for (round, cut) in (1..).zip(cuts()) {
        let mut delayed = jobs(3);
        delayed.jobs.iter_mut().for_each(|job| job.delay = Duration::from_micros(1));
        engine.submit(&at, delayed).await.unwrap();
        insist(&proxy, cut.clone(), async || engine.maintain(&at, maintain(10)).await).await;
        let now = counts(&*engine).await;
        assert_eq!((now.ready, now.timed), (2 * round + 1, 0));
        let keys = vec![JobKey::new(8, 3 * round)];
        let cancel = || Control::Cancel { keys: keys.clone() };
        insist(&proxy, cut, async || engine.control(&at, cancel()).await).await;
        let now = counts(&*engine).await;
        assert_eq!((now.ready, now.cancelled), (2 * round, round));
    }
    stored::check(&mut server.connection().unwrap(), &at).unwrap();
}

fn is_full(error: &Error) -> bool {
    error.kind() == ErrorKind::OutOfMemory && error.effect() == Effect::NotApplied
}

#[tokio::test]
async fn a_full_server_takes_no_job_and_adds_nothing() {
    let server = RedisServer::start().unwrap();
    let engine = opened(&server.url()).await;
    let on_session = |request| Submit { session: Some(session(request)), ..jobs(2) };
    engine.submit(&partition(), on_session(1)).await.unwrap();
    server.cli(&["CONFIG", "SET", "maxmemory", "1"]).unwrap();
    let before = contents(&server);
    for submit in [jobs(2), on_session(2)] {
        let error = engine.submit(&partition(), submit).await.unwrap_err();
        assert!(is_full(&error) && error.is_retryable(), "{error:?}");
    }
    assert_eq!(contents(&server), before);
    server.cli(&["CONFIG", "SET", "maxmemory", "0"]).unwrap();
    engine.submit(&partition(), on_session(2)).await.unwrap();
    assert_eq!(counts(&*engine).await.entered, 4);
}

#[tokio::test]
async fn a_full_server_can_be_worked_empty_also_by_a_process_that_comes_new() {
    let server = RedisServer::start().unwrap();
    let before = opened(&server.url()).await;
    let at = partition();
    before.submit(&at, jobs(4)).await.unwrap();
    let held = claimed(&*before, 1, 2).await;
    server.cli(&["CONFIG", "SET", "maxmemory", "1"]).unwrap();
    let engine = opened(&server.url()).await;
    let retry = Operation::Retry { after: Duration::from_micros(1), reason: "again".into() };
    let request = Exchange { acks: vec![held[0]], ..operations(2, &held[1..], &retry) };
    let answer = engine.exchange(&at, request).await.unwrap();
    assert_eq!((answer.acks, answer.operations), (vec![Verdict::Applied], vec![Verdict::Applied]));
    assert_eq!(engine.maintain(&at, maintain(10)).await.unwrap().promoted, 1);
    let past = Exchange {
        claim: Some(Claim { limit: 1, bytes: 1, lease: Duration::ZERO }),
        ..exchange(3)
    };
    engine.exchange(&at, past).await.unwrap();
    assert_eq!(engine.maintain(&at, maintain(10)).await.unwrap().recovered, 1);
    for control in [Control::Pause, Control::Resume] {
        assert_eq!(engine.control(&at, control).await.unwrap().affected, 1);
    }
    let held = claimed(&*engine, 4, 10).await;
    assert_eq!(held.len(), 3);
    let fail = Operation::Fail { reason: "it is broken".into() };
    let request = Exchange { acks: held[1..].to_vec(), ..operations(5, &held[..1], &fail) };
    engine.exchange(&at, request).await.unwrap();
    let redrive = Control::Redrive { keys: Vec::new(), limit: 1 };
    assert_eq!(engine.control(&at, redrive).await.unwrap().affected, 1);
    let peeked =
        engine.inspect(&at, Inspect::Peek { after: None, limit: 10, bytes: 100 }).await.unwrap();
    assert!(matches!(peeked, Inspected::Jobs(jobs) if jobs.len() == 1));
    let held = claimed(&*engine, 6, 1).await;
    engine.exchange(&at, acks(7, held)).await.unwrap();
    assert_eq!(counts(&*engine).await.outstanding(), 0);
    stored::check(&mut server.connection().unwrap(), &at).unwrap();
}
