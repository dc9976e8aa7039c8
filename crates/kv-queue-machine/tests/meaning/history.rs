//! What is kept of a job's past.

#![cfg(test)]

use std::time::Duration;

use kv_core::queue::{Control, DelayedBy, MAX_HISTORY, NewJob, Operation, Standing};
use kv_queue_machine::reason;

use crate::bench::{Bench, SECOND, job};

fn noted(body: &str) -> NewJob {
    NewJob { note_time: true, ..job(body) }
}

fn why(bench: &mut Bench, key: kv_core::queue::JobKey) -> Option<DelayedBy> {
    match bench.job(key).view.standing {
        Standing::Delayed { why, .. } => Some(why),
        _ => None,
    }
}

#[test]
fn each_failure_is_kept_with_its_time_and_the_oldest_go_first() {
    let mut bench = Bench::new();
    bench.policy.max_failures = 100;
    let key = bench.add(job("a"));
    let begin = bench.now;
    for attempt in 0..12 {
        bench.now += SECOND;
        let reason = format!("failure {attempt}");
        let handle = bench.take().handle;
        bench.operate(handle, Operation::Retry { after: Duration::ZERO, reason });
    }
    let history = bench.job(key).history;
    assert_eq!(history.len(), MAX_HISTORY);
    assert_eq!((history[0].at, &*history[0].reason), (begin + 3 * SECOND, "failure 2"));
    assert_eq!(history[9].reason, "failure 11");
}

#[test]
fn a_crash_is_in_the_past_and_a_redrive_leaves_it() {
    let mut bench = Bench::with(&["a"]);
    let key = bench.take().handle.key;
    bench.crash();
    let handle = bench.take().handle;
    bench.fail(handle);
    bench.control(&Control::Redrive { keys: vec![key], limit: 1 });
    let reasons: Vec<_> = bench.job(key).history.into_iter().map(|past| past.reason).collect();
    assert_eq!(reasons, [reason::ENDED, "broken"]);
}

#[test]
fn nothing_is_left_of_a_job_that_failed_and_is_done() {
    let mut bench = Bench::with(&["a"]);
    let handle = bench.take().handle;
    bench.retry(handle);
    let handle = bench.take().handle;
    bench.ack(handle);
    assert_eq!(bench.tables.map_len(kv_queue_machine::Map::Job), 1, "the marks of all jobs");
}

#[test]
fn the_time_of_a_submission_is_known_wherever_the_job_is() {
    let mut bench = Bench::new();
    let (key, at) = (bench.add(noted("a")), bench.now);
    bench.now += SECOND;
    assert_eq!(bench.job(key).enqueued, Some(at));
    let claimed = bench.take();
    assert_eq!(claimed.enqueued, Some(at));
    bench.retry(claimed.handle);
    let again = bench.take();
    assert_eq!((again.enqueued, bench.job(key).enqueued), (Some(at), Some(at)));
    bench.snooze(again.handle);
    let again = bench.take();
    bench.fail(again.handle);
    bench.control(&Control::Redrive { keys: vec![key], limit: 1 });
    assert_eq!((bench.take().enqueued, bench.job(key).enqueued), (Some(at), Some(at)));
}

#[test]
fn a_job_without_a_noted_time_has_none() {
    let mut bench = Bench::with(&["a"]);
    let claimed = bench.take();
    bench.retry(claimed.handle);
    let again = bench.take();
    assert_eq!((claimed.enqueued, again.enqueued), (None, None));
    assert_eq!(bench.job(again.handle.key).enqueued, None);
}

#[test]
fn a_noted_time_leaves_the_order_as_it_is() {
    let mut bench = Bench::with(&["a"]);
    let back = bench.take().handle;
    bench.add(noted("b"));
    bench.snooze(back);
    bench.submit(vec![job("c"), noted("d"), job("e")]);
    assert_eq!(bench.bodies(9), ["b", "a", "c", "d", "e"]);
}

#[test]
fn a_job_that_waits_says_why() {
    let mut bench = Bench::new();
    let delayed = bench.add(NewJob { delay: SECOND, ..job("late") });
    assert_eq!(why(&mut bench, delayed), Some(DelayedBy::Delay));
    let key = bench.add(job("a"));
    let snooze = Operation::Snooze { after: SECOND };
    let retry = Operation::Retry { after: SECOND, reason: "r".to_owned() };
    for (operation, expected) in [
        (snooze.clone(), DelayedBy::Snooze),
        (retry.clone(), DelayedBy::Retry),
        (snooze, DelayedBy::Snooze),
        (retry, DelayedBy::Retry),
    ] {
        let handle = bench.claim(1).pop().expect("a job").handle;
        bench.operate(handle, operation);
        assert_eq!(why(&mut bench, handle.key), Some(expected));
        bench.now += SECOND;
        bench.maintain(100);
        bench.cancel(delayed);
    }
    let _ = key;
}
