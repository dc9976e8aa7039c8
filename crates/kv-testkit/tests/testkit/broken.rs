//! Each rule has a store that breaks it and nothing else on purpose; its case must say so.

mod contents;
mod fault;
mod plots;
mod slip;
mod sql;
mod verbs;
mod watched;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use kv_core::BoxError;
use kv_testkit::{Backend, Case, ManualClock, cases};

pub(crate) use fault::Fault;
pub(crate) use fault::PLANTED;
use slip::Slip;
use sql::Plot;
use verbs::Broken;

/// Rules that belong to `kv_core::Store` alone: no backend can break them.
const STORES_OWN: [&str; 3] = [
    "a_closed_typed_store_refuses_every_verb",
    "reserved_keys_are_refused_by_every_verb",
    "reserved_keys_are_hidden_from_scans",
];

/// Makes stores with one fault, or none.
pub(crate) struct Plant {
    fault: Option<Fault>,
    clock: ManualClock,
}

impl Plant {
    pub(crate) fn new(fault: Option<Fault>) -> Self {
        Self { fault, clock: ManualClock::new() }
    }
}

impl Backend for Plant {
    type Store = Arc<Broken>;

    async fn fresh(&self) -> Result<Arc<Broken>, BoxError> {
        Ok(Arc::new(Broken::new(self.fault, self.clock.clone())))
    }

    fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    fn another(&self, store: &Arc<Broken>) -> Option<Arc<Broken>> {
        Some(Arc::new(store.another()))
    }
}

mod without_a_fault {
    kv_testkit::conformance!(super::Plant::new(None));
}

pub(crate) fn case(name: &str) -> Case {
    let found = cases().into_iter().find(|case| case.name() == name);
    found.unwrap_or_else(|| panic!("there is no case {name}"))
}

mod on_a_table_without_a_slip {
    kv_testkit::conformance!(super::Plot::new(None));
}

/// On one thread, so that a race is lost every time or never.
fn fails(case: &Case, backend: &impl Backend) -> bool {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(case.run(backend)).is_err()
}

fn is_caught(fault: Fault, name: &str) -> bool {
    fails(&case(name), &Plant::new(Some(fault)))
}

/// The cases that a store with this slip fails.
fn catchers(slip: Slip) -> Vec<&'static str> {
    let all = cases();
    let failing = all.iter().filter(|case| fails(case, &Plot::new(Some(slip))));
    failing.map(Case::name).collect()
}

/// Fails unless each slip makes the case of its rule fail.
fn are_caught(plots: Vec<(Slip, &str)>) {
    let mut missed = plots;
    missed.retain(|(slip, name)| !fails(&case(name), &Plot::new(Some(*slip))));
    let first = missed.first().map(|(slip, _)| catchers(*slip));
    assert!(missed.is_empty(), "not caught: {missed:#?}; the first one only by {first:?}");
}

macro_rules! caught {
    ($($test:ident: $group:ident)*) => {
        $(
            #[test]
            fn $test() {
                are_caught(plots::$group());
            }
        )*
    };
}

caught! {
    every_gap_between_two_steps_is_caught: gaps
    every_write_that_breaks_when_it_is_dropped_is_caught: drops
    every_handle_that_misses_another_is_caught: handles
    every_slip_of_versions_is_caught: versions
    every_trace_of_a_key_that_went_is_caught: leavings
    every_failure_that_changes_something_is_caught: failures
    every_slip_of_lifetimes_is_caught: lifetimes
    every_slip_of_counters_is_caught: counters
    every_shape_that_is_changed_is_caught: shapes
    every_slip_of_walks_is_caught: walks
    every_size_that_is_too_much_is_caught: sizes
    every_answer_after_the_end_is_caught: ends
    every_wrong_word_is_caught: told
}

#[test]
fn every_planted_fault_is_caught_by_the_case_of_its_rule() {
    let missed: Vec<_> = PLANTED.iter().filter(|(fault, name)| !is_caught(*fault, name)).collect();
    assert!(missed.is_empty(), "not caught: {missed:#?}");
}

#[test]
fn a_store_whose_walks_repeat_keys_is_sound() {
    let wrong: Vec<&str> =
        cases().iter().map(Case::name).filter(|name| is_caught(Fault::ScanRepeats, name)).collect();
    assert!(wrong.is_empty(), "refused by {wrong:?}");
}

#[test]
fn every_case_has_a_fault_that_it_is_proven_on() {
    let own = PLANTED.iter().map(|(_, name)| *name);
    let durable = crate::durable::PLANTED.iter().map(|(_, name)| *name);
    let plotted = plots::GROUPS.iter().flat_map(|group| group()).map(|(_, name)| name);
    let watched = watched::PLANTED.iter().map(|(_, name)| *name);
    let proven: BTreeSet<&str> =
        own.chain(durable).chain(plotted).chain(watched).chain(STORES_OWN).collect();
    let listed: BTreeSet<&str> = cases().iter().map(Case::name).collect();
    assert_eq!(proven, listed);
}

#[test]
fn every_case_has_a_name_of_its_own() {
    let names: BTreeSet<&str> = cases().iter().map(Case::name).collect();
    assert_eq!(names.len(), cases().len());
}

#[test]
fn a_case_that_does_not_exist_is_a_failure() {
    let failure = kv_testkit::run_case("no_such_rule", &Plant::new(None)).unwrap_err();
    assert!(failure.to_string().contains("no_such_rule"));
}
