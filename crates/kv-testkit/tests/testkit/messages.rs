//! What a failure says: the case, its line, the key, what was got and expected, and the calls.

use crate::broken::{Fault, PLANTED, Plant, case};

/// On one thread, so that a race is lost every time or never.
fn told(fault: Fault, name: &str) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let plant = Plant::new(Some(fault));
    runtime.block_on(case(name).run(&plant)).unwrap_err().to_string()
}

fn contains_all(told: &str, parts: &[&str]) {
    for part in parts {
        assert!(told.contains(part), "{part:?} is not in: {told}");
    }
}

#[test]
fn a_failure_names_the_case_its_line_the_key_and_both_sides() {
    let told = told(Fault::FirstWriteStays, "set_overwrites");
    contains_all(&told, &["set_overwrites: ", "kv-testkit/src/cases/values.rs:", "got \""]);
}

#[test]
fn the_last_calls_are_told_with_their_answers() {
    let told = told(Fault::KeepClears, "keep_keeps_the_lifetime");
    contains_all(&told, &[" steps:\n", "set \"", "Keep", "-> written as version "]);
    contains_all(&told, &["(time goes on by ", "ttl \"", "-> for ever"]);
}

#[test]
fn entries_are_shown_with_their_values() {
    let told = told(Fault::EmptyIsMissing, "an_empty_value_exists");
    contains_all(&told, &["got none", "-> none"]);
}

#[test]
fn no_error_is_called_no_error() {
    let told = told(Fault::ExistsAfterClose, "a_closed_store_refuses_every_call");
    assert!(!told.contains("got None"), "{told}");
}

#[test]
fn every_failure_tells_its_case_and_a_line_of_a_case_and_two_sides_that_differ() {
    for (fault, name) in PLANTED {
        let told = told(*fault, name);
        let first = told.lines().next().unwrap_or_default();
        assert!(first.starts_with(&format!("{name}: ")), "{fault:?}: {told}");
        let is_of_a_case = first.contains("/cases/") || first.contains("/refusals.rs:");
        assert!(is_of_a_case, "{fault:?}: {told}");
        if let Some((_, sides)) = first.split_once(": got ") {
            let (got, expected) = sides.rsplit_once(", expected ").unwrap_or((sides, ""));
            assert!(!expected.starts_with(&format!("{got} (")), "{fault:?}: {told}");
        }
        assert!(told.contains(" steps:\n"), "{fault:?}: {told}");
        assert!(told.len() < 8_000, "{fault:?}: {} bytes", told.len());
    }
}
