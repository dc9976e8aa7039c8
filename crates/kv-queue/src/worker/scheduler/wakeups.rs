//! News of claimable jobs: from wake-ups, from producers of this process, from counts, from scans.

use std::time::Duration;

use kv_core::queue::Counts;

use super::Scheduler;
use super::agenda::first_until;
use super::partition::{Life, Partition};

/// How many requests in a row may bring no job before the worker pauses for a partition.
const FRUITLESS: u32 = 2;

/// The longest such pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// The longest pause after waits that brought no job.
const VAIN_PAUSE: Duration = Duration::from_millis(32);

impl Partition {
    /// How long to pause for a partition that brought no job this often although jobs were
    /// announced.
    pub(super) fn pause(&self) -> Duration {
        match self.fruitless.checked_sub(FRUITLESS) {
            None | Some(0) => Duration::ZERO,
            Some(more) => Duration::from_millis(1 << more.min(16)).min(LONGEST_PAUSE),
        }
    }
}

impl Scheduler {
    /// A partition may have claimable jobs.
    pub(super) fn want(&mut self, number: u32, now: Duration) {
        self.change(number, now, |partition| {
            partition.told = partition.told.wrapping_add(1);
            match partition.is_backing_off() {
                true => partition.claim_after = true,
                false => partition.has_work = true,
            }
        });
    }

    /// A wake-up named a partition.
    pub(in crate::worker) fn wake(&mut self, number: u32, now: Duration) {
        let Some(partition) = self.get(number) else { return };
        if partition.muted_until.is_some() {
            return;
        }
        let is_news = !partition.has_work;
        self.change(number, now, |partition| partition.is_woken |= is_news);
        self.want(number, now);
    }

    /// Wants a claim from each partition.
    pub(in crate::worker) fn want_all(&mut self, now: Duration) {
        self.lost_wakeups = false;
        for number in 0..u32::try_from(self.partitions.len()).unwrap_or(u32::MAX) {
            self.want(number, now);
        }
    }

    /// Wants a claim from one more idle partition, each in turn.
    pub(in crate::worker) fn scan(&mut self, now: Duration) {
        let count = self.partitions.len();
        if self.room() == 0 || count == 0 {
            return;
        }
        let mut turns = (0..count).map(|step| (self.next_scan + step) % count);
        let is_idle = |at: &usize| self.partitions.get(*at).is_some_and(|it| it.life == Life::Idle);
        if let Some(at) = turns.find(is_idle) {
            self.next_scan = at.saturating_add(1);
            self.want(u32::try_from(at).unwrap_or(u32::MAX), now);
        }
    }

    /// Takes the counts of each partition, as all workers left them.
    pub(in crate::worker) fn hear_of(&mut self, counts: &[Counts], now: Duration) {
        for (number, counts) in (0..).zip(counts).filter(|(_, counts)| !counts.paused) {
            let is_due = self.get(number).is_some_and(|partition| partition.due.is_some());
            if counts.ready > 0 || !is_due && counts.outstanding() > 0 {
                self.want(number, now);
            }
        }
    }

    /// A request brought no job although jobs were announced. If that goes on, the worker pauses
    /// longer and longer for the partition, and ignores its wake-ups meanwhile.
    pub(super) fn brought_nothing(&mut self, number: u32, is_woken: bool, now: Duration) {
        self.change(number, now, |partition| {
            let since = now.saturating_sub(partition.fruitless_at);
            let is_new = since > partition.pause().max(VAIN_PAUSE).saturating_mul(4);
            partition.fruitless = if is_new { 1 } else { partition.fruitless.saturating_add(1) };
            partition.fruitless_at = now;
            let pause = partition.pause();
            if is_woken && !pause.is_zero() {
                partition.muted_until = Some(now + pause);
            }
        });
    }

    /// A claim brought jobs.
    pub(super) fn bring(&mut self, number: u32, is_woken: bool, now: Duration) {
        if is_woken {
            self.vain_waits = 0;
        }
        self.change(number, now, |partition| {
            partition.fruitless = 0;
            partition.muted_until = None;
        });
    }

    pub(super) fn unmute(&mut self, now: Duration) {
        while let Some(number) = first_until(&self.agenda.muted, now) {
            self.change(number, now, |partition| partition.muted_until = None);
        }
    }

    /// Whether wake-ups of some partitions are ignored.
    pub(in crate::worker) fn has_muted(&self) -> bool {
        !self.agenda.muted.is_empty()
    }

    pub(in crate::worker) fn is_muted(&self, number: u32) -> bool {
        self.get(number).is_some_and(|partition| partition.muted_until.is_some())
    }

    /// A wait for wake-ups ended and named these partitions. Returns how long to pause before the
    /// next wait, so that an engine that returns early, or faster workers elsewhere, cause no busy
    /// loop.
    pub(in crate::worker) fn waited(&mut self, named: &[u32], now: Duration) -> Duration {
        if self.lost_wakeups {
            self.want_all(now);
        }
        named.iter().for_each(|number| self.wake(*number, now));
        self.vain_waits = self.vain_waits.saturating_add(1);
        match self.vain_waits {
            1 => Duration::ZERO,
            more => Duration::from_millis(1 << more.saturating_sub(2).min(16)).min(VAIN_PAUSE),
        }
    }

    /// A wait for wake-ups failed, so some may be lost.
    pub(in crate::worker) const fn wait_failed(&mut self) {
        self.lost_wakeups = true;
    }
}
