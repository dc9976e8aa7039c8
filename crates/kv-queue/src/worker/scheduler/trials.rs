//! Partitions whose requests fail, and a store that is away.
//!
//! Each partition fails on its own. After a failure the worker sends it no request for 100 ms, then
//! for longer, up to 2.5 s. Since many may fail together, trials are spread in time. The first
//! successful trial lets the worker try all the others, because the store may be back.

use std::time::Duration;

use super::Scheduler;
use super::agenda::first_until;
use super::partition::{Life, Maintenance};

/// The shortest and the longest pause after a failure; up to half is taken off at random.
const BACK_OFF: [Duration; 2] = [Duration::from_millis(100), Duration::from_millis(2_500)];

/// How far apart trials begin; a trial is up to five requests.
const TRIAL_PAUSE: Duration = Duration::from_millis(750);

/// The least time between two releases of all failing partitions.
const RELEASE_PAUSE: Duration = Duration::from_secs(1);

impl Scheduler {
    /// How long to wait after this many failures in a row.
    pub(in crate::worker) fn pause_after(&mut self, failures: u32) -> Duration {
        let [first, longest] = BACK_OFF;
        let doublings = failures.saturating_sub(1).min(16);
        let full = first.saturating_mul(1 << doublings).min(longest);
        full.mul_f64(1.0 - self.chance.f64() / 2.0)
    }

    /// A request failed: no request goes to the partition for a while.
    pub(super) fn back_off(&mut self, number: u32, now: Duration) {
        let Some(failures) = self.get(number).map(|it| it.failures.saturating_add(1)) else {
            return;
        };
        let until = now + self.pause_after(failures);
        self.change(number, now, |partition| {
            partition.failures = failures;
            partition.life = Life::BackingOff { until };
            partition.has_work = false;
            partition.claim_after = true;
            partition.due = None;
        });
    }

    /// A failing partition, if it is time for a trial.
    pub(super) fn start_trial(&mut self, now: Duration) -> Option<u32> {
        if now < self.next_trial {
            return None;
        }
        let number = first_until(&self.agenda.trials, now)?;
        self.next_trial = now + TRIAL_PAUSE;
        let under_way = Maintenance::UnderWay { begun: now, late_at: None };
        self.change(number, now, |partition| partition.maintenance = under_way);
        Some(number)
    }

    /// A request succeeded. Announcements that came while other requests failed may be lost.
    pub(super) fn recover(&mut self, number: u32, now: Duration) {
        let has_failed = self.get(number).is_some_and(|partition| partition.failures > 0);
        if has_failed {
            self.change(number, now, |partition| {
                partition.failures = 0;
                if partition.is_backing_off() {
                    partition.life = Life::Idle;
                }
            });
            self.release(now);
        }
        if self.lost_wakeups {
            self.want_all(now);
        }
    }

    /// Makes the worker try all failing partitions, soon after one succeeded.
    fn release(&mut self, now: Duration) {
        if self.released_at.is_some_and(|last| now.saturating_sub(last) < RELEASE_PAUSE) {
            return;
        }
        self.released_at = Some(now);
        let failing: Vec<u32> = self.agenda.trials.iter().map(|(_, number)| *number).collect();
        for number in failing {
            self.change(number, now, |partition| {
                partition.life = Life::Idle;
                partition.due = Some(now);
            });
        }
    }
}
