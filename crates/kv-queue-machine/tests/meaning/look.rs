//! Asking about jobs.

#![cfg(test)]

use std::time::Duration;

use kv_core::ErrorKind;
use kv_core::queue::{
    Control, DelayedBy, GroupBlock, GroupLimit, Inspect, JobKey, ListPlace, NewJob, Standing,
    State, UniqueScope,
};

use crate::bench::{Bench, LEASE, SECOND, job, unique};
use crate::groups::of;

/// All pages of a state's list, each of up to `limit` jobs.
fn all(bench: &mut Bench, state: State, group: Option<&str>, limit: usize) -> Vec<u64> {
    let (mut after, mut found) = (None, Vec::new());
    for _ in 0..1_000 {
        let page = bench.list(state, group, after, limit);
        assert!(page.jobs.len() <= limit);
        found.extend(page.jobs.iter().map(|job| job.key.sequence()));
        after = page.next;
        if after.is_none() {
            return found;
        }
    }
    panic!("the list of {state} jobs has no end");
}

#[test]
fn a_job_is_found_wherever_it_is() {
    let mut bench = Bench::new();
    let start = bench.now;
    let key = bench.add(job("a"));
    assert_eq!(bench.job(key).view.standing, Standing::Ready);
    assert_eq!(bench.job(key).bytes.as_deref(), Some(&b"a"[..]));
    let claimed = bench.take();
    let token = claimed.handle.token;
    let running = Standing::Running { token, ends: start + LEASE };
    assert_eq!(bench.job(key).view.standing, running);
    let after = kv_core::queue::Operation::Retry { after: SECOND, reason: "why".to_owned() };
    bench.operate(claimed.handle, after);
    let delayed = Standing::Delayed { due: start + SECOND, why: DelayedBy::Retry };
    assert_eq!(bench.job(key).view.standing, delayed);
    bench.now += SECOND;
    bench.maintain(9);
    assert_eq!(bench.job(key).view.standing, Standing::Ready, "at the place to which it came back");
    let handle = bench.take().handle;
    bench.fail(handle);
    let dead = bench.job(key);
    assert_eq!(dead.view.standing, Standing::Dead { died: bench.now });
    assert_eq!((&*dead.view.reason, dead.view.failed, dead.history.len()), ("broken", 2, 2));
    bench.cancel(key);
    assert_eq!((bench.find(key), bench.find(JobKey::new(8, 99))), (None, None));
}

#[test]
fn a_ready_job_says_what_keeps_its_group_from_a_start() {
    let mut bench = Bench::new();
    let key = bench.add(of("g", "a"));
    assert_eq!(bench.job(key).block, None);
    bench.control(&Control::PauseGroup { group: "g".into(), time: SECOND });
    assert_eq!(bench.job(key).block, Some(GroupBlock::Paused(SECOND)));
}

#[test]
fn each_list_has_each_job_once_whatever_the_size_of_its_pages() {
    for limit in [1, 2, 3, 100] {
        let mut bench = Bench::new();
        bench.submit(vec![
            job("x"),
            of("b", "x"),
            of("a", "x"),
            job("x"),
            of("a", "x"),
            of("a!", "x"),
        ]);
        bench.submit(vec![NewJob { delay: SECOND, ..job("later") }; 3]);
        bench.submit(vec![NewJob { delay: SECOND, ..of("a", "later") }]);
        assert_eq!(all(&mut bench, State::Ready, None, limit), [1, 4, 3, 5, 6, 2]);
        assert_eq!(all(&mut bench, State::Ready, Some("a"), limit), [3, 5]);
        assert_eq!(all(&mut bench, State::Delayed, None, limit), [7, 8, 9, 10]);
        assert_eq!(all(&mut bench, State::Delayed, Some("a"), limit), [10]);
        let claimed = bench.claim(6);
        assert_eq!(all(&mut bench, State::Running, None, limit), [1, 2, 3, 4, 5, 6]);
        for claimed in &claimed {
            bench.fail(claimed.handle);
        }
        assert_eq!(all(&mut bench, State::Dead, None, limit), [1, 2, 3, 4, 5, 6]);
        assert_eq!(all(&mut bench, State::Dead, Some("b"), limit), [2]);
        assert_eq!(all(&mut bench, State::Running, None, limit), [0; 0]);
    }
}

