use kv_core::ErrorKind;
use kv_core::queue::{Control, Exchange, Lane, NewJob, Submit, Unique, UniqueScope, Verdict};
use kv_queue_machine::{LANE_LIFETIME, LANE_SLACK, Set, Tables};

use crate::bench::{Bench, LEASE, SECOND, claim, exchange, job};

fn lane(request: u64) -> Lane {
    Lane { name: "lane".into(), request }
}

#[test]
fn a_repeat_gets_the_same_verdicts_and_claims_and_does_nothing() {
    let mut bench = Bench::with(&["a", "b", "c"]);
    let handle = bench.take().handle;
    let request = Exchange { lane: lane(1), acks: vec![handle, handle], ..claim(5) };
    let first = bench.machine().exchange(&request).unwrap();
    let before = bench.counts();
    bench.now += SECOND;
    let repeat = bench.machine().exchange(&request).unwrap();
    assert_eq!(repeat.acks, [Verdict::Applied, Verdict::Stale]);
    assert_eq!(repeat.claimed, first.claimed);
    assert_eq!((first.next_due, repeat.next_due), (Some(LEASE), Some(LEASE - SECOND)));
    assert_eq!(bench.counts(), before);
}

#[test]
fn a_repeated_claim_leaves_out_what_is_no_longer_held() {
    let mut bench = Bench::with(&["a", "b"]);
    let request = Exchange { lane: lane(1), ..claim(5) };
    let first = bench.machine().exchange(&request).unwrap();
    bench.ack(first.claimed[0].handle);
    let repeat = bench.machine().exchange(&request).unwrap();
    assert_eq!(repeat.claimed, first.claimed[1..]);
}

#[test]
fn a_repeated_submit_adds_nothing_and_answers_the_same() {
    let mut bench = Bench::new();
    let request = Submit { lane: Some(lane(7)), jobs: vec![job("a"), job("b")] };
    let first = bench.machine().submit(&request).unwrap();
    assert_eq!(bench.machine().submit(&request).unwrap(), first);
    assert_eq!(bench.counts().entered, 2);
}

#[test]
fn an_older_request_and_one_of_another_verb_are_refused() {
    let mut bench = Bench::with(&["a"]);
    let ask = |request| Exchange { lane: lane(request), ..claim(1) };
    bench.machine().exchange(&Exchange { lane: lane(5), ..exchange() }).unwrap();
    let older = bench.machine().exchange(&ask(4)).unwrap_err();
    let submit = Submit { lane: Some(lane(5)), jobs: vec![job("b")] };
    let other = bench.machine().submit(&submit).unwrap_err();
    assert_eq!([older.kind(), other.kind()], [ErrorKind::Conflict; 2]);
    assert_eq!((bench.counts().leased, bench.counts().entered), (0, 1));
    assert_eq!(bench.machine().exchange(&ask(6)).unwrap().claimed.len(), 1);
}

#[test]
fn a_lane_is_remembered_for_its_lifetime_and_until_a_tend() {
    let mut bench = Bench::with(&["a"]);
    let ask = |request| Exchange { lane: lane(request), ..exchange() };
    bench.machine().exchange(&ask(5)).unwrap();
    bench.now += LANE_SLACK;
    bench.machine().exchange(&ask(6)).unwrap();
    bench.now += LANE_LIFETIME;
    bench.machine().exchange(&ask(4)).unwrap_err();
    bench.tend(10);
    bench.machine().exchange(&ask(4)).unwrap();
}

#[test]
fn the_time_of_a_lane_is_set_anew_before_it_is_shorter_than_a_lifetime() {
    let mut bench = Bench::with(&["a"]);
    let ask = |request| Exchange { lane: lane(request), ..exchange() };
    bench.machine().exchange(&ask(1)).unwrap();
    bench.now += LANE_SLACK + SECOND;
    bench.machine().exchange(&ask(2)).unwrap();
    bench.now += LANE_LIFETIME;
    bench.tend(10);
    bench.machine().exchange(&ask(1)).unwrap_err();
    bench.now += LANE_SLACK;
    assert_eq!(bench.tend(10).forgotten, 1);
}

#[test]
fn an_idle_worker_leaves_nothing_in_a_partition_without_jobs_and_lanes() {
    let mut bench = Bench::with(&["a"]);
    let handle = bench.take().handle;
    bench.control(&Control::Purge);
    let acks = vec![handle];
    let request = Exchange { lane: lane(1), acks, ..claim(1) };
    let idle = bench.machine().exchange(&request).unwrap();
    assert_eq!((&idle.acks[..], idle.next_due), (&[Verdict::Stale][..], None));
    assert_eq!(bench.tables.len(Set::Lanes).unwrap(), 0);
    bench.add(job("b"));
    assert_eq!(bench.machine().exchange(&request).unwrap().claimed.len(), 1);
}

#[test]
fn a_repeat_that_finds_jobs_where_there_were_none_still_gets_none() {
    let mut bench = Bench::new();
    bench.add(NewJob { delay: SECOND, ..job("later") });
    let request = Exchange { lane: lane(1), ..claim(1) };
    assert!(bench.machine().exchange(&request).unwrap().claimed.is_empty());
    bench.add(job("a"));
    assert!(bench.machine().exchange(&request).unwrap().claimed.is_empty());
}

#[test]
fn lanes_and_windows_do_not_pile_up_where_nothing_is_ever_tended() {
    let mut bench = Bench::new();
    for sender in 0..50 {
        bench.now += LANE_LIFETIME / 10;
        let window = UniqueScope::Window(LANE_LIFETIME);
        let unique = Some(Unique { key: format!("key {sender}"), scope: window });
        let lane = Lane { name: format!("sender {sender}").into(), request: 1 };
        let jobs = vec![NewJob { unique, ..job("a") }];
        bench.machine().submit(&Submit { lane: Some(lane), jobs }).unwrap();
    }
    for set in [Set::Lanes, Set::Windows] {
        let left = bench.tables.len(set).unwrap();
        assert!(left <= 12, "{left} left in {set:?}");
    }
}
