use kv_core::queue::{NewJob, Policy, UniqueScope};
use kv_queue_machine::{SESSION_LIFETIME, SESSION_SLACK, Set, Tables, reason};

use crate::bench::{Bench, LEASE, SECOND, job, unique};

#[test]
fn a_recovered_job_comes_back_with_a_crash_counted() {
    let mut bench = Bench::with(&["a"]);
    bench.take();
    let maintained = bench.crash();
    assert_eq!((maintained.recovered, maintained.buried), (1, 0));
    let again = bench.take();
    assert_eq!((&again.body[..], again.attempt, again.delivery), (&b"a"[..], 2, 2));
}

#[test]
fn crashes_beyond_their_budget_bury_with_the_last_failure() {
    let mut bench = Bench::with(&["a"]);
    bench.policy = Policy { max_crashes: 2, ..bench.policy };
    let handle = bench.take().handle;
    bench.retry(handle);
    for buried in [0, 1] {
        bench.take();
        assert_eq!(bench.crash().buried, buried);
    }
    let letter = &bench.dead(None)[0];
    assert_eq!(letter.reason, format!("{}; last failure: why", reason::CRASHED));
    assert_eq!((letter.failures, letter.crashes, letter.deliveries), (1, 2, 3));
}

#[test]
fn a_delayed_job_past_its_time_to_live_is_buried_not_promoted() {
    let mut bench = Bench::new();
    bench.add(NewJob { delay: 2 * SECOND, time_to_live: Some(SECOND), ..job("a") });
    bench.now += 2 * SECOND;
    let maintained = bench.maintain(10);
    assert_eq!((maintained.promoted, maintained.buried), (0, 1));
    assert_eq!(bench.dead(None)[0].reason, reason::EXPIRED);
}

#[test]
fn a_maintenance_moves_at_most_its_limit_and_says_that_there_is_more() {
    let mut bench = Bench::new();
    bench.submit(vec![NewJob { delay: SECOND, ..job("a") }; 3]);
    bench.now += SECOND;
    let first = bench.maintain(2);
    assert_eq!(
        (first.promoted, first.more, first.next_due),
        (2, true, Some(std::time::Duration::ZERO))
    );
    let second = bench.maintain(2);
    assert_eq!((second.promoted, second.more, second.next_due), (1, false, None));
}

#[test]
fn the_oldest_dead_letters_go_beyond_the_cap_and_are_counted() {
    let mut bench = Bench::with(&["a", "b", "c"]);
    bench.policy = Policy { keep_dead: 2, ..bench.policy };
    for _ in 0..3 {
        bench.now += SECOND;
        let handle = bench.take().handle;
        bench.fail(handle);
    }
    let kept: Vec<_> = bench.dead(None).into_iter().map(|letter| letter.body).collect();
    assert_eq!(kept, ["b", "c"]);
    assert_eq!((bench.counts().dead, bench.counts().evicted), (2, 1));
}

#[test]
fn a_cap_that_was_lowered_is_reached_by_maintenance() {
    let mut bench = Bench::with(&["x"; 5]);
    for claimed in bench.claim(5) {
        bench.fail(claimed.handle);
    }
    bench.policy.keep_dead = 1;
    assert!(bench.maintain(3).more);
    assert!(!bench.maintain(3).more);
    assert_eq!(bench.counts().evicted, 4);
}

#[test]
fn dead_letters_that_are_too_old_go_and_are_counted() {
    let mut bench = Bench::with(&["a", "b", "c"]);
    for claimed in bench.claim(3) {
        bench.fail(claimed.handle);
        bench.now += SECOND;
    }
    bench.policy.keep_dead_for = Some(2 * SECOND);
    let maintained = bench.maintain(1);
    assert_eq!((maintained.more, bench.counts().dead, bench.counts().evicted), (true, 2, 1));
    assert!(!bench.maintain(1).more);
    let kept: Vec<_> = bench.dead(None).into_iter().map(|letter| letter.body).collect();
    assert_eq!(kept, ["c"]);
}

#[test]
fn a_burial_drops_dead_letters_that_are_too_old() {
    let mut bench = Bench::with(&["a", "b"]);
    bench.policy.keep_dead_for = Some(SECOND);
    for _ in 0..2 {
        let handle = bench.take().handle;
        bench.fail(handle);
        bench.now += SECOND;
    }
    assert_eq!((bench.counts().dead, bench.counts().evicted), (1, 1));
}

#[test]
fn windows_and_sessions_are_forgotten_at_their_end() {
    let mut bench = Bench::new();
    bench.add(unique("u", UniqueScope::Window(SECOND)));
    bench.take();
    bench.now += SECOND;
    assert_eq!(bench.maintain(10).forgotten, 1);
    bench.now += SESSION_LIFETIME + SESSION_SLACK;
    assert_eq!(bench.maintain(10).forgotten, 1);
    for set in [Set::Windows, Set::Sessions] {
        assert_eq!(bench.tables.len(set).unwrap(), 0);
    }
}

#[test]
fn a_pause_does_not_stop_recovery() {
    let mut bench = Bench::with(&["a"]);
    bench.take();
    bench.control(&kv_core::queue::Control::Pause);
    assert_eq!(bench.crash().recovered, 1);
    assert!(bench.claim(1).is_empty());
    assert_eq!(bench.counts().leased, 0);
    bench.now += LEASE;
    bench.control(&kv_core::queue::Control::Resume);
    assert_eq!(bench.claim(1).len(), 1);
}
