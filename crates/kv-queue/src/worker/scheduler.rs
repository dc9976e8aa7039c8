//! Which partitions to claim from, and which to maintain, and when: the worker's plan, without a
//! clock, without I/O, without tasks.
//!
//! The owner passes each event to the scheduler with the time of the owner's monotonic clock, and
//! then asks what to do: [`grant`](Scheduler::grant) after each event,
//! [`advance`](Scheduler::advance) at [`next_wake`](Scheduler::next_wake). An event costs O(log n)
//! in the number of partitions.
//!
//! ```text
//!            told of work           its turn                  the claim came back short
//!   Idle ────────────────▶ Waiting ──────────▶ Active ─────────────────────────────▶ Idle
//!    ▲                        ▲                 │  │ the turn is over, others wait ─▶ Waiting
//!    │                        │        no answer│  │ a request failed
//!    │        answered        │                 ▼  ▼
//!    └────────────────────────┴────────────── Late  BackingOff ─ maintained ─▶ Idle, Waiting
//! ```
//!
//! Invariants, checked after each change where debug assertions are on:
//! - The totals are the sums of the partitions' parts; the agenda has exactly their entries.
//! - At most [`SHARERS`] partitions are active. A waiting partition has work; a partition that
//!   backs off has failed.
//! - A partition has at most [`CLAIMS`] claims and one maintenance in flight.
//! - A partition that owes an answer either has a time at which it is late, or counts against no
//!   limit already. So a hanging partition takes no room and no place from the others.
//!
//! Jobs of late claims come on top of the room. All partitions that were late together get no more
//! than the capacity in this way, or one job.

mod agenda;
#[cfg(debug_assertions)]
mod check;
mod claims;
mod maintenance;
mod partition;
mod patience;
#[cfg(test)]
mod simulation;
mod totals;
mod trials;
mod wakeups;

use std::time::Duration;

pub(super) use claims::{Answer, Claim};
pub(super) use maintenance::MaintenanceAnswer;

use agenda::{Agenda, Entries, first_at, first_until};
use partition::{Life, Partition};
use patience::Patience;
use totals::Totals;

/// How many partitions share the slots at a time. With fewer, exchanges are larger; with more, a
/// partition that does not answer delays the others less.
const SHARERS: usize = 4;

/// How long a partition goes on while others wait for their turn.
const TURN: Duration = Duration::from_millis(20);

/// How many claims of one partition are in flight at most: as many as its exchanges.
const CLAIMS: usize = 2;

/// How often the worker claims from a partition even without news of it, give or take a third.
const SCAN: Duration = Duration::from_secs(20);

/// What a scheduler is made for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) concurrency: usize,
    pub(super) prefetch: usize,
    pub(super) partitions: usize,
    pub(super) lease: Duration,
}

#[derive(Debug)]
pub(super) struct Scheduler {
    plan: Plan,
    partitions: Box<[Partition]>,
    totals: Totals,
    agenda: Agenda,
    next_place: u64,
    patience: Patience,
    chance: fastrand::Rng,
    scan_at: Duration,
    next_scan: usize,
    /// When the next partition that fails may be tried.
    next_trial: Duration,
    /// When all failing partitions were last released together.
    released_at: Option<Duration>,
    /// Whether wake-ups may have been lost since the last scan of all partitions.
    lost_wakeups: bool,
    /// How many waits in a row brought no job.
    vain_waits: u32,
    /// Whether claims brought jobs since the last drain check, or there was no drain check yet.
    has_claimed: bool,
    is_stopped: bool,
}

impl Scheduler {
    /// A scheduler at time zero that begins with a claim from each partition.
    pub(super) fn new(plan: Plan, chance: fastrand::Rng) -> Self {
        let mut scheduler = Self {
            plan,
            partitions: (0..plan.partitions).map(|_| Partition::default()).collect(),
            totals: Totals::default(),
            agenda: Agenda::default(),
            next_place: 0,
            patience: Patience::new(),
            chance,
            scan_at: Duration::ZERO,
            next_scan: 0,
            next_trial: Duration::ZERO,
            released_at: None,
            lost_wakeups: false,
            vain_waits: 0,
            has_claimed: true,
            is_stopped: false,
        };
        scheduler.plan_scan(Duration::ZERO);
        scheduler.want_all(Duration::ZERO);
        scheduler
    }

    /// The only place that changes a partition: it updates everything that depends on the
    /// partition.
    fn change<R>(
        &mut self,
        number: u32,
        now: Duration,
        change: impl FnOnce(&mut Partition) -> R,
    ) -> Option<R> {
        let partition = self.partitions.get_mut(index(number))?;
        let (total, entries) = (Totals::of(partition), Entries::of(partition));
        let was_awaited = partition.is_awaited();
        let changed = change(partition);
        match partition.life {
            Life::Idle if partition.has_work => {
                partition.life = Life::Waiting { place: self.next_place };
                self.next_place = self.next_place.wrapping_add(1);
            }
            Life::Waiting { .. } if !partition.has_work => partition.life = Life::Idle,
            Life::Active { asked: false, .. } if !partition.has_work && partition.claims == 0 => {
                partition.life = Life::Idle;
            }
            _ => {}
        }
        if partition.is_awaited() && !was_awaited {
            partition.heard_at = now;
        }
        if partition.is_awaited() && partition.life.is_counted() {
            partition.silent_at.get_or_insert(now + self.patience.get());
        }
        self.totals.replace(total, Totals::of(partition));
        self.agenda.replace(number, entries, Entries::of(partition));
        #[cfg(debug_assertions)]
        self.check(number);
        Some(changed)
    }

