//! How long the oldest claimable job has waited.

#![cfg(test)]

use std::time::Duration;

use kv_core::queue::{Control, NewJob, Operation, Session, Submit};

use crate::bench::{Bench, LEASE, SECOND, job};
use crate::groups::of;

const MINUTE: Duration = Duration::from_secs(60);

impl Bench {
    fn age(&mut self) -> Option<Duration> {
        self.counts().oldest_ready
    }

    /// Adds a job on the session of a producer.
    fn produce(&mut self, request: u64) {
        let session = Some(Session { name: "producer".into(), request });
        self.machine().submit(&Submit { session, jobs: vec![job("plain")] }).unwrap();
    }
}

#[test]
fn nothing_is_old_in_an_empty_queue() {
    let mut bench = Bench::new();
    assert_eq!(bench.age(), None);
    bench.add(job("a"));
    let handle = bench.take().handle;
    bench.ack(handle);
    bench.maintain(9);
    assert_eq!(bench.age(), None);
}

#[test]
fn a_first_job_is_as_old_as_its_submission_without_maintenance() {
    let mut bench = Bench::new();
    bench.produce(1);
    bench.now += 3 * MINUTE;
    assert_eq!(bench.age(), Some(3 * MINUTE));
}

#[test]
fn without_maintenance_an_age_is_at_most_a_minute_too_long() {
    let mut bench = Bench::new();
    bench.produce(1);
    for request in 2..500 {
        bench.now += 7 * SECOND;
        bench.produce(request);
        let before = bench.take().handle;
        bench.ack(before);
        let age = bench.age().unwrap();
        assert!(age <= MINUTE, "{age:?} of a job that came now");
    }
}

#[test]
fn no_later_submission_makes_a_job_younger_maintained_or_not() {
    for maintained in [false, true] {
        let mut bench = Bench::new();
        let begin = bench.now;
        for request in 1..10 {
            bench.produce(request);
            bench.now += 2 * SECOND;
            if maintained {
                bench.maintain(9);
            }
            assert_eq!(bench.age(), Some(bench.now - begin), "{request}, {maintained}");
            bench.now += 20 * MINUTE;
        }
    }
}

#[test]
fn with_maintenance_an_age_is_told_to_a_quarter_however_long_the_backlog() {
    let mut bench = Bench::new();
    let begin = bench.now;
    for request in 1..2_000 {
        bench.produce(request);
        bench.now += SECOND;
        bench.maintain(9);
    }
    for done in 1..1_999_u64 {
        bench.take();
        let age = bench.now - begin - Duration::from_secs(done);
        let told = bench.age().unwrap();
        let surplus = told.saturating_sub(age);
        assert!(told >= age && surplus <= age / 4 + 2 * SECOND, "{told:?} of {age:?}");
    }
}

#[test]
fn the_oldest_job_counts_however_urgent_the_others_are() {
    let mut bench = Bench::new();
    let urgent = NewJob { priority: 0, delay: MINUTE / 2, ..job("urgent") };
    bench.submit(vec![NewJob { priority: 15, ..job("late") }, urgent]);
    for wait in [SECOND, MINUTE - SECOND] {
        bench.now += wait;
        bench.maintain(9);
    }
    assert_eq!(bench.age(), Some(MINUTE));
    assert_eq!(bench.bodies(2), ["urgent", "late"]);
}

#[test]
fn a_delayed_job_waits_from_its_due_time_on_promoted_or_not() {
    let mut bench = Bench::new();
    bench.add(NewJob { delay: MINUTE, ..job("a") });
    bench.now += MINUTE - SECOND;
    assert_eq!(bench.age(), None);
    bench.now += 6 * SECOND;
    assert_eq!(bench.age(), Some(5 * SECOND), "due, and not promoted");
    bench.maintain(9);
    assert_eq!(bench.age(), Some(5 * SECOND), "promoted");
}

#[test]
fn a_job_that_is_due_late_does_not_hide_an_older_one_behind_it() {
    let mut bench = Bench::new();
    bench.add(NewJob { delay: MINUTE, ..job("late") });
    bench.add(job("waits"));
    bench.now += SECOND;
    bench.maintain(9);
    bench.now += MINUTE - SECOND;
    bench.maintain(9);
    assert_eq!(bench.age(), Some(MINUTE));
    assert_eq!(bench.bodies(2), ["late", "waits"], "the order is that of the submissions");
}

#[test]
fn a_job_that_comes_back_waits_from_its_return_and_an_ended_lease_from_its_end() {
    let mut bench = Bench::with(&["a"]);
    bench.now += MINUTE;
    let handle = bench.take().handle;
    assert_eq!(bench.age(), None);
    bench.retry(handle);
    bench.now += SECOND;
    assert_eq!(bench.age(), Some(SECOND));
    bench.take();
    bench.now += LEASE + 3 * SECOND;
    assert_eq!(bench.age(), Some(3 * SECOND));
}

#[test]
fn a_job_that_was_run_at_once_waits_from_then_on() {
    let mut bench = Bench::new();
    let key = bench.add(NewJob { delay: 10 * MINUTE, ..job("a") });
    bench.now += MINUTE;
    bench.control(&Control::Reschedule { keys: vec![key], delay: Duration::ZERO });
    bench.now += SECOND;
    assert_eq!(bench.age(), Some(SECOND));
}

#[test]
fn a_job_of_a_group_counts_while_its_group_may_start_it() {
    let mut bench = Bench::new();
    bench.add(of("g", "a"));
    bench.add(of("g", "b"));
    bench.now += MINUTE;
    assert_eq!(bench.age(), Some(MINUTE));
    let handle = bench.take().handle;
    bench.operate(handle, Operation::Limited { after: MINUTE });
    assert_eq!(bench.age(), None, "the group is paused");
}

#[test]
fn a_noted_time_survives_a_delay() {
    let mut bench = Bench::new();
    let start = bench.now;
    let noted = NewJob { note_time: true, delay: MINUTE, ..job("a") };
    bench.add(noted);
    bench.now += MINUTE;
    bench.maintain(9);
    assert_eq!(bench.age(), Some(Duration::ZERO));
    assert_eq!(bench.take().enqueued, Some(start));
}

#[test]
fn a_purge_forgets_the_marks() {
    let mut bench = Bench::with(&["a"]);
    bench.control(&Control::Purge);
    bench.now += MINUTE;
    bench.maintain(9);
    bench.produce(1);
    assert_eq!(bench.age(), Some(Duration::ZERO));
}
