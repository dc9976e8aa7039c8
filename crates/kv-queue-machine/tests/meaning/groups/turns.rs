use std::collections::BTreeMap;

use kv_core::queue::{GroupLimit, NewJob};

use super::{many, of};
use crate::bench::{Bench, job};

#[test]
fn groups_take_turns_and_jobs_without_a_group_are_a_group_among_them() {
    let mut bench = Bench::new();
    bench.submit(many("a", 3));
    bench.submit(vec![job("plain"), job("plain")]);
    bench.submit(many("b", 2));
    assert_eq!(bench.bodies(3), ["plain", "a", "b"]);
    assert_eq!(bench.bodies(9), ["plain", "a", "b", "a"]);
    bench.check();
}

#[test]
fn jobs_of_a_group_are_in_the_order_in_which_they_entered() {
    let mut bench = Bench::new();
    bench.submit(vec![of("a", "1"), of("b", "2"), of("a", "3"), of("b", "4")]);
    assert_eq!(bench.bodies(9), ["1", "2", "3", "4"]);
}

#[test]
fn a_more_urgent_job_goes_before_the_turns_of_other_groups() {
    let mut bench = Bench::new();
    bench.submit(vec![of("a", "a1"), of("b", "b1"), job("plain")]);
    bench.submit(vec![NewJob { priority: 0, ..of("b", "urgent") }, of("c", "c1")]);
    assert_eq!(bench.bodies(9), ["urgent", "plain", "a1", "c1", "b1"]);
    bench.check();
}

#[test]
fn a_weight_starts_several_jobs_in_a_turn_however_few_a_claim_takes() {
    let mut bench = Bench::limited(GroupLimit::new().weight(3));
    bench.submit(many("a", 5));
    bench.submit(many("b", 4));
    let one_by_one: Vec<String> = (0..9).flat_map(|_| bench.bodies(1)).collect();
    assert_eq!(one_by_one, ["a", "a", "a", "b", "b", "b", "a", "a", "b"]);
}

/// Any group waits for no more claims than there are groups.
#[test]
fn a_group_with_one_job_starts_it_in_one_round_beside_a_group_with_very_many() {
    let mut bench = Bench::new();
    for _ in 0..20 {
        bench.submit(many("big", 500));
    }
    bench.submit((0..100).map(|group| of(&format!("small {group}"), "small")).collect());
    let started = bench.bodies(101);
    assert_eq!(started.iter().filter(|body| *body == "small").count(), 100);
    bench.submit(vec![of("late", "late")]);
    bench.submit(many("other", 9));
    assert!(bench.bodies(3).contains(&"late".to_owned()));
}

/// A group whose only job comes back at once takes no more turns than the others.
#[test]
fn a_group_that_empties_and_fills_again_gets_no_more_than_its_share() {
    let mut bench = Bench::new();
    bench.submit(many("big", 100));
    bench.submit(many("again", 1));
    let mut started: BTreeMap<String, u32> = BTreeMap::new();
    for _ in 0..20 {
        let body = bench.bodies(1).remove(0);
        if body == "again" {
            bench.submit(many("again", 1));
        }
        *started.entry(body).or_default() += 1;
    }
    assert_eq!(started, BTreeMap::from([("again".to_owned(), 10), ("big".to_owned(), 10)]));
}

#[test]
fn without_groups_nothing_of_them_is_stored() {
    let mut bench = Bench::new();
    let before = bench.tables.encode().unwrap();
    bench.submit(vec![job("a"), job("b")]);
    let plain = bench.bodies(2);
    assert_eq!(plain, ["a", "b"]);
    assert_eq!(bench.tables.encode().unwrap()[0], before[0], "the format of builds without groups");
    bench.submit(vec![of("a", "a")]);
    assert_ne!(bench.tables.encode().unwrap()[0], before[0]);
}
