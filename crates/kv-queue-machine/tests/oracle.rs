//! The machine answers the same on every kind of tables.

#[path = "oracle/faulty_engine.rs"]
mod faulty_engine;
#[path = "oracle/faulty_tables.rs"]
mod faulty_tables;
#[path = "oracle/planted.rs"]
mod planted;
#[path = "oracle/support.rs"]
mod support;

use kv_queue_machine::MemTables;
use kv_queue_machine::testing::{Coverage, NaiveTables, check, check_scripts, draw_full};
use support::{Hosted, block_on};

const STEPS: usize = 500;

#[test]
fn memory_tables_and_naive_tables_give_the_same_answers_and_every_case_is_met() {
    let make = async || Hosted::new(MemTables::default, |tables| tables.into());
    let seen = block_on(check(make, 0..120, STEPS)).unwrap();
    for what in Coverage::CASES {
        assert!(seen.of(what) >= 20, "{what} was met {} times: {seen:?}", seen.of(what));
    }
}

#[test]
fn requests_as_large_as_they_may_be_get_the_same_answers() {
    let make = async || Hosted::new(MemTables::default, |tables| tables.into());
    block_on(check_scripts(make, (0..3).map(|seed| draw_full(seed, 30)))).unwrap();
}

#[test]
fn naive_tables_agree_with_themselves() {
    let make = async || Hosted::new(NaiveTables::default, |tables| tables.into());
    block_on(check(make, 1_000..1_005, STEPS)).unwrap();
}
