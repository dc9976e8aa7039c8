//! A run from end to end, small: the gate, the contestants, a table.

#![cfg(test)]

use std::process::Command;

#[test]
fn a_quick_run_passes_the_gate_and_tells_whether_its_targets_are_met() {
    let output = Command::new(env!("CARGO_BIN_EXE_kv-bench"))
        .args(["queue", "--quick", "--rounds", "1", "--only", "bulk,single"])
        .output()
        .unwrap();
    let (text, errors) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{errors}");
    for expected in ["## add one by one", "| floor |", "| kv-queue |", "of 4 targets met"] {
        assert!(text.contains(expected), "{expected:?} is not in {text}");
    }
}

#[test]
fn a_quick_run_on_a_file_needs_no_server_and_judges_each_bound() {
    let output = Command::new(env!("CARGO_BIN_EXE_kv-bench"))
        .args(["store", "--quick", "--rounds", "1", "--only", "sqlite", "--stored", "10000"])
        .output()
        .unwrap();
    let (text, errors) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{errors}");
    for expected in
        ["## set in a file", "## get from a file", "## values of 10 MiB", "of 13 targets met"]
    {
        assert!(text.contains(expected), "{expected:?} is not in {text}");
    }
}

#[test]
fn a_scenario_that_does_not_exist_is_refused_with_those_that_do() {
    let output = Command::new(env!("CARGO_BIN_EXE_kv-bench"))
        .args(["queue", "--only", "bulky"])
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(errors.contains("`bulky`") && errors.contains("bulk, single"), "{errors}");
}
