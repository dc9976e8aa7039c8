//! Two sound stores agree; one with a fault is found out, and the script is short.

use kv_testkit::{Comparison, Report, compare, runtime};

use crate::broken::{Fault, Plant};
use crate::five;

fn run(fault: Option<Fault>, comparison: Comparison) -> Result<Report, kv_testkit::Failure> {
    let right = Plant::new(fault);
    runtime().unwrap().block_on(compare(&five::everything(), &right, comparison))
}

#[test]
fn two_sound_stores_agree_and_a_quarter_touches_expired_keys() {
    let seed = fastrand::u64(..);
    let report = run(None, Comparison::new(seed)).unwrap();
    assert_eq!(report.operations, 50_000, "seed {seed}");
    let quarter = report.operations / 4;
    assert!(report.touching_expired >= quarter, "seed {seed}: {report:?}");
}

#[test]
fn a_seed_leads_to_the_same_operations_again() {
    let small = Comparison::new(7).sequences(60).together(25).steps(20);
    assert_eq!(run(None, small).unwrap(), run(None, small).unwrap());
    assert_ne!(run(None, small).unwrap(), run(None, Comparison::new(8).sequences(60)).unwrap());
}

#[test]
fn a_difference_is_told_with_its_seed_and_a_short_script() {
    let failure = run(Some(Fault::KeepClears), Comparison::new(5)).unwrap_err().to_string();
    assert!(failure.contains("seed 5, sequence "), "{failure}");
    let script = failure.split_once("the shortest found:\n").unwrap().1;
    let operations = script.lines().filter(|line| !line.trim_start().starts_with("advance"));
    assert!(operations.count() <= 6, "two writes, one look, and two answers: {script}");
}

fn reopened(fault: Option<crate::durable::Fault>) -> Result<Report, kv_testkit::Failure> {
    let (left, right) = (five::everything(), crate::durable::Durable::new(fault));
    let comparison = Comparison::new(3).sequences(200).together(20);
    runtime().unwrap().block_on(compare(&left, &right, comparison))
}

#[test]
fn a_store_that_is_opened_anew_agrees_with_one_that_goes_on() {
    assert_eq!(reopened(None).unwrap().reopened, 10, "once in each of ten batches");
}

#[test]
fn faults_that_a_reopen_shows_are_found() {
    use crate::durable::Fault::*;
    for fault in
        [DeadlinesByNow, LifetimesLost, WrittenOnClose, VersionsOfThisProcess, CountersRestart]
    {
        let failure = reopened(Some(fault)).expect_err(&format!("{fault:?}")).to_string();
        assert!(failure.contains("and opened anew"), "{fault:?}: {failure}");
    }
}

#[test]
fn faults_of_every_verb_are_found() {
    use Fault::*;
    let faults = [
        DeleteSaysTrue,
        ScanSeesExpired,
        BatchSeesExpired,
        TakeSeesExpired,
        TouchRevives,
        AbsentSeesExpired,
        IncrementRevives,
        VersionIgnored,
        VersionsRestart,
        FailedSetClears,
        TextCountsAsZero,
        OverflowWraps,
        IncrementRenews,
        GetManySkipsHoles,
        SetManyBackwards,
        DeleteManyCountsAll,
        SetManyKeeps,
        SetManyChecksLate,
        BatchBackwards,
        BatchSkipsTouch,
        ScanUnescapes,
        ExpiresEarly,
        RoundsDown,
        HugeIsNever,
        ZeroDeletes,
        TouchKeepClears,
    ];
    let found = |fault: &Fault| run(Some(*fault), Comparison::new(1)).is_err();
    let missed: Vec<Fault> = faults.into_iter().filter(|fault| !found(fault)).collect();
    assert!(missed.is_empty(), "not found: {missed:?}");
}
