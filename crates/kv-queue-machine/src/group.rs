//! What the tables store of a group beside its jobs, and what its limits say of it.

use kv_core::queue::{GroupLimit, MAX_STAMP};
use serde::{Deserialize, Serialize};

use crate::time;

/// The terms of a limit, as they are applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Terms {
    /// How many jobs may have a lease at a time.
    max_running: Option<u32>,
    /// Microseconds between two starts; zero without a rate.
    interval: u64,
    /// How many microseconds early a start may come.
    tolerance: u64,
    /// How many jobs one turn starts.
    turn: u32,
}

impl From<&GroupLimit> for Terms {
    fn from(limit: &GroupLimit) -> Self {
        Self {
            max_running: limit.max_running(),
            interval: time::micros(limit.interval().unwrap_or_default()),
            tolerance: time::micros(limit.tolerance()),
            turn: limit.turn(),
        }
    }
}

/// What a group has beside its jobs. A group without any of it has no record.
///
/// The number of running jobs is a count. It is raised where a lease is added and lowered where one
/// is removed, in the same step.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct GroupRecord {
    /// Jobs that have a lease.
    pub(crate) running: u32,
    /// When the next start would come if all were evenly spaced: the theoretical arrival time of
    /// GCRA.
    pub(crate) next: u64,
    /// The end of a pause.
    pub(crate) paused: u64,
    /// How many jobs the group started in its present turn.
    pub(crate) started: u32,
    /// Whether the group has queued jobs and waits for the end of a lease.
    pub(crate) full: bool,
    /// The group's own limit.
    pub(crate) own: Option<Terms>,
}

/// Whether a group may start a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// It may.
    Now,
    /// Not while so many jobs have a lease.
    Full,
    /// Not before this stamp, because of its pause.
    Paused(u64),
    /// Not before this stamp, because of its rate.
    Spaced(u64),
}

impl GroupRecord {
    /// The terms that count for the group.
    pub(crate) fn terms(&self, default: &GroupLimit) -> Terms {
        self.own.unwrap_or_else(|| default.into())
    }

    /// Whether the group may start a job at a time.
    ///
    /// Forgets starts that a slower rate had put further away than the present rate can, so that a
    /// changed limit counts at once.
    pub(crate) fn admission(&mut self, terms: &Terms, now: u64) -> Admission {
        if self.paused > now {
            return Admission::Paused(self.paused);
        }
        if terms.max_running.is_some_and(|most| self.running >= most) {
            return Admission::Full;
        }
        if terms.interval > 0 {
            let latest = now.saturating_add(terms.interval).saturating_add(terms.tolerance);
            self.next = self.next.min(latest);
            let allowed = self.next.saturating_sub(terms.tolerance);
            if allowed > now {
                return Admission::Spaced(allowed);
            }
        }
        Admission::Now
    }

    /// Counts a start.
    pub(crate) fn start(&mut self, terms: &Terms, now: u64) {
        self.running = self.running.saturating_add(1);
        self.started = self.started.saturating_add(1);
        if terms.interval > 0 {
            self.next = self.next.max(now).saturating_add(terms.interval).min(MAX_STAMP);
        }
    }

    /// Whether the group's turn is over.
    pub(crate) const fn is_turn_over(&self, terms: &Terms) -> bool {
        self.started >= terms.turn
    }

    /// When nothing that has happened counts any more, if no job runs and the limit is the queue's:
    /// [`MAX_STAMP`] otherwise.
    pub(crate) fn forgotten_at(&self) -> u64 {
        match self.running > 0 || self.own.is_some() {
            true => MAX_STAMP,
            false => self.next.max(self.paused),
        }
    }

    /// Without what has passed.
    pub(crate) fn at(self, now: u64) -> Self {
        let future = |stamp: u64| if stamp > now { stamp } else { 0 };
        Self { next: future(self.next), paused: future(self.paused), ..self }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NOW: u64 = 1_700_000_000_000_000;

    fn starts(limit: GroupLimit, until: u64) -> Vec<u64> {
        let (terms, mut record) = (Terms::from(&limit), GroupRecord::default());
        let admitted = |at: &u64| {
            let is_admitted = record.admission(&terms, NOW + at) == Admission::Now;
            if is_admitted {
                record.start(&terms, NOW + at);
            }
            is_admitted
        };
        (0..until).filter(admitted).collect()
    }

    #[test]
    fn starts_are_evenly_spaced_and_a_burst_comes_first() {
        let rate = GroupLimit::new().rate(2, Duration::from_micros(10));
        assert_eq!(starts(rate, 21), [0, 5, 10, 15, 20]);
        assert_eq!(starts(rate.burst(3), 12), [0, 1, 2, 5, 10]);
    }

    #[test]
    fn an_admission_says_when_it_changes() {
        let terms = Terms::from(&GroupLimit::new().rate(1, Duration::from_micros(10)));
        let mut record = GroupRecord::default();
        record.start(&terms, NOW);
        assert_eq!(record.admission(&terms, NOW + 4), Admission::Spaced(NOW + 10));
        record.paused = NOW + 30;
        assert_eq!(record.admission(&terms, NOW + 4), Admission::Paused(NOW + 30));
    }

    #[test]
    fn a_shorter_interval_counts_at_once() {
        let slow = Terms::from(&GroupLimit::new().rate(1, Duration::from_secs(3_600)));
        let fast = Terms::from(&GroupLimit::new().rate(1, Duration::from_micros(10)));
        let mut record = GroupRecord::default();
        record.start(&slow, NOW);
        assert_eq!(record.admission(&fast, NOW), Admission::Spaced(NOW + 10));
        assert_eq!(record.admission(&fast, NOW + 10), Admission::Now);
    }
}
