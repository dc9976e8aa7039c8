//! The circuit breaker: when the primary counts as away, and when it is tried again.
//!
//! Pure: the time is an argument, and nothing waits.

use std::time::Duration;

use crate::chance::Chance;

/// Which store serves a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Primary,
    Spare,
    /// This caller finds out whether the primary is back, then asks again.
    Trial,
}

#[derive(Debug)]
pub(super) struct Breaker {
    /// This many failures in a row mean that the primary is away.
    threshold: u32,
    /// The longest time before the primary is tried again after a failure.
    pause: Duration,
    chance: Chance,
    state: State,
}

#[derive(Debug)]
enum State {
    Closed { failures: u32 },
    Open { since: Duration, trial: Trial },
}

#[derive(Debug)]
enum Trial {
    At(Duration),
    Running,
}

impl Breaker {
    pub(super) fn new(threshold: u32, pause: Duration, chance: Chance) -> Self {
        let state = State::Closed { failures: 0 };
        Self { threshold: threshold.max(1), pause, chance, state }
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(self.state, State::Open { .. })
    }

    /// Which store serves a call now. Only one of several callers makes the trial.
    pub(super) fn way(&mut self, now: Duration) -> Way {
        match &mut self.state {
            State::Closed { .. } => Way::Primary,
            State::Open { trial: Trial::At(due), .. } if *due > now => Way::Spare,
            State::Open { trial: Trial::Running, .. } => Way::Spare,
            State::Open { trial, .. } => {
                *trial = Trial::Running;
                Way::Trial
            }
        }
    }

    /// The primary answered a call.
    pub(super) fn succeeded(&mut self) {
        if let State::Closed { failures } = &mut self.state {
            *failures = 0;
        }
    }

    /// A call found the primary away; `true` if that opened the circuit.
    pub(super) fn failed(&mut self, now: Duration) -> bool {
        let State::Closed { failures } = &mut self.state else { return false };
        *failures = failures.saturating_add(1);
        if *failures < self.threshold {
            return false;
        }
        self.state = State::Open { since: now, trial: Trial::At(self.next_trial(now)) };
        true
    }

    /// The primary is back. Returns how long it was away, unless another caller found out first.
    pub(super) fn trial_succeeded(&mut self, now: Duration) -> Option<Duration> {
        let State::Open { since, .. } = self.state else { return None };
        self.state = State::Closed { failures: 0 };
        Some(now.saturating_sub(since))
    }

    /// The primary is still away, or the caller of the trial was dropped.
    pub(super) fn trial_failed(&mut self, now: Duration) {
        let next = self.next_trial(now);
        if let State::Open { trial, .. } = &mut self.state {
            *trial = Trial::At(next);
        }
    }

    /// The next trial is after half of the pause to all of it, so that many processes do not try at
    /// once.
    fn next_trial(&self, now: Duration) -> Duration {
        let half = self.pause / 2;
        now.saturating_add(half).saturating_add(self.chance.part_of(self.pause - half))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn breaker(threshold: u32) -> Breaker {
        Breaker::new(threshold, SECOND, Chance::seeded(7))
    }

    #[test]
    fn it_opens_after_so_many_failures_in_a_row_and_not_before() {
        let mut breaker = breaker(3);
        for opens in [false, false, true, false] {
            assert_eq!(breaker.failed(SECOND), opens);
        }
        assert_eq!(breaker.way(SECOND), Way::Spare);
    }

    #[test]
    fn a_success_in_between_starts_the_count_anew() {
        let mut breaker = breaker(2);
        assert!(!breaker.failed(SECOND));
        breaker.succeeded();
        assert!(!breaker.failed(SECOND));
        assert_eq!(breaker.way(SECOND), Way::Primary);
    }

    #[test]
    fn one_caller_alone_tries_once_the_pause_is_over() {
        let mut breaker = breaker(1);
        breaker.failed(SECOND);
        assert_eq!(breaker.way(SECOND + SECOND / 2 - Duration::from_nanos(1)), Way::Spare);
        assert_eq!(breaker.way(SECOND * 2), Way::Trial);
        assert_eq!(breaker.way(SECOND * 9), Way::Spare);
    }

    #[test]
    fn a_trial_that_fails_starts_another_pause() {
        let mut breaker = breaker(1);
        breaker.failed(SECOND);
        assert_eq!(breaker.way(SECOND * 2), Way::Trial);
        breaker.trial_failed(SECOND * 3);
        assert_eq!(breaker.way(SECOND * 3 + SECOND / 2 - Duration::from_nanos(1)), Way::Spare);
        assert_eq!(breaker.way(SECOND * 4), Way::Trial);
        assert_eq!(breaker.trial_succeeded(SECOND * 5), Some(SECOND * 4));
        assert_eq!(breaker.way(SECOND * 5), Way::Primary);
    }

    #[test]
    fn a_success_that_was_under_way_when_it_opened_does_not_close_it() {
        let mut breaker = breaker(1);
        breaker.failed(SECOND);
        breaker.succeeded();
        assert!(breaker.is_open());
    }

    #[test]
    fn pauses_differ_by_chance_and_are_half_the_longest_at_least() {
        let chosen: Vec<Duration> = (0..20)
            .map(|seed| Breaker::new(1, SECOND, Chance::seeded(seed)))
            .map(|b| b.next_trial(SECOND))
            .collect();
        assert!(chosen.iter().all(|at| *at >= SECOND * 3 / 2 && *at <= SECOND * 2), "{chosen:?}");
        assert!(chosen.windows(2).any(|pair| pair[0] != pair[1]), "{chosen:?}");
    }
}