    fn get(&self, number: u32) -> Option<&Partition> {
        self.partitions.get(index(number))
    }

    const fn capacity(&self) -> usize {
        self.plan.concurrency.saturating_add(self.plan.prefetch)
    }

    /// For how many more jobs there is room: free slots and prefetching, as long as not too many
    /// jobs are unsettled.
    pub(super) fn room(&self) -> usize {
        let Totals { held, expected, asked, .. } = self.totals;
        self.room_beside(held.saturating_add(expected).saturating_add(asked))
    }

    /// Whether the worker could take a job now. The jobs that claims in flight may bring do not
    /// count: most claims bring fewer than they ask for, and a missed wake-up costs a round trip.
    pub(super) fn can_take(&self) -> bool {
        self.room_beside(self.totals.held) > 0
    }

    fn room_beside(&self, taken: usize) -> usize {
        let unsettled = self.capacity().saturating_add(self.plan.concurrency);
        let unsettled = unsettled.saturating_sub(taken.saturating_add(self.totals.settling));
        self.capacity().saturating_sub(taken).min(unsettled)
    }

    /// Whether the worker's own work has run out: no job held, no request in flight, no partition
    /// to claim from.
    pub(super) const fn has_run_out(&self) -> bool {
        self.totals.held == 0 && self.totals.under_way == 0 && self.totals.working == 0
    }

    /// Whether no claim is in flight.
    pub(super) const fn has_no_claims(&self) -> bool {
        self.totals.expected == 0 && self.totals.uncounted == 0
    }

    /// Whether the time of some partition's next maintenance is known.
    pub(super) fn knows_of_due_jobs(&self) -> bool {
        !self.agenda.due.is_empty() || !self.agenda.trials.is_empty()
    }

    /// Whether claims brought jobs since [`forget_claims`](Self::forget_claims), or that was never
    /// called.
    pub(super) const fn has_claimed(&self) -> bool {
        self.has_claimed
    }

    pub(super) const fn forget_claims(&mut self) {
        self.has_claimed = false;
    }

    /// Claims and maintains nothing more.
    pub(super) const fn stop(&mut self) {
        self.is_stopped = true;
    }

    /// Advances to this time, and returns the partitions to maintain now.
    pub(super) fn advance(&mut self, now: Duration) -> Vec<u32> {
        if self.is_stopped {
            return Vec::new();
        }
        self.find_silent(now);
        self.find_late(now);
        self.unmute(now);
        if now >= self.scan_at {
            self.plan_scan(now);
            self.scan(now);
        }
        self.start_maintenance(now)
    }

    /// When to call [`advance`](Self::advance) next, unless something happens before.
    pub(super) fn next_wake(&self) -> Option<Duration> {
        if self.is_stopped {
            return None;
        }
        let agenda = &self.agenda;
        let due = first_at(&agenda.due).filter(|_| self.may_maintain());
        let trial = first_at(&agenda.trials).map(|at| at.max(self.next_trial));
        let sets = [&agenda.silent, &agenda.late, &agenda.muted].map(first_at);
        let times = sets.into_iter().chain([due, trial]).flatten();
        times.chain([self.scan_at]).min()
    }

    fn plan_scan(&mut self, now: Duration) {
        self.scan_at = now + SCAN.mul_f64(5.0 / 6.0 + self.chance.f64() / 3.0);
    }

    /// Marks partitions that owe an answer for too long as late: the jobs that they may bring count
    /// no more.
    fn find_silent(&mut self, now: Duration) {
        let patience = self.patience.get();
        while let Some(number) = first_until(&self.agenda.silent, now) {
            self.change(number, now, |partition| {
                let looked = partition.silent_at.take().unwrap_or(now);
                if !partition.is_awaited() || !partition.life.is_counted() {
                    return;
                }
                let late = partition.heard_at + patience;
                if late > now {
                    partition.silent_at = Some(late);
                } else if is_starved(looked, now, patience) {
                    partition.silent_at = Some(now + patience);
                } else {
                    partition.life = Life::Late { asked: partition.life.is_asked() };
                    partition.is_slow = true;
                }
            });
        }
    }

    /// An answer came from a partition, in this time.
    fn hear(&mut self, number: u32, latency: Option<Duration>, now: Duration) {
        let patience = self.patience.get();
        if let Some(latency) = latency {
            self.patience.learn(latency);
        }
        self.change(number, now, |partition| {
            partition.heard_at = now;
            if let Some(latency) = latency {
                partition.is_slow = latency > patience;
            }
            if partition.life == (Life::Late { asked: false }) && partition.claims == 0 {
                partition.life = Life::Idle;
            }
        });
    }
}

/// Whether this process itself was late to check, which says nothing about the partition.
fn is_starved(planned: Duration, now: Duration, patience: Duration) -> bool {
    now.saturating_sub(planned) > patience / 4
}

fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
