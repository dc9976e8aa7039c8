//! Which partition is next: for a turn, for maintenance, for a check of its time. The one function
//! that changes partitions keeps the agenda in step with them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::partition::{Life, Maintenance, Partition};

/// A time and a partition.
type At = (Duration, u32);

#[derive(Debug, Default)]
pub(super) struct Agenda {
    /// Partitions that wait for their turn, by place.
    pub(super) waiting: BTreeMap<u64, u32>,
    /// Partitions that have their turn, by its end.
    pub(super) active: BTreeSet<At>,
    /// Partitions to maintain.
    pub(super) due: BTreeSet<At>,
    /// Partitions that fail, by the time of their next trial.
    pub(super) trials: BTreeSet<At>,
    /// Partitions that are late if no answer comes by then.
    pub(super) silent: BTreeSet<At>,
    /// Partitions whose maintenance is late if it has not ended by then.
    pub(super) late: BTreeSet<At>,
    /// Partitions whose wake-ups are ignored until then.
    pub(super) muted: BTreeSet<At>,
}

/// The entries of one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entries {
    waiting: Option<u64>,
    active: Option<Duration>,
    due: Option<Duration>,
    trial: Option<Duration>,
    silent: Option<Duration>,
    late: Option<Duration>,
    muted: Option<Duration>,
}

impl Entries {
    pub(super) const fn of(partition: &Partition) -> Self {
        let (is_resting, late) = match partition.maintenance {
            Maintenance::Resting => (true, None),
            Maintenance::UnderWay { late_at, .. } => (false, late_at),
        };
        let (mut waiting, mut active, mut trial, mut due) = (None, None, None, None);
        match partition.life {
            Life::Waiting { place } => waiting = Some(place),
            Life::Active { turn_ends, .. } => active = Some(turn_ends),
            Life::BackingOff { until } if is_resting => trial = Some(until),
            Life::Idle | Life::Late { .. } | Life::BackingOff { .. } => {}
        }
        if is_resting && !matches!(partition.life, Life::BackingOff { .. }) {
            due = partition.due;
        }
        let (silent, muted) = (partition.silent_at, partition.muted_until);
        Self { waiting, active, due, trial, silent, late, muted }
    }
}

impl Agenda {
    /// Takes one partition's entries out and puts others in.
    pub(super) fn replace(&mut self, number: u32, old: Entries, new: Entries) {
        if old == new {
            return;
        }
        if old.waiting != new.waiting {
            old.waiting.map(|place| self.waiting.remove(&place));
            new.waiting.map(|place| self.waiting.insert(place, number));
        }
        replace(&mut self.active, number, old.active, new.active);
        replace(&mut self.due, number, old.due, new.due);
        replace(&mut self.trials, number, old.trial, new.trial);
        replace(&mut self.silent, number, old.silent, new.silent);
        replace(&mut self.late, number, old.late, new.late);
        replace(&mut self.muted, number, old.muted, new.muted);
    }

    /// How many entries there are in all.
    #[cfg(debug_assertions)]
    pub(super) fn len(&self) -> usize {
        let timed = [&self.active, &self.due, &self.trials, &self.silent, &self.late, &self.muted];
        self.waiting.len() + timed.iter().map(|set| set.len()).sum::<usize>()
    }

    /// How many of one partition's entries are here, and how many should be.
    #[cfg(debug_assertions)]
    pub(super) fn found(&self, number: u32, entries: Entries) -> (usize, usize) {
        let timed = [
            (&self.active, entries.active),
            (&self.due, entries.due),
            (&self.trials, entries.trial),
            (&self.silent, entries.silent),
            (&self.late, entries.late),
            (&self.muted, entries.muted),
        ];
        let waiting = entries.waiting.map(|place| self.waiting.get(&place) == Some(&number));
        let timed = timed.map(|(set, at)| at.map(|at| set.contains(&(at, number))));
        let all = timed.iter().chain([&waiting]).flatten();
        (all.clone().filter(|is_there| **is_there).count(), all.count())
    }
}

fn replace(set: &mut BTreeSet<At>, number: u32, old: Option<Duration>, new: Option<Duration>) {
    if old != new {
        old.map(|at| set.remove(&(at, number)));
        new.map(|at| set.insert((at, number)));
    }
}

/// The first of a set, if its time has come.
pub(super) fn first_until(set: &BTreeSet<At>, now: Duration) -> Option<u32> {
    set.first().filter(|(at, _)| *at <= now).map(|(_, number)| *number)
}

/// When the first of a set is due.
pub(super) fn first_at(set: &BTreeSet<At>) -> Option<Duration> {
    set.first().map(|(at, _)| *at)
}
