use kv_core::queue::{NewJob, Submitted, UniqueScope};

use crate::bench::{Bench, SECOND, job, unique};

#[test]
fn jobs_come_by_priority_then_in_the_order_of_their_submission() {
    let mut bench = Bench::new();
    let with = |body, priority| NewJob { priority, ..job(body) };
    bench.submit(vec![with("d", 15), with("b", 8), with("a", 0), with("c", 8)]);
    assert_eq!(bench.bodies(10), ["a", "b", "c", "d"]);
}

#[test]
fn a_delayed_job_is_claimable_from_its_due_microsecond_on_once_tended() {
    let mut bench = Bench::new();
    bench.add(NewJob { delay: SECOND, ..job("later") });
    bench.now += SECOND - std::time::Duration::from_micros(1);
    assert_eq!((bench.tend(10).promoted, bench.claim(1).len()), (0, 0));
    bench.now += std::time::Duration::from_micros(1);
    assert_eq!((bench.claim(1).len(), bench.tend(10).promoted), (0, 1));
    assert_eq!(bench.claim(1).len(), 1);
}

#[test]
fn duplicates_inside_a_request_are_seen() {
    let mut bench = Bench::new();
    let live = || unique("u", UniqueScope::Live);
    let replies = bench.submit(vec![live(), job("plain"), live()]);
    let [Submitted::Added(first), Submitted::Added(_), Submitted::Duplicate(holder)] = replies[..]
    else {
        panic!("{replies:?}")
    };
    assert_eq!(first, holder);
    assert_eq!(bench.counts().entered, 2);
}

#[test]
fn a_live_key_is_held_while_the_job_waits_runs_or_is_dead_and_free_after() {
    let mut bench = Bench::new();
    let live = || unique("u", UniqueScope::Live);
    let key = bench.add(live());
    let held = vec![Submitted::Duplicate(key)];
    assert_eq!(bench.submit(vec![live()]), held);
    let handle = bench.take().handle;
    assert_eq!(bench.submit(vec![live()]), held);
    bench.fail(handle);
    assert_eq!(bench.submit(vec![live()]), held);
    bench.control(&kv_core::queue::Control::Redrive { keys: vec![], limit: 1 });
    assert_eq!(bench.submit(vec![live()]), held);
    let handle = bench.take().handle;
    bench.ack(handle);
    assert_ne!(bench.add(live()), key);
}

#[test]
fn a_live_key_is_free_after_a_cancel_and_an_eviction() {
    let mut bench = Bench::new();
    let live = || unique("u", UniqueScope::Live);
    let key = bench.add(live());
    bench.cancel(key);
    bench.add(live());
    bench.policy.keep_dead = 0;
    let handle = bench.take().handle;
    bench.fail(handle);
    bench.add(live());
}

#[test]
fn a_window_holds_its_key_for_its_time_whatever_becomes_of_the_job() {
    let mut bench = Bench::new();
    let windowed = || unique("u", UniqueScope::Window(SECOND));
    let key = bench.add(windowed());
    let handle = bench.take().handle;
    bench.ack(handle);
    bench.now += SECOND - std::time::Duration::from_micros(1);
    assert_eq!(bench.submit(vec![windowed()]), [Submitted::Duplicate(key)]);
    bench.now += std::time::Duration::from_micros(1);
    assert_ne!(bench.add(windowed()), key, "past, and not forgotten by a tend");
}

#[test]
fn a_key_of_the_run_is_held_until_the_purge() {
    let mut bench = Bench::new();
    let once = || unique("u", UniqueScope::Run);
    let key = bench.add(once());
    let handle = bench.take().handle;
    bench.ack(handle);
    bench.now += 1_000_000 * SECOND;
    bench.tend(100);
    assert_eq!(bench.submit(vec![once()]), [Submitted::Duplicate(key)]);
    bench.control(&kv_core::queue::Control::Purge);
    assert!(bench.add(once()) > key);
}
