//! When partitions are maintained: due jobs promoted, ended leases recovered.

use std::time::Duration;

use super::agenda::first_until;
use super::partition::{Life, Maintenance, Partition};
use super::{Scheduler, is_starved};

/// How many partitions are maintained at a time, late ones not counted: enough that a third of 64
/// partitions may hang and delay the others by one patience only.
const PLACES: usize = 32;

/// The longest time for which the worker claims from a partition without maintenance, give or take
/// a half.
const PAUSE: Duration = Duration::from_secs(1);

/// Due times are whole microseconds of the store's clock, so a sleep lasts at least this long.
const SOON: Duration = Duration::from_millis(1);

/// Processes that wait for the same job spread their requests over this time, at random.
const APART: Duration = Duration::from_millis(5);

/// What maintenance did.
#[derive(Clone, Copy, Debug)]
pub(in crate::worker) struct MaintenanceAnswer {
    /// Whether jobs may have become claimable.
    pub(in crate::worker) has_moved: bool,
    /// Whether it did anything at all.
    pub(in crate::worker) has_changed: bool,
    /// Whether the limit left something to do.
    pub(in crate::worker) more: bool,
    pub(in crate::worker) next_due: Option<Duration>,
}

impl Scheduler {
    /// A job in this partition becomes due after this time.
    pub(in crate::worker) fn due(&mut self, number: u32, after: Duration, now: Duration) {
        if after.is_zero() {
            return self.want(number, now);
        }
        self.change(number, now, |partition| partition.told = partition.told.wrapping_add(1));
        self.due_after(number, Some(after), now);
    }

    /// Maintains a partition after this time, or at an earlier time that is already set.
    pub(super) fn due_after(&mut self, number: u32, after: Option<Duration>, now: Duration) {
        let Some(after) = after else { return };
        let apart = APART.mul_f64(self.chance.f64());
        self.change(number, now, |partition| {
            let soon = if after.is_zero() { partition.pause().max(SOON) } else { SOON };
            // A time beyond any run of a program needs no entry.
            if let Some(due) = now.checked_add(after.max(soon).saturating_add(apart)) {
                partition.due = Some(partition.due.map_or(due, |earlier| earlier.min(due)));
            }
        });
    }

    /// Maintains a partition after a while, because a backlog of ready jobs would hide due jobs and
    /// ended leases.
    pub(super) fn maintain_in_a_while(&mut self, number: u32, now: Duration) {
        let pause = (self.plan.lease / 3).min(PAUSE);
        let Some(partition) = self.get(number) else { return };
        if partition.due.is_some_and(|due| due.saturating_sub(now) <= pause) {
            return;
        }
        let since = partition.maintained_at.map_or(pause, |last| now.saturating_sub(last));
        let pause = pause.mul_f64(1.0 + self.chance.f64() / 2.0);
        self.due_after(number, Some(pause.saturating_sub(since).max(SOON)), now);
    }

    /// Maintains a partition now, unless it was maintained a moment ago: the job of the wake-up was
    /// not claimable, so it may be due, in a paused queue.
    pub(super) fn maintain_once(&mut self, number: u32, now: Duration) {
        let pause = (self.plan.lease / 3).min(PAUSE);
        let last = self.get(number).and_then(|partition| partition.maintained_at);
        if last.is_none_or(|last| now.saturating_sub(last) >= pause) {
            self.due_after(number, Some(SOON), now);
        }
    }

    pub(super) const fn may_maintain(&self) -> bool {
        self.totals.maintaining < PLACES
    }

    /// The partitions to maintain now, as far as there are places, and a failing partition as a
    /// trial.
    pub(super) fn start_maintenance(&mut self, now: Duration) -> Vec<u32> {
        let mut started = Vec::new();
        let patience = self.patience.get();
        while self.may_maintain()
            && let Some(number) = first_until(&self.agenda.due, now)
        {
            self.change(number, now, |partition| {
                partition.due = None;
                let late_at = Some(now + patience);
                partition.maintenance = Maintenance::UnderWay { begun: now, late_at };
            });
            started.push(number);
        }
        started.extend(self.start_trial(now));
        started
    }

    /// A late maintenance leaves its place to others.
    pub(super) fn find_late(&mut self, now: Duration) {
        let patience = self.patience.get();
        while let Some(number) = first_until(&self.agenda.late, now) {
            self.change(number, now, |partition| {
                if let Maintenance::UnderWay { late_at, .. } = &mut partition.maintenance {
                    let is_starved = late_at.is_some_and(|it| is_starved(it, now, patience));
                    *late_at = is_starved.then(|| now + patience);
                    partition.is_slow |= !is_starved;
                }
            });
        }
    }

    /// A maintenance was answered.
    pub(in crate::worker) fn maintained(
        &mut self,
        number: u32,
        answer: MaintenanceAnswer,
        now: Duration,
    ) {
        let begun = self.end_maintenance(number, now);
        self.hear(number, begun.map(|begun| now.saturating_sub(begun)), now);
        self.recover(number, now);
        let is_vain =
            !answer.has_changed && (answer.more || answer.next_due == Some(Duration::ZERO));
        let claims = self.change(number, now, |partition| {
            partition.maintained_at = Some(now);
            std::mem::take(&mut partition.claim_after) || answer.has_moved
        });
        if claims == Some(true) {
            self.want(number, now);
        }
        match is_vain {
            true => self.brought_nothing(number, false, now),
            false if answer.more => self.go_on(number, now),
            false => {}
        }
        let due = if answer.more { Some(Duration::ZERO) } else { answer.next_due };
        self.due_after(number, due, now);
    }

    /// Maintains a partition again at once.
    fn go_on(&mut self, number: u32, now: Duration) {
        self.change(number, now, |partition| partition.due = Some(now));
    }

    /// A maintenance failed; the caller knows whether waiting helps.
    pub(in crate::worker) fn maintenance_failed(&mut self, number: u32, now: Duration) {
        self.end_maintenance(number, now);
        self.back_off(number, now);
    }

    /// Ends maintenance, and returns when it began.
    fn end_maintenance(&mut self, number: u32, now: Duration) -> Option<Duration> {
        self.change(number, now, |partition| match std::mem::take(&mut partition.maintenance) {
            Maintenance::UnderWay { begun, .. } => Some(begun),
            Maintenance::Resting => None,
        })?
    }
}

impl Partition {
    /// Whether the partition's maintenance can only be a trial.
    pub(super) const fn is_backing_off(&self) -> bool {
        matches!(self.life, Life::BackingOff { .. })
    }
}
