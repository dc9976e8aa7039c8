use std::time::Duration;

use kv_core::queue::{Control, Exchange, GroupBlock, GroupLimit, Operation, Verdict};

use super::{many, of};
use crate::bench::{Bench, LEASE, SECOND, claim, exchange};

const FIFTH: Duration = Duration::from_millis(200);

fn two_at_a_time() -> Bench {
    let mut bench = Bench::limited(GroupLimit::new().concurrency(2));
    bench.submit(many("a", 5));
    bench
}

#[test]
fn no_more_jobs_of_a_group_run_than_its_concurrency_and_another_group_goes_on() {
    let mut bench = two_at_a_time();
    bench.submit(many("b", 1));
    assert_eq!(bench.bodies(9), ["a", "b", "a"]);
    assert_eq!(bench.bodies(9), [""; 0]);
    assert_eq!(bench.groups()[0].block, Some(GroupBlock::Concurrency));
    bench.check();
}

#[test]
fn whatever_ends_a_lease_frees_its_slot() {
    let ends: [fn(&mut Bench, kv_core::queue::Handle); 8] = [
        |bench, handle| assert_eq!(bench.ack(handle), Verdict::Applied),
        |bench, handle| assert_eq!(bench.retry(handle), Verdict::Applied),
        |bench, handle| assert_eq!(bench.fail(handle), Verdict::Buried),
        |bench, handle| assert_eq!(bench.snooze(handle), Verdict::Applied),
        |bench, handle| assert_eq!(bench.operate(handle, Operation::Release), Verdict::Applied),
        |bench, handle| {
            let after = Duration::ZERO;
            assert_eq!(bench.operate(handle, Operation::Limited { after }), Verdict::Applied);
        },
        |bench, handle| {
            bench.cancel(handle.key);
            assert_eq!(bench.snooze(handle), Verdict::Cancelled);
        },
        |bench, handle| {
            bench.operate(handle, Operation::Extend { lease: Duration::ZERO });
            assert_eq!(bench.maintain(9).recovered, 1);
        },
    ];
    for (index, end) in ends.into_iter().enumerate() {
        let mut bench = two_at_a_time();
        let handle = bench.claim(9)[0].handle;
        assert!(bench.claim(9).is_empty());
        end(&mut bench, handle);
        assert_eq!(bench.claim(9).len(), 1, "end {index}");
        bench.check();
    }
}

#[test]
fn a_slot_is_taken_again_in_the_exchange_that_frees_it() {
    let mut bench = two_at_a_time();
    let acks = vec![bench.claim(9)[0].handle];
    let exchanged = bench.exchange(Exchange { acks, ..claim(9) });
    assert_eq!((exchanged.acks, exchanged.claimed.len()), (vec![Verdict::Applied], 1));
}

#[test]
fn the_slots_of_a_dead_process_are_free_when_its_leases_end() {
    let mut bench = two_at_a_time();
    assert_eq!(bench.claim(9).len(), 2);
    let blocked = bench.exchange(claim(9));
    assert_eq!((blocked.claimed.len(), blocked.next_due), (0, Some(LEASE)));
    assert_eq!(bench.crash().recovered, 2);
    assert_eq!(bench.claim(9).len(), 2);
    bench.check();
}

#[test]
fn starts_are_spaced_and_a_claim_says_when_the_next_may_come() {
    let mut bench = Bench::limited(GroupLimit::new().rate(5, SECOND));
    bench.submit(many("a", 5));
    let first = bench.exchange(claim(9));
    assert_eq!((first.claimed.len(), first.next_due, first.more), (1, Some(FIFTH), false));
    bench.now += FIFTH - Duration::from_micros(1);
    assert!(bench.claim(9).is_empty());
    bench.now += Duration::from_micros(1);
    assert_eq!(bench.claim(9).len(), 1);
    bench.now += 10 * SECOND;
    assert_eq!(bench.claim(9).len(), 1, "time without starts saves none up");
    bench.check();
}