#[test]
fn a_place_stays_where_it_is_when_its_job_is_gone() {
    let mut bench = Bench::with(&["a", "b", "c"]);
    let page = bench.list(State::Ready, None, None, 2);
    bench.cancel(JobKey::new(8, 2));
    let rest = bench.list(State::Ready, None, page.next, 9);
    assert_eq!(rest.jobs.iter().map(|job| job.key.sequence()).collect::<Vec<_>>(), [3]);
    let handles: Vec<_> = bench.claim(3).iter().map(|it| it.handle).collect();
    let page = bench.list(State::Running, None, None, 1);
    bench.ack(handles[0]);
    assert_eq!(bench.list(State::Running, None, page.next, 9).jobs.len(), 1);
}

#[test]
fn a_place_of_another_list_is_refused() {
    let mut bench = Bench::with(&["a"]);
    let after = Some(ListPlace::new(State::Dead, 1, "x".to_owned()));
    let request = Inspect::List { state: State::Ready, group: None, after, limit: 1 };
    assert_eq!(bench.machine().inspect(&request).unwrap_err().kind(), ErrorKind::InvalidKey);
}

#[test]
fn a_waiting_job_runs_now_or_later_as_an_operator_says() {
    let mut bench = Bench::new();
    let late = bench.add(NewJob { delay: 60 * SECOND, ..job("late") });
    let ready = bench.add(job("ready"));
    let now = |keys| Control::Reschedule { keys, delay: Duration::ZERO };
    assert_eq!(bench.control(&now(vec![late, ready, JobKey::new(8, 9)])).affected, 1);
    assert_eq!(bench.bodies(1), ["late"]);
    let keys = vec![late, ready];
    let later = Control::Reschedule { keys, delay: SECOND };
    assert_eq!(bench.control(&later).affected, 1, "a running job stays where it is");
    assert_eq!(bench.bodies(9), [""; 0]);
    bench.now += SECOND;
    bench.maintain(9);
    assert_eq!(bench.bodies(9), ["ready"]);
}

#[test]
fn a_job_of_a_limited_group_that_is_made_to_wait_leaves_the_group_as_it_should_be() {
    let mut bench = Bench::new();
    bench.policy.group = GroupLimit::new().concurrency(1);
    let key = bench.add(of("g", "a"));
    let later = |keys, delay| Control::Reschedule { keys, delay };
    bench.control(&later(vec![key], SECOND));
    assert_eq!(bench.bodies(9), [""; 0]);
    bench.control(&later(vec![key], Duration::ZERO));
    assert_eq!(bench.bodies(9), ["a"]);
    let dump = kv_queue_machine::testing::Dump::from(&bench.tables);
    assert_eq!(dump.check(), Ok(()));
}

#[test]
fn a_unique_key_tells_its_job_for_as_long_as_it_is_held() {
    let mut bench = Bench::new();
    assert_eq!(bench.holder("live"), None);
    let live = bench.add(unique("live", UniqueScope::Live));
    let run = bench.add(unique("run", UniqueScope::Run));
    let window = bench.add(unique("window", UniqueScope::Window(SECOND)));
    let held = |bench: &mut Bench| ["live", "run", "window"].map(|key| bench.holder(key));
    assert_eq!(held(&mut bench), [Some(live), Some(run), Some(window)]);
    for key in [live, run, window] {
        bench.cancel(key);
    }
    assert_eq!(held(&mut bench), [None, Some(run), Some(window)], "two outlive their jobs");
    bench.now += SECOND;
    assert_eq!(held(&mut bench), [None, Some(run), None], "no maintenance is needed");
    let next = bench.add(unique("window", UniqueScope::Live));
    assert_eq!(bench.holder("window"), Some(next));
}

#[test]
fn a_unique_key_that_no_job_can_have_is_refused() {
    let mut bench = Bench::new();
    let request = Inspect::Unique { key: "u".repeat(1_025).into() };
    assert_eq!(bench.machine().inspect(&request).unwrap_err().kind(), ErrorKind::TooLarge);
}
