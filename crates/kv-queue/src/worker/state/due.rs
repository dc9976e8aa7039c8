//! When partitions are to be tended.

use std::time::Duration;

use tokio::time::Instant;

use super::{LOOKS, State, get};

/// How long a partition is claimed from at most without being tended, give or take a half.
const TEND_PAUSE: Duration = Duration::from_secs(1);

/// A job is due in whole microseconds of the store's clock, so never sleep not at all.
const SOON: Duration = Duration::from_millis(1);

/// By how much processes that wait for the same job keep apart.
const APART: Duration = Duration::from_millis(5);

impl State {
    /// Hears of a job that is due after this time.
    pub(in crate::worker) fn hear_of_due(&mut self, number: u32, after: Duration) {
        if let Some(partition) = get(&mut self.partitions, number) {
            partition.told += 1;
        }
        self.set_due(number, Some(after));
    }

    /// Tends a partition after this time, or at an earlier one that was set.
    pub(in crate::worker) fn set_due(&mut self, number: u32, after: Option<Duration>) {
        let Some(after) = after else { return };
        let apart = APART.mul_f64(self.rng.f64());
        // Beyond any run of a program there is nothing to do.
        let Some(due) = Instant::now().checked_add(after.max(SOON).saturating_add(apart)) else {
            return;
        };
        let Some(partition) = get(&mut self.partitions, number) else { return };
        partition.due = Some(partition.due.map_or(due, |earlier| earlier.min(due)));
        self.next_due = Some(self.next_due.map_or(due, |earlier| earlier.min(due)));
    }

    /// A backlog of claimable jobs would keep what comes due, or ends its lease, from being seen.
    pub(in crate::worker) fn tend_in_a_while(&mut self, number: u32) {
        let pause = (self.lease / 3).min(TEND_PAUSE);
        let Some(partition) = get(&mut self.partitions, number) else { return };
        let since = partition.tended.map_or(pause, |last| last.elapsed());
        if partition.due.is_none_or(|due| due.saturating_duration_since(Instant::now()) > pause) {
            let pause = pause.mul_f64(1.0 + self.rng.f64() / 2.0);
            self.set_due(number, Some(pause.saturating_sub(since)));
        }
    }

    /// How many partitions are tended at a time: one while the store is away, to see whether it
    /// is back.
    pub(in crate::worker) const fn most_tends(&self) -> usize {
        if self.is_away { 1 } else { LOOKS }
    }

    /// The partitions that are due, with which so many are tended then; they are to be tended.
    pub(in crate::worker) fn take_due(&mut self, tends: usize) -> Vec<u32> {
        let now = Instant::now();
        let (most, mut taken) = (self.most_tends().saturating_sub(tends), Vec::new());
        if self.next_due.is_none_or(|due| due > now) {
            return taken;
        }
        self.next_due = None;
        for (number, partition) in (0..).zip(&mut self.partitions) {
            let Some(due) = partition.due else { continue };
            if due <= now && !partition.is_tending && taken.len() < most {
                partition.due = None;
                partition.is_tending = true;
                taken.push(number);
            } else if !partition.is_tending {
                self.next_due = Some(self.next_due.map_or(due, |earlier| earlier.min(due)));
            }
        }
        taken
    }

    /// A tend is over: when the next one is due, and whether it moved jobs or must go on.
    pub(in crate::worker) fn tended(
        &mut self,
        number: u32,
        due: Option<Duration>,
        moved: bool,
        more: bool,
    ) {
        self.end_tend(number);
        self.recover();
        let Some(partition) = get(&mut self.partitions, number) else { return };
        partition.tended = Some(Instant::now());
        let look = std::mem::take(&mut partition.then_look) || moved;
        if look {
            // What failed before is tried again now.
            let failures = std::mem::take(&mut partition.failures);
            self.heat(number, false);
            if let Some(partition) = get(&mut self.partitions, number) {
                partition.failures = failures;
            }
        }
        self.set_due(number, if more { Some(Duration::ZERO) } else { due });
    }

    /// A tend is over, well or not.
    pub(in crate::worker) fn end_tend(&mut self, number: u32) {
        let Some(partition) = get(&mut self.partitions, number) else { return };
        partition.is_tending = false;
        // It was kept out of the search while it was tended.
        if let Some(due) = partition.due {
            self.next_due = Some(self.next_due.map_or(due, |earlier| earlier.min(due)));
        }
    }
}
