//! What is broken harms its own job only.

use kv_core::Bytes;
use kv_core::queue::{
    Control, Exchange, Handle, Inspect, Inspected, JobKey, Lane, NewJob, Operation, Submitted,
    UniqueScope, Verdict,
};
use kv_queue_machine::{Map, Set, Tables, reason};

use crate::bench::{Bench, SECOND, claim, job, unique};

fn garble(bench: &mut Bench, key: JobKey) {
    bench.tables.put(Map::Job, &key.to_string(), Bytes::from_static(&[0xc1, 0xff])).unwrap();
}

fn reasons(bench: &mut Bench) -> Vec<String> {
    bench.dead(None).into_iter().map(|letter| letter.reason).collect()
}

#[test]
fn a_claim_sets_aside_what_is_broken_and_goes_on_and_the_acks_stand() {
    let mut bench = Bench::with(&["held", "a", "b", "c", "d"]);
    let held = bench.take().handle;
    garble(&mut bench, JobKey::new(8, 2));
    bench.tables.delete(Map::Body, &JobKey::new(8, 3).to_string()).unwrap();
    let c = bench.add(NewJob { priority: 0, ..job("e") });
    let handle = bench.take().handle;
    assert_eq!(handle.key, c);
    bench.checkpoint(handle, "state", 1);
    bench.operate(handle, Operation::Snooze { after: std::time::Duration::ZERO });
    bench.tables.delete(Map::Checkpoint, &c.to_string()).unwrap();
    let answer = bench.exchange(Exchange { acks: vec![held], ..claim(2) });
    assert_eq!(answer.acks, [Verdict::Applied]);
    let bodies: Vec<_> = answer.claimed.iter().map(|it| it.body.clone()).collect();
    assert_eq!(bodies, ["c", "d"]);
    assert_eq!(reasons(&mut bench), [reason::CHECKPOINT, reason::RECORD, reason::BODY]);
    let kept: Vec<_> = bench.dead(None).into_iter().map(|letter| letter.body).collect();
    assert_eq!(kept, ["e", "a", ""]);
}

fn handed_back(operation: Operation) -> (Verdict, Bench, Handle) {
    let mut bench = Bench::with(&["a"]);
    let handle = bench.take().handle;
    garble(&mut bench, handle.key);
    (bench.operate(handle, operation), bench, handle)
}

#[test]
fn a_job_with_an_unreadable_record_is_buried_where_it_would_be_handed_back() {
    let after = SECOND;
    for (operation, why) in [
        (Operation::Retry { after, reason: "why".into() }, "; last failure: why"),
        (Operation::Fail { reason: "why".into() }, "; last failure: why"),
        (Operation::Snooze { after }, ""),
        (Operation::Release, ""),
    ] {
        let (verdict, mut bench, _) = handed_back(operation);
        assert_eq!(verdict, Verdict::Buried);
        assert_eq!(reasons(&mut bench), [format!("{}{why}", reason::RECORD)]);
        assert_eq!(bench.dead(None)[0].body, "a");
    }
}

#[test]
fn a_job_with_an_unreadable_record_can_be_acked_extended_and_checkpointed() {
    let extend = Operation::Extend { lease: SECOND };
    let (verdict, mut bench, handle) = handed_back(extend);
    assert_eq!((verdict, bench.ack(handle)), (Verdict::Applied, Verdict::Applied));
    let checkpoint = Operation::Checkpoint { state: "half".into(), progress: 3 };
    let (verdict, mut bench, handle) = handed_back(checkpoint);
    assert_eq!((verdict, bench.snooze(handle)), (Verdict::Applied, Verdict::Applied));
    assert_eq!(bench.take().checkpoint.unwrap().progress, 3);
}

#[test]
fn a_tend_buries_jobs_with_unreadable_records_and_goes_on() {
    let mut bench = Bench::with(&["a"]);
    let leased = bench.take().handle;
    let timed = bench.add(NewJob { delay: SECOND, ..job("b") });
    bench.add(NewJob { delay: SECOND, ..job("c") });
    garble(&mut bench, leased.key);
    garble(&mut bench, timed);
    let tended = bench.crash();
    assert_eq!((tended.promoted, tended.recovered, tended.buried), (1, 1, 2));
    assert_eq!(reasons(&mut bench), [reason::RECORD; 2]);
    assert_eq!(bench.bodies(9), ["c"]);
}

