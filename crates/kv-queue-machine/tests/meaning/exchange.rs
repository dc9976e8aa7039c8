use std::time::Duration;

use kv_core::queue::MAX_REASON_BYTES;
use kv_core::queue::{Exchange, Handle, NewJob, Operation, Policy, SavedProgress, Verdict};
use kv_queue_machine::reason;

use crate::bench::{Bench, LEASE, SECOND, claim, exchange, job};

#[test]
fn acks_come_before_operations_and_the_claim_last() {
    let mut bench = Bench::with(&["a", "b"]);
    let [a, b] = [bench.take().handle, bench.take().handle];
    let snooze = Operation::Snooze { after: Duration::ZERO };
    let operations = vec![(a, snooze.clone()), (b, snooze)];
    let answer = bench.exchange(Exchange { acks: vec![a, a], operations, ..claim(5) });
    assert_eq!(answer.acks, [Verdict::Applied, Verdict::Stale]);
    assert_eq!(answer.operations, [Verdict::Stale, Verdict::Applied]);
    assert_eq!(answer.claimed[0].handle.key, b.key);
}

#[test]
fn every_use_of_an_old_token_is_stale_and_changes_nothing() {
    let mut bench = Bench::with(&["a"]);
    let old = bench.take().handle;
    bench.crash();
    let new = bench.take();
    assert!(new.handle.token > old.token);
    assert_eq!(bench.ack(old), Verdict::Stale);
    assert_eq!([bench.retry(old), bench.fail(old), bench.snooze(old)], [Verdict::Stale; 3]);
    assert_eq!(bench.checkpoint(old, "x", 9), Verdict::Stale);
    assert_eq!(bench.operate(old, Operation::Extend { lease: LEASE }), Verdict::Stale);
    let forged = Handle { token: new.handle.token + 1, ..new.handle };
    assert_eq!(bench.ack(forged), Verdict::Stale);
    assert_eq!(bench.ack(new.handle), Verdict::Applied);
    assert_eq!(bench.counts().done, 1);
}

#[test]
fn a_lease_that_ended_can_be_settled_until_it_is_recovered() {
    let mut bench = Bench::with(&["a"]);
    let handle = bench.take().handle;
    bench.now += 2 * LEASE;
    assert_eq!(bench.ack(handle), Verdict::Applied);
}

#[test]
fn tokens_rise_also_when_the_clock_goes_back() {
    let mut bench = Bench::with(&["a", "b", "c"]);
    let first = bench.take().handle.token;
    let second = bench.take().handle.token;
    bench.now -= 1_000 * SECOND;
    let third = bench.take().handle.token;
    assert_eq!([first + 1, first + 2], [second, third]);
}

#[test]
fn failures_below_the_budget_retry_and_the_last_one_buries() {
    let mut bench = Bench::with(&["a"]);
    bench.policy = Policy { max_failures: 2, ..bench.policy };
    let first = bench.take();
    assert_eq!((first.attempt, first.delivery), (1, 1));
    assert_eq!(bench.retry(first.handle), Verdict::Applied);
    let second = bench.take();
    assert_eq!((second.attempt, second.delivery), (2, 2));
    assert_eq!(bench.retry(second.handle), Verdict::Buried);
    let letter = &bench.dead(None)[0];
    assert_eq!((&*letter.reason, letter.failures, letter.deliveries), ("why", 2, 2));
    assert_eq!((letter.died, &letter.body[..]), (bench.now, &b"a"[..]));
}

#[test]
fn a_retry_waits_for_its_delay() {
    let mut bench = Bench::with(&["a"]);
    let handle = bench.take().handle;
    bench.operate(handle, Operation::Retry { after: SECOND, reason: String::new() });
    assert_eq!((bench.counts().timed, bench.claim(1).len()), (1, 0));
    bench.now += SECOND;
    bench.maintain(1);
    assert_eq!(bench.take().attempt, 2);
}

