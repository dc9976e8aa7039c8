use std::time::Duration;

use kv_core::queue::{Control, NewJob, Operation, SavedProgress, Submitted, UniqueScope, Verdict};
use kv_queue_machine::testing::Dump;

use crate::bench::{Bench, SECOND, claim, job, unique};

#[test]
fn a_pause_stops_claims_until_the_resume() {
    let mut bench = Bench::with(&["a"]);
    assert_eq!(bench.control(&Control::Pause).affected, 1);
    assert_eq!(bench.control(&Control::Pause).affected, 0);
    let answer = bench.exchange(claim(1));
    assert_eq!((answer.claimed.len(), answer.next_due), (0, None));
    assert!(bench.counts().paused);
    assert_eq!(bench.control(&Control::Resume).affected, 1);
    assert_eq!(bench.claim(1).len(), 1);
}

#[test]
fn a_cancel_ends_waiting_jobs_and_passes_over_others() {
    let mut bench = Bench::new();
    let ready = bench.add(job("ready"));
    let timed = bench.add(NewJob { delay: SECOND, ..job("timed") });
    let keys = vec![ready, timed, ready, kv_core::queue::JobKey::new(0, 99)];
    assert_eq!(bench.control(&Control::Cancel { keys }).affected, 2);
    let counts = bench.counts();
    assert_eq!((counts.outstanding(), counts.cancelled), (0, 2));
    Dump::from(&bench.tables).check().unwrap();
}

#[test]
fn a_running_job_that_was_cancelled_ends_at_its_next_operation() {
    for operation in [
        Operation::Retry { after: SECOND, reason: String::new() },
        Operation::Fail { reason: String::new() },
        Operation::Snooze { after: SECOND },
        Operation::Extend { lease: SECOND },
        Operation::Checkpoint { state: "x".into(), progress: 1 },
    ] {
        let mut bench = Bench::with(&["a"]);
        let handle = bench.take().handle;
        assert_eq!(bench.cancel(handle.key).affected, 1);
        assert_eq!(bench.cancel(handle.key).affected, 0);
        assert_eq!(bench.counts().cancelled, 0);
        assert_eq!(bench.operate(handle, operation), Verdict::Cancelled);
        assert_eq!((bench.counts().cancelled, bench.counts().outstanding()), (1, 0));
        assert_eq!(bench.ack(handle), Verdict::Stale);
    }
}

#[test]
fn an_ack_of_a_cancelled_job_counts_as_done() {
    let mut bench = Bench::with(&["a"]);
    let handle = bench.take().handle;
    bench.cancel(handle.key);
    assert_eq!(bench.ack(handle), Verdict::Applied);
    assert_eq!((bench.counts().done, bench.counts().cancelled), (1, 0));
}

#[test]
fn a_cancelled_job_whose_lease_ends_is_gone() {
    let mut bench = Bench::with(&["a"]);
    let handle = bench.take().handle;
    bench.cancel(handle.key);
    assert_eq!(bench.crash().recovered, 1);
    assert_eq!((bench.counts().cancelled, bench.counts().outstanding()), (1, 0));
}

#[test]
fn a_dead_letter_is_removed_by_a_cancel_and_counts_as_evicted() {
    let mut bench = Bench::with(&["a"]);
    let handle = bench.take().handle;
    bench.fail(handle);
    assert_eq!(bench.cancel(handle.key).affected, 1);
    let counts = bench.counts();
    assert_eq!((counts.dead, counts.evicted, counts.cancelled), (0, 1, 0));
    Dump::from(&bench.tables).check().unwrap();
}

#[test]
fn a_discard_removes_dead_letters_and_passes_over_other_jobs() {
    let mut bench = Bench::with(&["dead", "leased", "ready"]);
    let dead = bench.take().handle;
    bench.fail(dead);
    let leased = bench.take().handle;
    let keys = vec![dead.key, dead.key, leased.key, kv_core::queue::JobKey::new(8, 3)];
    assert_eq!(bench.control(&Control::Discard { keys }).affected, 1);
    let counts = bench.counts();
    assert_eq!((counts.dead, counts.evicted, counts.outstanding()), (0, 1, 2));
    assert_eq!(bench.ack(leased), Verdict::Applied);
}

