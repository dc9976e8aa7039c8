use kv_core::queue::{
    BATCH_BYTES, Claim, Exchange, Exchanged, NewJob, Operation, Session, Verdict,
};
use kv_queue_machine::{Map, reason};

use crate::bench::{Bench, LEASE, SECOND, claim, job};

#[test]
fn a_released_job_is_ready_at_its_place_and_charged_for_nothing() {
    let mut bench = Bench::with(&["a", "b"]);
    bench.policy.max_deliveries = 1;
    for _ in 0..3 {
        let claimed = bench.take();
        assert_eq!((&claimed.body[..], claimed.attempt, claimed.delivery), (&b"a"[..], 1, 1));
        assert_eq!(bench.operate(claimed.handle, Operation::Release), Verdict::Applied);
        assert_eq!(bench.ack(claimed.handle), Verdict::Stale);
    }
    assert_eq!(bench.tables.map_len(Map::Job), 1, "marks; a fresh job has no record");
}

#[test]
fn a_released_job_that_had_come_back_keeps_the_place_of_its_return() {
    let mut bench = Bench::with(&["a"]);
    let handle = bench.take().handle;
    bench.snooze(handle);
    bench.add(job("b"));
    let again = bench.take().handle;
    assert_eq!(again.key, handle.key);
    bench.operate(again, Operation::Release);
    assert_eq!(bench.bodies(2), ["a", "b"]);
}

#[test]
fn a_release_gives_a_time_to_live_back_what_the_claim_took() {
    let mut bench = Bench::new();
    bench.add(NewJob { time_to_live: Some(2 * SECOND), ..job("a") });
    bench.now += SECOND;
    let handle = bench.take().handle;
    bench.now += 5 * SECOND;
    bench.operate(handle, Operation::Release);
    bench.now += SECOND - std::time::Duration::from_micros(1);
    let handle = bench.take().handle;
    bench.operate(handle, Operation::Release);
    bench.now += std::time::Duration::from_micros(1);
    assert!(bench.claim(1).is_empty());
    assert_eq!(bench.dead(None)[0].reason, reason::EXPIRED);
}

#[test]
fn a_release_of_a_cancelled_job_ends_it() {
    let mut bench = Bench::with(&["a"]);
    let handle = bench.take().handle;
    bench.cancel(handle.key);
    assert_eq!(bench.operate(handle, Operation::Release), Verdict::Cancelled);
    assert_eq!((bench.counts().cancelled, bench.counts().outstanding()), (1, 0));
}

/// A claim of three jobs, and a repeat of it with another claim.
fn repeated(bench: &mut Bench, again: Option<Claim>) -> [Exchanged; 2] {
    let session = Session { name: "session".into(), request: 1 };
    let request = Exchange { session, ..claim(3) };
    let first = bench.machine().exchange(&request).unwrap();
    bench.now += SECOND;
    let repeat = Exchange { claim: again, ..request };
    [first, bench.machine().exchange(&repeat).unwrap()]
}

#[test]
fn a_repeat_without_a_claim_withdraws_the_claim() {
    let mut bench = Bench::with(&["a", "b", "c", "d"]);
    let [first, repeat] = repeated(&mut bench, None);
    assert_eq!((first.claimed.len(), repeat.claimed.len()), (3, 0));
    assert_eq!((repeat.next_due, repeat.more), (None, false));
    assert_eq!(bench.counts().leased, 0);
    let again = bench.claim(9);
    assert!(again.iter().all(|claimed| claimed.delivery == 1));
    assert_eq!(again.len(), 4);
}

#[test]
fn a_repeat_that_asks_for_fewer_releases_the_rest() {
    let mut bench = Bench::with(&["a", "b", "c", "d"]);
    let [first, repeat] =
        repeated(&mut bench, Some(Claim { limit: 1, bytes: BATCH_BYTES, lease: LEASE }));
    assert_eq!(repeat.claimed, first.claimed[..1]);
    assert_eq!((repeat.more, bench.counts().leased), (false, 1));
    assert_eq!(bench.bodies(9), ["b", "c", "d"]);
}

#[test]
fn a_repeat_that_asks_for_fewer_bytes_releases_the_rest_and_says_that_there_is_more() {
    let mut bench = Bench::with(&["aa", "bb", "cc"]);
    let [first, repeat] = repeated(&mut bench, Some(Claim { limit: 3, bytes: 4, lease: LEASE }));
    assert_eq!(repeat.claimed, first.claimed[..2]);
    assert_eq!((repeat.more, repeat.next_due), (true, Some(std::time::Duration::ZERO)));
    let session = Session { name: "session".into(), request: 1 };
    let again = bench.machine().exchange(&Exchange { session, ..claim(3) }).unwrap();
    assert_eq!(again, repeat, "a later repeat gets the same answer");
    assert_eq!(bench.bodies(9), ["cc"]);
}

#[test]
fn a_repeat_that_withdraws_leaves_alone_what_was_settled_or_is_held_by_another_claim() {
    let mut bench = Bench::with(&["a", "b"]);
    let session = Session { name: "session".into(), request: 1 };
    let request = Exchange { session, ..claim(2) };
    let first = bench.machine().exchange(&request).unwrap();
    bench.ack(first.claimed[0].handle);
    bench.snooze(first.claimed[1].handle);
    let other = bench.take().handle;
    let repeat = Exchange { claim: None, ..request };
    bench.machine().exchange(&repeat).unwrap();
    assert_eq!((bench.counts().done, bench.counts().leased), (1, 1));
    assert_eq!(bench.ack(other), Verdict::Applied);
}

#[test]
fn a_repeat_of_what_was_never_done_is_done_and_leaves_nothing_for_a_late_original() {
    let mut bench = Bench::with(&["a"]);
    let session = Session { name: "session".into(), request: 1 };
    let original = Exchange { session, ..claim(1) };
    let repeat = Exchange { claim: None, ..original.clone() };
    assert!(bench.machine().exchange(&repeat).unwrap().claimed.is_empty());
    assert!(bench.machine().exchange(&original).unwrap().claimed.is_empty());
    assert_eq!(bench.counts().ready, 1);
}