#[test]
fn jobs_with_unreadable_records_can_be_cancelled_redriven_and_discarded() {
    let mut bench = Bench::with(&["a", "b", "c"]);
    let keys: Vec<_> = (1..=3).map(|sequence| JobKey::new(8, sequence)).collect();
    let b = bench.claim(2)[1].handle;
    bench.fail(b);
    keys.iter().for_each(|key| garble(&mut bench, *key));
    let redrive = Control::Redrive { keys: vec![keys[1]], limit: 9 };
    assert_eq!(bench.control(&redrive).affected, 1);
    assert_eq!(bench.control(&Control::Cancel { keys }).affected, 3);
    let counts = bench.counts();
    assert_eq!((counts.ready, counts.leased, counts.cancelled), (0, 1, 2));
    bench.crash();
    assert_eq!((bench.counts().leased, bench.counts().cancelled), (0, 3));
}

#[test]
fn a_cancelled_job_whose_member_was_not_found_ends_when_it_is_met() {
    let mut bench = Bench::with(&["a"]);
    let handle = bench.take().handle;
    bench.snooze(handle);
    garble(&mut bench, handle.key);
    assert_eq!(bench.cancel(handle.key).affected, 1);
    assert!(bench.claim(1).is_empty());
    assert_eq!((bench.counts().cancelled, bench.counts().outstanding()), (1, 0));
}

#[test]
fn a_repeat_buries_what_broke_meanwhile_and_brings_the_rest() {
    let mut bench = Bench::with(&["a", "b", "c"]);
    let request = Exchange { lane: Lane { name: "lane".into(), request: 1 }, ..claim(3) };
    let first = bench.machine().exchange(&request).unwrap();
    garble(&mut bench, first.claimed[0].handle.key);
    bench.tables.delete(Map::Body, &first.claimed[1].handle.key.to_string()).unwrap();
    let repeat = bench.machine().exchange(&request).unwrap();
    assert_eq!(repeat.claimed, first.claimed[2..]);
    assert_eq!(reasons(&mut bench), [reason::RECORD, reason::BODY]);
}

#[test]
fn members_that_are_no_jobs_are_dropped_where_they_are_met() {
    let mut bench = Bench::with(&["a"]);
    for set in [Set::Ready, Set::Timed, Set::Leases, Set::Dead] {
        bench.tables.insert(set, 1, "no job").unwrap();
    }
    let redrive = Control::Redrive { keys: vec![], limit: 9 };
    assert_eq!(bench.control(&redrive).affected, 0);
    let tended = bench.tend(10);
    assert_eq!((tended.promoted, tended.recovered, tended.more), (0, 0, false));
    assert_eq!(bench.bodies(9), ["a"]);
    let counts = bench.counts();
    assert_eq!((counts.ready, counts.timed, counts.leased, counts.dead), (0, 0, 1, 0));
}

#[test]
fn a_purge_counts_and_drops_members_that_are_no_jobs_and_a_page_passes_over_them() {
    let mut bench = Bench::with(&["a"]);
    for set in [Set::Ready, Set::Timed, Set::Leases, Set::Dead] {
        bench.tables.insert(set, 1, "no job").unwrap();
    }
    let peek = Inspect::Peek { after: None, limit: 1, bytes: 9 };
    let Inspected::Jobs(jobs) = bench.machine().inspect(&peek).unwrap() else { panic!() };
    assert_eq!((jobs.len(), bench.dead(None).len()), (1, 0));
    let purged = bench.control(&Control::Purge);
    assert_eq!((purged.affected, purged.more), (5, false));
    assert_eq!(bench.counts().dead, 0);
}

#[test]
fn a_unique_key_whose_holder_cannot_be_read_is_free() {
    let mut bench = Bench::new();
    let first = bench.add(unique("u", UniqueScope::Run));
    bench.tables.put(Map::Unique, "u", Bytes::from_static(b"nobody")).unwrap();
    let second = bench.add(unique("u", UniqueScope::Run));
    assert_ne!(first, second);
    let held = bench.submit(vec![unique("u", UniqueScope::Run)]);
    assert_eq!(held, [Submitted::Duplicate(second)]);
}
