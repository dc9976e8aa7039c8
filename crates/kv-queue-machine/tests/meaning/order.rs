use std::time::Duration;

use kv_core::queue::{Control, NewJob, Operation, Verdict};
use kv_queue_machine::testing::Dump;

use crate::bench::{Bench, SECOND, job};

/// Claims one job, by its body.
fn next(bench: &mut Bench) -> String {
    bench.bodies(1).pop().unwrap_or_default()
}

#[test]
fn a_job_that_comes_back_goes_behind_those_that_wait() {
    let returns: [fn(&mut Bench, kv_core::queue::Handle); 4] = [
        |bench, handle| assert_eq!(bench.snooze(handle), Verdict::Applied),
        |bench, handle| assert_eq!(bench.retry(handle), Verdict::Applied),
        |bench, _| assert_eq!(bench.crash().recovered, 1),
        |bench, handle| {
            bench.fail(handle);
            bench.control(&Control::Redrive { keys: vec![], limit: 1 });
        },
    ];
    for comes_back in returns {
        let mut bench = Bench::with(&["a", "b"]);
        let handle = bench.take().handle;
        comes_back(&mut bench, handle);
        bench.add(job("c"));
        bench.add(NewJob { priority: 0, ..job("urgent") });
        assert_eq!(bench.bodies(9), ["urgent", "b", "a", "c"]);
        Dump::from(&bench.tables).check().unwrap();
    }
}

#[test]
fn a_job_that_waited_for_a_retry_goes_behind_those_that_entered_until_it_was_promoted() {
    let mut bench = Bench::with(&["a"]);
    let handle = bench.take().handle;
    bench.operate(handle, Operation::Snooze { after: SECOND });
    bench.add(job("b"));
    bench.now += SECOND;
    bench.maintain(10);
    bench.add(job("c"));
    assert_eq!(bench.bodies(9), ["b", "a", "c"]);
}

#[test]
fn a_delayed_job_that_was_never_delivered_keeps_its_rank() {
    let mut bench = Bench::new();
    bench.add(NewJob { delay: SECOND, ..job("a") });
    bench.add(job("b"));
    bench.now += SECOND;
    bench.maintain(10);
    assert_eq!(bench.bodies(9), ["a", "b"]);
}

#[test]
fn jobs_that_come_back_again_and_again_take_turns() {
    let mut bench = Bench::with(&["a", "b", "c"]);
    let mut order = Vec::new();
    for _ in 0..6 {
        bench.now += Duration::from_micros(1);
        let claimed = bench.take();
        order.push(String::from_utf8_lossy(&claimed.body).into_owned());
        bench.snooze(claimed.handle);
    }
    assert_eq!(order, ["a", "b", "c", "a", "b", "c"]);
}

#[test]
fn a_fresh_job_runs_although_many_others_come_back_at_once() {
    let mut bench = Bench::with(&["old"; 100]);
    bench.add(job("fresh"));
    for _ in 0..100 {
        let claimed = bench.take();
        bench.snooze(claimed.handle);
    }
    assert_eq!(next(&mut bench), "fresh");
}

#[test]
fn a_job_that_came_back_can_be_cancelled() {
    let mut bench = Bench::with(&["a"]);
    let handle = bench.take().handle;
    bench.snooze(handle);
    assert_eq!(bench.cancel(handle.key).affected, 1);
    assert_eq!((bench.counts().cancelled, bench.counts().outstanding()), (1, 0));
    Dump::from(&bench.tables).check().unwrap();
}

#[test]
fn the_number_of_jobs_that_entered_does_not_move_by_a_return() {
    let mut bench = Bench::with(&["a"]);
    let handle = bench.take().handle;
    bench.snooze(handle);
    assert_eq!(bench.counts().entered, 1);
    assert_eq!(bench.add(job("b")).sequence(), 2);
}
