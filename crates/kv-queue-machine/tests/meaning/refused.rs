use kv_core::queue::{
    Claim, Control, Exchange, Inspect, JobKey, MAX_STAMP, Maintain, NewJob, Operation, Session,
    Submit, UniqueScope, Verdict,
};
use kv_core::{Bytes, ErrorKind};
use kv_queue_machine::testing::Dump;
use kv_queue_machine::{Counter, Map, MemTables, Tables};

use crate::bench::{Bench, claim, exchange, job, unique};

#[test]
fn a_submit_beyond_a_limit_adds_nothing() {
    let mut bench = Bench::new();
    let session = |name: &str, request| Some(Session { name: name.into(), request });
    for (session, last) in [
        (None, NewJob { priority: 16, ..job("x") }),
        (None, unique(&"u".repeat(1_025), UniqueScope::Live)),
        (session(&"l".repeat(65), 1), job("x")),
        (session("l", 1 << 53), job("x")),
    ] {
        let request = Submit { session, jobs: vec![job("first"), last] };
        let error = bench.machine().submit(&request).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge);
    }
    let request = Submit { session: None, jobs: vec![job("x"); 1_001] };
    assert_eq!(bench.machine().submit(&request).unwrap_err().kind(), ErrorKind::TooLarge);
    assert!(!bench.tables.is_changed());
}

#[test]
fn an_exchange_beyond_a_limit_does_nothing() {
    let mut bench = Bench::with(&["a"]);
    let handle = bench.take().handle;
    let extend = (handle, Operation::Extend { lease: std::time::Duration::ZERO });
    let lease = std::time::Duration::ZERO;
    for request in [
        Exchange { acks: vec![handle; 1_001], ..exchange() },
        Exchange { acks: vec![handle], operations: vec![extend; 1_001], ..exchange() },
        Exchange {
            claim: Some(Claim { limit: 1_001, bytes: 1, lease }),
            acks: vec![handle],
            ..exchange()
        },
    ] {
        let session = Session { name: "other".into(), request: 1 };
        let error = bench.machine().exchange(&Exchange { session, ..request }).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge);
    }
    assert_eq!(bench.ack(handle), Verdict::Applied);
}

#[test]
fn other_requests_beyond_a_limit_are_refused() {
    let mut bench = Bench::with(&["a"]);
    let keys = || vec![JobKey::new(8, 1); 1_001];
    for control in [
        Control::Cancel { keys: keys() },
        Control::Discard { keys: keys() },
        Control::Redrive { keys: keys(), limit: 1 },
        Control::Redrive { keys: vec![], limit: 1_001 },
    ] {
        let error = bench.machine().control(&control).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge);
    }
    let maintain = Maintain { limit: 1_001, policy: bench.policy };
    assert_eq!(bench.machine().maintain(&maintain).unwrap_err().kind(), ErrorKind::TooLarge);
    let (after, limit, bytes) = (None, 1_001, 1);
    for look in [Inspect::Peek { after, limit, bytes }, Inspect::Dead { after, limit, bytes }] {
        let error = bench.machine().inspect(&look).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge);
    }
    assert_eq!(bench.counts().outstanding(), 1);
}

#[test]
fn values_at_the_edge_of_an_exchange_are_clamped_not_refused() {
    let mut bench = Bench::with(&["a"]);
    let handle = bench.take().handle;
    assert_eq!(bench.checkpoint(handle, "x", u64::MAX), Verdict::Applied);
    let extend = Operation::Extend { lease: std::time::Duration::MAX };
    assert_eq!(bench.operate(handle, extend), Verdict::Applied);
    let retry = Operation::Retry { after: std::time::Duration::MAX, reason: "r".repeat(9_999) };
    assert_eq!(bench.operate(handle, retry), Verdict::Applied);
    assert_eq!(bench.counts().timed, 1);
}

#[test]
fn a_session_that_cannot_be_read_is_an_error_before_anything_is_done() {
    let mut bench = Bench::with(&["a"]);
    let handle = bench.take().handle;
    bench.tables.put(Map::Session, "bench", Bytes::from_static(&[0xc1, 0xff])).unwrap();
    let ack = Exchange { acks: vec![handle], ..exchange() };
    let exchanged = bench.machine().exchange(&ack).map(drop);
    let session = Some(Session { name: "bench".into(), request: 9 });
    let submitted = bench.machine().submit(&Submit { session, jobs: vec![job("b")] }).map(drop);
    for refused in [exchanged, submitted] {
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Backend);
    }
    assert_eq!((bench.counts().leased, bench.counts().entered), (1, 1));
}

#[test]
fn tokens_and_sequence_numbers_that_are_used_up_refuse_before_anything_is_done() {
    let mut bench = Bench::with(&["a", "b"]);
    let handle = bench.take().handle;
    bench.tables.set_counter(Counter::Token, MAX_STAMP).unwrap();
    let session = Session { name: "other".into(), request: 1 };
    let request = Exchange { session, acks: vec![handle], ..claim(1) };
    assert_eq!(bench.machine().exchange(&request).unwrap_err().kind(), ErrorKind::Backend);
    assert_eq!((bench.counts().leased, bench.counts().done), (1, 0));
    bench.tables.set_counter(Counter::Sequence, JobKey::MAX_SEQUENCE - 1).unwrap();
    let submit = Submit { session: None, jobs: vec![job("x"); 2] };
    assert_eq!(bench.machine().submit(&submit).unwrap_err().kind(), ErrorKind::Backend);
    assert_eq!(bench.counts().ready, 1);
}

#[test]
fn an_index_of_random_bytes_is_an_error_and_never_a_panic() {
    let mut bench = Bench::with(&["a", "b"]);
    bench.take();
    let good = bench.tables.encode().unwrap();
    assert_eq!(Dump::from(&MemTables::decode(&good).unwrap()), Dump::from(&bench.tables));
    let mut rng = fastrand::Rng::with_seed(11);
    for _ in 0..5_000 {
        let mut bytes = good.to_vec();
        let at = rng.usize(1..bytes.len());
        bytes[at] = rng.u8(..);
        bytes.truncate(rng.usize(1..=bytes.len()));
        let Ok(tables) = MemTables::decode(&bytes) else { continue };
        let mut bench = Bench { tables, ..Bench::new() };
        let _ = bench.machine().maintain(&Maintain { limit: 10, policy: Default::default() });
        let _ = bench.machine().control(&Control::Purge);
    }
    assert_eq!(MemTables::decode(&[4, 0]).unwrap_err().kind(), ErrorKind::Config);
    assert_eq!(MemTables::decode(&[]).unwrap_err().kind(), ErrorKind::Backend);
}
