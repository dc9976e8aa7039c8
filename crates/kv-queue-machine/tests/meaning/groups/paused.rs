use std::time::Duration;

use kv_core::queue::{Control, Exchange, GroupBlock, GroupLimit, NewJob, Operation};

use super::{many, of};
use crate::bench::{Bench, SECOND, claim, exchange, job};

fn pause(group: &str, time: Duration) -> Control {
    Control::PauseGroup { group: group.into(), time }
}

#[test]
fn a_limited_group_starts_nothing_for_its_time_and_then_the_same_job_first() {
    let mut bench = Bench::new();
    bench.submit(vec![of("a", "a1"), of("a", "a2"), of("b", "b1")]);
    let claimed = bench.take();
    bench.operate(claimed.handle, Operation::Limited { after: 30 * SECOND });
    assert_eq!(bench.bodies(9), ["b1"]);
    assert_eq!(bench.exchange(claim(1)).next_due, Some(10 * SECOND), "a lease of b ends earlier");
    assert_eq!(bench.groups()[0].block, Some(GroupBlock::Paused(30 * SECOND)));
    bench.now += 30 * SECOND;
    let again = bench.take();
    assert_eq!((again.body, again.attempt, again.delivery), ("a1".into(), 1, 1));
    bench.check();
}

#[test]
fn limited_charges_no_budget_however_often_it_is_said() {
    let mut bench = Bench::new();
    bench.policy.max_deliveries = 2;
    bench.submit(vec![NewJob { time_to_live: Some(SECOND), ..of("a", "a") }]);
    for _ in 0..10 {
        let handle = bench.take().handle;
        bench.operate(handle, Operation::Limited { after: SECOND });
        bench.now += SECOND;
    }
    assert_eq!(bench.take().delivery, 1);
}

#[test]
fn limited_never_shortens_a_pause() {
    let mut bench = Bench::new();
    bench.submit(many("a", 3));
    let [one, two] = [bench.take(), bench.take()];
    bench.operate(one.handle, Operation::Limited { after: 30 * SECOND });
    bench.operate(two.handle, Operation::Limited { after: SECOND });
    assert_eq!(bench.exchange(claim(9)).next_due, Some(30 * SECOND));
}

#[test]
fn without_a_group_the_limited_job_waits_alone() {
    let mut bench = Bench::with(&["a", "b"]);
    let handle = bench.take().handle;
    bench.operate(handle, Operation::Limited { after: SECOND });
    assert_eq!(bench.bodies(9), ["b"]);
    bench.now += SECOND;
    bench.maintain(9);
    bench.add(job("c"));
    let claimed = bench.claim(9);
    assert_eq!((&claimed[0].body[..], claimed[0].delivery), (&b"a"[..], 1));
}

#[test]
fn a_paused_group_waits_for_its_time_or_for_its_end_and_others_go_on() {
    let mut bench = Bench::new();
    assert_eq!(bench.control(&pause("a", 60 * SECOND)).affected, 1);
    bench.submit(many("a", 2));
    bench.submit(many("b", 1));
    assert_eq!(bench.bodies(9), ["b"]);
    assert_eq!(bench.control(&pause("a", Duration::ZERO)).affected, 1);
    assert_eq!(bench.control(&pause("a", Duration::ZERO)).affected, 0);
    assert_eq!(bench.bodies(1), ["a"]);
    bench.control(&pause("a", Duration::MAX));
    bench.now += 1_000_000 * SECOND;
    assert_eq!(bench.bodies(9), [""; 0]);
    bench.check();
}

#[test]
fn a_pause_of_a_full_group_counts_when_a_slot_is_free() {
    let mut bench = Bench::limited(GroupLimit::new().concurrency(1));
    bench.submit(many("a", 2));
    let handle = bench.take().handle;
    assert!(bench.claim(1).is_empty());
    bench.control(&pause("a", SECOND));
    bench.exchange(Exchange { acks: vec![handle], ..exchange() });
    assert_eq!(bench.exchange(claim(1)).next_due, Some(SECOND));
    bench.now += SECOND;
    bench.take();
    bench.check();
}
