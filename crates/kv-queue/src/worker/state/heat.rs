//! Which partitions may hold jobs.

use std::time::Duration;

use kv_core::ErrorKind;
use kv_core::queue::Counts;
use tokio::time::Instant;

use super::{Partition, State, get};

/// How often all partitions are looked at after failures, at most.
const LOOK_AT_ALL: Duration = Duration::from_secs(1);

impl State {
    /// A claim, or a tend, failed in passing: the partition is left alone for a while.
    pub(in crate::worker) fn back_off(&mut self, number: u32, kind: ErrorKind) {
        if matches!(kind, ErrorKind::Connection | ErrorKind::Timeout) {
            self.is_away = true;
        }
        let Some(partition) = get(&mut self.partitions, number) else { return };
        partition.failures = partition.failures.saturating_add(1);
        partition.then_look = true;
        let after = self.away.delay(partition.failures);
        partition.due = None;
        self.set_due(number, Some(after));
        self.set_hot(number, false);
    }

    /// How long to leave the store alone after waits that failed.
    pub(in crate::worker) fn wait_failed(&mut self, failures: u32) -> Duration {
        self.is_away = true;
        self.away.delay(failures)
    }

    /// The store answers again: what it told meanwhile is lost.
    pub(in crate::worker) fn recover(&mut self) {
        let now = Instant::now();
        if self.is_away && now.duration_since(self.all_looked_at) >= LOOK_AT_ALL {
            self.is_away = false;
            self.heat_all();
        }
    }

    pub(in crate::worker) fn heat_all(&mut self) {
        self.all_looked_at = Instant::now();
        for number in 0..u32::try_from(self.partitions.len()).unwrap_or(u32::MAX) {
            self.heat(number, false);
        }
    }

    /// Notes that a partition may hold jobs, as a wake-up told or not; not while claims fail.
    pub(in crate::worker) fn heat(&mut self, number: u32, woken: bool) {
        let Some(partition) = get(&mut self.partitions, number) else { return };
        partition.told += 1;
        if partition.failures == 0 {
            partition.woken |= woken && !partition.hot;
            self.set_hot(number, true);
        }
    }

    /// Hears what is left in each partition of the work of all.
    pub(in crate::worker) fn hear_of(&mut self, counts: &[Counts]) {
        for (number, counts) in (0..).zip(counts).filter(|(_, counts)| !counts.paused) {
            let is_due = get(&mut self.partitions, number).is_some_and(|one| one.due.is_some());
            if counts.ready > 0 || !is_due && counts.outstanding() > 0 {
                self.heat(number, false);
            }
        }
    }

    /// Notes that one more partition may hold jobs, whatever was told: each in turn.
    pub(in crate::worker) fn heat_next(&mut self) {
        let cold = |partition: &Partition| !partition.hot && partition.failures == 0;
        let count = self.partitions.len();
        let turns = (0..count).map(|step| (self.next_look + step) % count);
        let mut found = turns.filter(|at| self.partitions.get(*at).is_some_and(cold));
        if let Some(at) = found.next() {
            self.next_look = at + 1;
            self.heat(u32::try_from(at).unwrap_or(u32::MAX), false);
        }
    }

    pub(in crate::worker) fn set_hot(&mut self, number: u32, hot: bool) {
        let Some(partition) = get(&mut self.partitions, number) else { return };
        if partition.hot != hot {
            partition.hot = hot;
            self.hot = if hot { self.hot + 1 } else { self.hot - 1 };
        }
        if hot {
            self.queue(number);
        } else if std::mem::take(&mut partition.queued) {
            self.ring.retain(|one| *one != number);
        }
    }

    pub(in crate::worker) fn queue(&mut self, number: u32) {
        let Some(partition) = get(&mut self.partitions, number) else { return };
        if partition.looks == 0 && !partition.asked && !partition.queued {
            partition.queued = true;
            self.ring.push_back(number);
        }
    }
}
