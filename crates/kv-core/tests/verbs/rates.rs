//! The decision of a limit, as one function of the stored time and the time now.

use std::time::Duration;

use kv_core::{Decision, Rate};

/// The same by a list of all events: an event is allowed if the line behind it, which one event
/// leaves each interval, is no longer than the burst.
fn model(events: &mut Vec<u64>, now: u64, interval: u64, burst: u64) -> bool {
    let line = events.iter().fold(0, |end: u64, at| end.max(*at) + interval);
    let waits = line.saturating_sub(now);
    let is_allowed = waits + interval <= interval * burst;
    if is_allowed {
        events.push(now);
    }
    is_allowed
}

#[test]
fn decisions_are_those_of_a_leaking_line() {
    for seed in 0..200 {
        let mut random = fastrand::Rng::with_seed(seed);
        let (times, burst) = (random.u32(1..5), random.u32(1..6));
        let rate = Rate::new(times, Duration::from_millis(1)).burst(burst);
        let checked = rate.checked(1).unwrap();
        let (mut now, mut stored, mut events) = (1_000_000, None, Vec::new());
        for _ in 0..200 {
            now += random.u64(0..900);
            let (decision, next) = checked.decide(stored, now);
            let expected = model(&mut events, now, checked.interval, u64::from(burst));
            assert_eq!(decision.is_allowed(), expected, "seed {seed}");
            stored = next.or(stored);
        }
    }
}

#[test]
fn after_the_told_time_it_may_happen_and_not_a_microsecond_before() {
    let checked = Rate::new(3, Duration::from_secs(1)).burst(2).checked(1).unwrap();
    let (mut stored, now) = (None, 5_000_000);
    for remaining in [1, 0] {
        let (decision, next) = checked.decide(stored, now);
        assert_eq!(decision, Decision::Allowed { remaining });
        stored = next;
    }
    let (decision, _) = checked.decide(stored, now);
    let wait = u64::try_from(decision.retry_after().unwrap().as_micros()).unwrap();
    assert!(!checked.decide(stored, now + wait - 1).0.is_allowed());
    assert!(checked.decide(stored, now + wait).0.is_allowed());
}

#[test]
fn a_clock_that_was_set_back_holds_nobody_for_longer_than_a_burst() {
    let checked = Rate::per_second(1).burst(3).checked(1).unwrap();
    let (decision, _) = checked.decide(Some(9_000_000_000), 1_000_000);
    assert_eq!(decision.retry_after(), Some(Duration::from_secs(1)));
}

#[test]
fn what_could_never_happen_is_refused() {
    let refused = |rate: Rate, events| rate.checked(events).unwrap_err().to_string();
    let second = Duration::from_secs(1);
    assert!(refused(Rate::new(0, second), 1).starts_with("a rate of zero"));
    assert!(refused(Rate::new(1, Duration::ZERO), 1).starts_with("a rate of zero"));
    assert!(refused(Rate::new(1, second).burst(0), 1).starts_with("a burst of 0"));
    assert!(!refused(Rate::new(1, Duration::MAX), 1).is_empty());
    assert!(refused(Rate::new(5, second), 6).starts_with("6 at once"));
    assert!(refused(Rate::new(5, second), 0).starts_with("0 at once"));
}
