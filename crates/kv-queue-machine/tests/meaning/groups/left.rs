use kv_core::queue::{Control, GroupLimit, Inspect, Inspected, NewJob, Operation};
use kv_queue_machine::{Map, Set, Tables};

use super::{many, of};
use crate::bench::{Bench, SECOND, job};

fn is_empty(bench: &Bench) -> bool {
    let sets = [Set::Queued, Set::Ring, Set::Blocked, Set::Groups];
    let sets = sets.iter().all(|set| bench.tables.len(*set).unwrap() == 0);
    sets && bench.tables.map_len(Map::Group) == 0
}

#[test]
fn a_group_without_jobs_leaves_nothing() {
    let mut bench = Bench::limited(GroupLimit::new().concurrency(2).weight(3));
    bench.submit(many("a", 3));
    while let Some(claimed) = bench.claim(1).pop() {
        bench.ack(claimed.handle);
    }
    assert!(is_empty(&bench));
    let key = bench.add(of("a", "a"));
    bench.cancel(key);
    assert!(is_empty(&bench));
}

#[test]
fn a_group_is_forgotten_when_its_last_start_no_longer_counts() {
    let mut bench = Bench::limited(GroupLimit::new().rate(1, SECOND));
    bench.submit(many("a", 1));
    let handle = bench.take().handle;
    bench.ack(handle);
    assert_eq!(bench.maintain(9).next_due, None, "it wakes nobody");
    assert!(!is_empty(&bench));
    bench.now += SECOND;
    assert_eq!(bench.maintain(9).forgotten, 1);
    assert!(is_empty(&bench));
}

#[test]
fn a_limit_of_its_own_stays_until_it_is_taken_away() {
    let mut bench = Bench::new();
    let own = |limit| Control::LimitGroup { group: "a".into(), limit };
    bench.control(&own(Some(GroupLimit::new().concurrency(1))));
    bench.now += 1_000 * SECOND;
    bench.maintain(9);
    bench.submit(many("a", 2));
    assert_eq!(bench.claim(9).len(), 1);
    bench.crash();
    bench.control(&Control::Purge);
    assert!(is_empty(&bench), "a purge takes it away too");
    bench.control(&own(Some(GroupLimit::new().concurrency(1))));
    bench.control(&own(None));
    assert!(is_empty(&bench));
}

#[test]
fn a_purge_leaves_nothing_of_any_group() {
    let mut bench = Bench::limited(GroupLimit::new().concurrency(2));
    bench.submit([many("a", 4), many("b", 4), vec![job("plain"), job("plain")]].concat());
    bench.claim(5);
    assert_eq!(bench.control(&Control::Purge).affected, 10);
    bench.check();
    assert!(is_empty(&bench));
    assert_eq!(bench.counts().outstanding(), 0);
}

#[test]
fn a_dead_letter_keeps_its_group_over_a_redrive() {
    let mut bench = Bench::limited(GroupLimit::new().concurrency(1));
    bench.submit(vec![of("a", "a1"), of("a", "a2")]);
    let handle = bench.take().handle;
    bench.fail(handle);
    bench.control(&Control::Redrive { keys: vec![], limit: 9 });
    let claimed = bench.claim(9);
    assert_eq!((claimed.len(), claimed[0].group.as_deref()), (1, Some("a")));
    bench.check();
}

#[test]
fn delayed_jobs_join_their_group_when_they_are_due() {
    let mut bench = Bench::limited(GroupLimit::new().concurrency(1));
    bench.submit(vec![NewJob { delay: SECOND, ..of("a", "late") }, of("a", "now")]);
    let handle = bench.take().handle;
    bench.operate(handle, Operation::Snooze { after: 2 * SECOND });
    bench.now += SECOND;
    assert_eq!(bench.maintain(9).promoted, 1);
    assert_eq!(bench.bodies(9), ["late"]);
    bench.check();
}

#[test]
fn groups_are_listed_by_pages_and_peeked_behind_plain_jobs() {
    let mut bench = Bench::new();
    bench.submit(vec![of("b", "b1"), of("a", "a1"), job("plain"), of("a", "a2")]);
    bench.claim(1);
    let states = bench.groups();
    let names: Vec<_> = states.iter().map(|it| (&*it.name, it.waiting, it.running)).collect();
    assert_eq!(names, [("a", 2, 0), ("b", 1, 0)]);
    let default = GroupLimit::new();
    let after = Inspect::Groups { after: Some("a".into()), limit: 9, default };
    let Inspected::Groups(rest) = bench.machine().inspect(&after).unwrap() else { panic!() };
    assert_eq!(rest, states[1..]);
    bench.submit(vec![job("plain")]);
    let all = Inspect::Peek { after: None, limit: 9, bytes: 99 };
    let Inspected::Jobs(jobs) = bench.machine().inspect(&all).unwrap() else { panic!() };
    let bodies: Vec<_> = jobs.iter().map(|job| &job.body[..]).collect();
    assert_eq!(bodies, [&b"plain"[..], b"a1", b"a2", b"b1"]);
    let rest = Inspect::Peek { after: Some(jobs[1].key), limit: 9, bytes: 99 };
    let Inspected::Jobs(rest) = bench.machine().inspect(&rest).unwrap() else { panic!() };
    assert_eq!(rest, jobs[2..]);
}
