//! Jobs that are done and kept.

#![cfg(test)]

use kv_core::Bytes;
use kv_core::queue::{Control, Operation, Standing, State, Submitted, UniqueScope, Verdict};

use crate::bench::{Bench, SECOND, job, unique};

fn keeping(jobs: u32) -> Bench {
    let mut bench = Bench::new();
    bench.policy.keep_done = jobs;
    bench
}

fn value(value: &str) -> Operation {
    Operation::Done { value: Bytes::copy_from_slice(value.as_bytes()) }
}

fn keys(bench: &mut Bench) -> Vec<u64> {
    let page = bench.list(State::Done, None, None, 100);
    page.jobs.iter().map(|job| job.key.sequence()).collect()
}

#[test]
fn a_done_job_is_kept_with_its_value_and_without_its_body() {
    let mut bench = keeping(9);
    let key = bench.add(job("body"));
    let handle = bench.take().handle;
    bench.checkpoint(handle, "half", 5);
    assert_eq!(bench.operate(handle, value("answer")), Verdict::Applied);
    let kept = bench.job(key);
    assert_eq!(kept.view.standing, Standing::Done { at: bench.now });
    assert_eq!((kept.bytes.as_deref(), kept.view.progress), (Some(&b"answer"[..]), Some(5)));
    assert_eq!((bench.counts().done, bench.counts().outstanding()), (1, 0));
    assert_eq!(bench.operate(handle, value("again")), Verdict::Stale);
}

#[test]
fn an_ack_keeps_a_job_without_a_value() {
    let mut bench = keeping(9);
    let key = bench.add(job("a"));
    let handle = bench.take().handle;
    bench.checkpoint(handle, "half", 1);
    bench.ack(handle);
    assert_eq!((bench.job(key).view.standing.state(), bench.job(key).bytes), (State::Done, None));
}

#[test]
fn nothing_is_kept_unless_the_policy_says_so() {
    let mut bench = keeping(0);
    let key = bench.add(job("a"));
    let handle = bench.take().handle;
    assert_eq!(bench.operate(handle, value("answer")), Verdict::Applied);
    assert_eq!((bench.find(key), bench.counts().done), (None, 1));
}

#[test]
fn the_oldest_done_jobs_go_beyond_the_number_and_the_age_that_are_kept() {
    let mut bench = keeping(2);
    bench.submit(vec![job("x"); 5]);
    for _ in 0..4 {
        let handle = bench.take().handle;
        bench.operate(handle, value("v"));
        bench.now += SECOND;
    }
    assert_eq!(keys(&mut bench), [3, 4]);
    bench.policy.keep_done_for = Some(2 * SECOND);
    assert_eq!((bench.maintain(100).more, keys(&mut bench)), (false, vec![4]));
    bench.policy.keep_done = 0;
    bench.now += 100 * SECOND;
    bench.maintain(100);
    assert_eq!(keys(&mut bench), [4], "a handle that keeps none leaves them alone");
}

#[test]
fn a_done_job_frees_the_unique_key_that_lasts_as_long_as_it() {
    let mut bench = keeping(9);
    let key = bench.add(unique("u", UniqueScope::Live));
    let handle = bench.take().handle;
    bench.ack(handle);
    assert!(matches!(
        bench.submit(vec![unique("u", UniqueScope::Live)])[..],
        [Submitted::Added(_)]
    ));
    assert_eq!(bench.job(key).view.unique, None);
}

#[test]
fn a_cancelled_job_whose_work_is_done_is_done_and_kept() {
    let mut bench = keeping(9);
    let key = bench.add(job("a"));
    let handle = bench.take().handle;
    bench.cancel(key);
    assert_eq!(bench.operate(handle, value("v")), Verdict::Applied);
    assert_eq!(bench.job(key).view.standing.state(), State::Done);
    assert_eq!(bench.cancel(key).affected, 0, "there is nothing to cancel");
}

#[test]
fn a_discard_removes_a_done_job_and_a_purge_all() {
    let mut bench = keeping(9);
    let key = bench.add(job("a"));
    bench.add(job("b"));
    for _ in 0..2 {
        let handle = bench.take().handle;
        bench.operate(handle, value("v"));
    }
    assert_eq!(bench.control(&Control::Discard { keys: vec![key] }).affected, 1);
    assert_eq!((bench.find(key), bench.counts().evicted), (None, 0));
    bench.control(&Control::Purge);
    assert_eq!(keys(&mut bench), [0; 0]);
}