#[test]
fn a_burst_comes_at_once_and_the_rate_goes_on() {
    let mut bench = Bench::limited(GroupLimit::new().rate(5, SECOND).burst(3));
    bench.submit(many("a", 50));
    let mut started = Vec::new();
    for _ in 0..11 {
        started.push(bench.claim(9).len());
        bench.now += FIFTH / 2;
    }
    assert_eq!(started, [3, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1]);
}

/// A job that enters an empty group is held to the starts before.
#[test]
fn a_rate_counts_over_the_time_in_which_the_group_is_empty() {
    let mut bench = Bench::limited(GroupLimit::new().rate(1, SECOND));
    bench.submit(many("a", 1));
    let handle = bench.take().handle;
    bench.ack(handle);
    assert_eq!(bench.groups()[0].block, Some(GroupBlock::Rate(SECOND)));
    bench.submit(many("a", 1));
    assert_eq!(bench.exchange(claim(1)).next_due, Some(SECOND));
    bench.now += SECOND;
    bench.take();
}

#[test]
fn maintenance_lets_a_spaced_group_go_on_and_says_when_the_next_one_may() {
    let mut bench = Bench::limited(GroupLimit::new().rate(1, SECOND));
    bench.submit([many("a", 2), many("b", 2)].concat());
    bench.claim(1);
    bench.now += SECOND / 2;
    bench.claim(9);
    bench.now += SECOND / 2;
    let wakes = bench.tables.wakes();
    let maintained = bench.maintain(9);
    assert_eq!((maintained.unblocked, maintained.next_due), (1, Some(SECOND / 2)));
    assert!(bench.tables.wakes() > wakes, "somebody should claim");
    assert_eq!(bench.bodies(9), ["a"]);
}

#[test]
fn a_groups_own_limit_goes_before_the_queues_until_it_is_taken_away() {
    let mut bench = two_at_a_time();
    let own = |limit| Control::LimitGroup { group: "a".into(), limit };
    assert_eq!(bench.claim(9).len(), 2);
    let three = own(Some(GroupLimit::new().concurrency(3)));
    assert_eq!((bench.control(&three).affected, bench.control(&three).affected), (1, 0));
    assert_eq!(bench.claim(9).len(), 1);
    assert_eq!(bench.control(&own(None)).affected, 1);
    let handles: Vec<_> = [1, 2].map(|sequence| bench.handle_of(sequence)).into();
    bench.exchange(Exchange { acks: handles, ..exchange() });
    assert_eq!(bench.claim(9).len(), 1);
    bench.check();
}

#[test]
fn a_changed_rate_counts_at_once() {
    let mut bench = Bench::limited(GroupLimit::new().rate(1, 3_600 * SECOND));
    bench.submit(many("a", 3));
    bench.take();
    let limit = Some(GroupLimit::new().rate(1, SECOND));
    bench.control(&Control::LimitGroup { group: "a".into(), limit });
    assert_eq!(bench.exchange(claim(1)).next_due, Some(SECOND));
    bench.now += SECOND;
    bench.take();
}

#[test]
fn a_limit_that_cannot_be_is_refused_and_a_name_too() {
    let mut bench = Bench::new();
    let limit = Some(GroupLimit::new().concurrency(0));
    let control = Control::LimitGroup { group: "a".into(), limit };
    assert!(bench.machine().control(&control).is_err());
    let control = Control::PauseGroup { group: "".into(), time: SECOND };
    assert!(bench.machine().control(&control).is_err());
    let jobs = vec![of("a", "a"), of("b\n", "b")];
    let submit = kv_core::queue::Submit { session: None, jobs };
    assert!(bench.machine().submit(&submit).is_err());
    assert_eq!(bench.counts().entered, 0);
}

impl Bench {
    /// The handle of the job of this sequence number, under the last token.
    fn handle_of(&mut self, sequence: u64) -> kv_core::queue::Handle {
        use kv_queue_machine::{Set, Tables};
        let key = kv_core::queue::JobKey::new(8, sequence);
        let leases = self.tables.first(Set::Leases, 99).unwrap();
        let lease = leases.iter().find(|lease| lease.name.starts_with(&key.to_string())).unwrap();
        let token = lease.name.split(':').nth(1).unwrap().parse().unwrap();
        kv_core::queue::Handle { key, token }
    }
}