#[test]
fn a_cancel_of_a_running_job_frees_its_unique_key_at_once_and_for_good() {
    let mut bench = Bench::new();
    let live = || unique("u", UniqueScope::Live);
    bench.add(live());
    let cancelled = bench.take().handle;
    bench.cancel(cancelled.key);
    let newer = bench.add(live());
    assert_eq!(bench.snooze(cancelled), Verdict::Cancelled);
    assert_eq!(bench.submit(vec![live()]), [Submitted::Duplicate(newer)]);
    Dump::from(&bench.tables).check().unwrap();
}

#[test]
fn a_redriven_job_keeps_its_key_and_checkpoint_and_has_fresh_budgets() {
    let mut bench = Bench::new();
    bench.policy.max_failures = 1;
    let ttl = Some(SECOND);
    bench.add(NewJob { time_to_live: ttl, ..unique("u", UniqueScope::Live) });
    let handle = bench.take().handle;
    bench.checkpoint(handle, "half", 1);
    bench.retry(handle);
    bench.now += 2 * SECOND;
    let redrive = Control::Redrive { keys: vec![handle.key], limit: 10 };
    assert_eq!(bench.control(&redrive).affected, 1);
    let again = bench.take();
    assert_eq!((again.handle.key, again.attempt, again.delivery), (handle.key, 1, 1));
    assert_eq!(again.checkpoint, Some(SavedProgress { state: "half".into(), progress: 1 }));
    let held = bench.submit(vec![unique("u", UniqueScope::Live)]);
    assert_eq!(held, [Submitted::Duplicate(handle.key)]);
}

#[test]
fn a_redrive_takes_the_oldest_or_the_named_up_to_its_limit() {
    let mut bench = Bench::with(&["a", "b", "c"]);
    let mut keys = Vec::new();
    for _ in 0..3 {
        bench.now += SECOND;
        let handle = bench.take().handle;
        bench.fail(handle);
        keys.push(handle.key);
    }
    let named = Control::Redrive { keys: keys[1..].to_vec(), limit: 1 };
    let controlled = bench.control(&named);
    assert_eq!((controlled.affected, controlled.more), (1, true));
    let controlled = bench.control(&Control::Redrive { keys: vec![], limit: 1 });
    assert_eq!((controlled.affected, controlled.more), (1, true));
    assert_eq!(bench.dead(None)[0].key, keys[2]);
    bench.now += SECOND;
    bench.add(job("d"));
    assert_eq!(bench.bodies(5), ["a", "b", "d"]);
}

#[test]
fn a_purge_removes_everything_in_one_step_and_keeps_the_counters() {
    let mut bench = Bench::with(&["a", "b", "c"]);
    bench.add(NewJob { delay: SECOND, ..unique("u", UniqueScope::Run) });
    let handle = bench.take().handle;
    let failed = bench.take().handle;
    bench.fail(failed);
    let purged = bench.control(&Control::Purge);
    assert_eq!((purged.affected, purged.more), (4, false));
    assert_eq!(bench.ack(handle), Verdict::Stale);
    assert_eq!((bench.counts().entered, bench.counts().outstanding()), (4, 0));
    let key = bench.add(unique("u", UniqueScope::Run));
    assert_eq!(key.sequence(), 5);
    assert!(bench.take().handle.token > handle.token);
    Dump::from(&bench.tables).check().unwrap();
}

#[test]
fn dead_letters_are_shown_oldest_first_and_behind_one() {
    let mut bench = Bench::with(&["a", "b", "c"]);
    let mut keys = Vec::new();
    for _ in 0..3 {
        let handle = bench.take().handle;
        bench.fail(handle);
        keys.push(handle.key);
        bench.now += Duration::from_micros(1);
    }
    let shown = |letters: Vec<kv_core::queue::DeadLetter>| -> Vec<_> {
        letters.into_iter().map(|letter| letter.key).collect()
    };
    assert_eq!(shown(bench.dead(None)), keys);
    assert_eq!(shown(bench.dead(Some(keys[0]))), keys[1..]);
    bench.control(&Control::Redrive { keys: vec![keys[0]], limit: 1 });
    assert_eq!(shown(bench.dead(Some(keys[0]))), keys[1..], "from the start when it is gone");
}