#[test]
fn a_failure_for_good_buries_at_once_with_its_reason_cut() {
    let mut bench = Bench::with(&["a"]);
    let handle = bench.take().handle;
    let fail = Operation::Fail { reason: "é".repeat(1_000) };
    assert_eq!(bench.operate(handle, fail), Verdict::Buried);
    assert_eq!(bench.dead(None)[0].reason.len(), MAX_REASON_BYTES);
}

#[test]
fn a_snooze_charges_only_the_deliveries() {
    let mut bench = Bench::with(&["a"]);
    let policy = Policy { max_failures: 1, max_crashes: 1, max_deliveries: 3, ..bench.policy };
    bench.policy = policy;
    for delivery in 1..=3 {
        let claimed = bench.take();
        assert_eq!((claimed.attempt, claimed.delivery), (1, delivery));
        assert_eq!(bench.snooze(claimed.handle), Verdict::Applied);
    }
    assert!(bench.claim(1).is_empty());
    let letter = &bench.dead(None)[0];
    assert_eq!((&*letter.reason, letter.deliveries), (reason::DELIVERED, 3));
}

#[test]
fn extending_moves_the_end_of_the_lease() {
    let mut bench = Bench::with(&["a"]);
    let handle = bench.take().handle;
    bench.operate(handle, Operation::Extend { lease: 3 * LEASE });
    assert_eq!(bench.crash().recovered, 0);
    bench.operate(handle, Operation::Extend { lease: SECOND });
    bench.now += SECOND;
    assert_eq!(bench.maintain(10).recovered, 1);
}

#[test]
fn a_checkpoint_reaches_the_next_delivery_with_the_highest_progress() {
    let mut bench = Bench::with(&["a"]);
    let handle = bench.take().handle;
    bench.checkpoint(handle, "one", 5);
    bench.checkpoint(handle, "two", 3);
    bench.retry(handle);
    let saved = bench.take().checkpoint;
    assert_eq!(saved, Some(SavedProgress { state: "two".into(), progress: 5 }));
}

#[test]
fn progress_renews_the_budget_of_failures_and_the_attempts_go_on() {
    let mut bench = Bench::with(&["a"]);
    bench.policy = Policy { max_failures: 2, ..bench.policy };
    for round in 1..=5 {
        let claimed = bench.take();
        assert_eq!(claimed.attempt, u32::try_from(round).unwrap());
        bench.checkpoint(claimed.handle, "on", round);
        assert_eq!(bench.retry(claimed.handle), Verdict::Applied);
    }
    let stuck = bench.take().handle;
    bench.checkpoint(stuck, "on", 5);
    assert_eq!(bench.retry(stuck), Verdict::Buried, "progress did not rise");
}

#[test]
fn a_job_that_was_never_claimed_in_time_is_buried_by_the_claim() {
    let mut bench = Bench::new();
    bench.add(NewJob { time_to_live: Some(SECOND), ..job("old") });
    bench.add(job("new"));
    bench.now += SECOND;
    assert_eq!(bench.bodies(1), ["new"], "the claim looks past what it buries");
    assert_eq!(bench.dead(None)[0].reason, reason::EXPIRED);
}

#[test]
fn a_time_to_live_does_not_end_a_job_that_was_delivered_once() {
    let mut bench = Bench::new();
    bench.add(NewJob { time_to_live: Some(SECOND), ..job("a") });
    bench.take();
    bench.crash();
    assert_eq!(bench.take().attempt, 2);
}

#[test]
fn a_short_claim_tells_when_the_next_job_or_lease_is_due() {
    let mut bench = Bench::with(&["a"]);
    assert_eq!(bench.exchange(claim(1)).next_due, None, "it was not short");
    assert_eq!(bench.exchange(claim(1)).next_due, Some(LEASE));
    bench.add(NewJob { delay: SECOND, ..job("later") });
    assert_eq!(bench.exchange(claim(1)).next_due, Some(SECOND));
    bench.now += 2 * SECOND;
    assert_eq!(bench.exchange(claim(1)).next_due, Some(Duration::ZERO));
    assert_eq!(Bench::new().exchange(claim(1)).next_due, None);
    assert_eq!(bench.exchange(exchange()).next_due, None, "it was no claim");
}
