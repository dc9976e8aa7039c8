//! What a worker knows, under one lock: its plan, its slots, what waits for them.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use kv_core::Error;
use kv_core::queue::{Claimed, Handle, JobKey, Verdict};

use super::WorkerSummary;
use super::running::Running;
use super::scheduler::{Plan, Scheduler};
use super::summary::Ending;
use crate::queue::Lease;

/// A delivery in hand: its partition, and the right to settle it.
pub(super) type Held = (u32, Handle);

/// What the supervisor wants to hear of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Interest {
    #[default]
    Nothing,
    /// There is room for jobs again.
    Room,
    /// No room is left.
    NoRoom,
}

pub(super) struct State {
    pub(super) scheduler: Scheduler,
    pub(super) running: Running,
    pub(super) renewals: Renewals,
    /// What waits for a slot.
    pub(super) ready: VecDeque<(u32, Claimed)>,
    /// Settles, and deliveries handed back, whose verdict is awaited. Both move with a token.
    pub(super) settling: usize,
    pub(super) handing_back: usize,
    /// When the supervisor wakes by itself.
    pub(super) sleeps_until: Option<Duration>,
    pub(super) interest: Interest,
    /// Whether the worker ends when its work has run out.
    until_drained: bool,
    pub(super) is_stopping: bool,
    pub(super) failed: Option<Error>,
    pub(super) summary: WorkerSummary,
}

impl State {
    pub(super) fn new(plan: Plan, until_drained: bool) -> Self {
        Self {
            scheduler: Scheduler::new(plan, fastrand::Rng::new()),
            running: Running::new(plan.concurrency),
            renewals: Renewals::new(plan.partitions),
            ready: VecDeque::new(),
            settling: 0,
            handing_back: 0,
            sleeps_until: None,
            interest: Interest::default(),
            until_drained,
            is_stopping: false,
            failed: None,
            summary: WorkerSummary::default(),
        }
    }

    /// Whether all handlers have ended, and their verdicts are there.
    pub(super) const fn handlers_finished(&self) -> bool {
        self.running.busy() == 0 && self.settling == 0
    }

    /// Whether every verdict is there that a stop waits for.
    pub(super) fn replies_received(&self) -> bool {
        self.settling == 0 && self.handing_back == 0 && self.scheduler.has_no_claims()
    }

    /// How many more slots the deliveries in hand call for.
    pub(super) fn lacking_slots(&self) -> usize {
        self.running.lacking(self.ready.len())
    }

    /// Whether there is something new for the supervisor to do, which it is told once.
    pub(super) fn take_wake(&mut self) -> bool {
        let next = self.scheduler.next_wake();
        let is_earlier = next.is_some_and(|next| self.sleeps_until.is_some_and(|it| next < it));
        if is_earlier {
            self.sleeps_until = next;
        }
        let is_interesting = match self.interest {
            Interest::Nothing => false,
            Interest::Room => self.scheduler.can_take(),
            Interest::NoRoom => !self.scheduler.can_take(),
        };
        if is_interesting {
            self.interest = Interest::Nothing;
        }
        is_earlier
            || is_interesting
            || self.until_drained && self.scheduler.has_run_out()
            || self.is_stopping && self.handlers_finished()
            || self.lacking_slots() > 0
            || self.failed.is_some()
    }

    /// Lets go of what no slot has begun.
    pub(super) fn take_ready(&mut self, now: Duration) -> Vec<Held> {
        let waiting = std::mem::take(&mut self.ready);
        let handles = waiting.into_iter().map(|(number, claimed)| {
            self.scheduler.let_go(number, false, now);
            (number, claimed.handle)
        });
        handles.collect()
    }

    /// Lets go of what runs. What was settled already counts as that; the rest is returned.
    pub(super) fn take_running(&mut self, now: Duration) -> Vec<Held> {
        let mut left = Vec::new();
        for lease in self.running.take() {
            self.scheduler.let_go(lease.partition(), false, now);
            match lease.settled() {
                Some(settled) => self.summary.count(Ending::from(settled)),
                None => left.push((lease.partition(), lease.handle())),
            }
        }
        left
    }

    /// The deliveries in hand by partition, but where extensions are under way: of all
    /// partitions, or of those whose extensions failed.
    pub(super) fn start_renewal(&mut self, only_failed: bool) -> Vec<(u32, Vec<Handle>)> {
        let waiting = self.ready.iter().map(|(number, claimed)| (*number, claimed.handle));
        let running = self.running.leases().filter(|lease| !lease.is_settled());
        let running = running.map(|lease| (lease.partition(), lease.handle()));
        let mut parts = by_partition(waiting.chain(running).collect());
        parts.retain(|(number, handles)| self.renewals.start(*number, handles.len(), only_failed));
        self.renewals.forget_failures();
        parts
    }

    /// Marks a job as cancelled; its deliveries in hand.
    pub(super) fn cancel(&self, number: u32, job: JobKey) -> Vec<Handle> {
        let is_own = |at: u32, handle: Handle| at == number && handle.key == job;
        let running = self.running.leases().filter(|it| is_own(it.partition(), it.handle()));
        let running = running.inspect(|lease| lease.cancel()).map(|lease| lease.handle());
        let waiting = self.ready.iter().filter(|(at, claimed)| is_own(*at, claimed.handle));
        running.chain(waiting.map(|(_, claimed)| claimed.handle)).collect()
    }

    /// The store says that a lease is gone. Whoever runs the job is told so; one that waits is
    /// let go, and returns true.
    pub(super) fn lose(&mut self, number: u32, handle: Handle, verdict: Verdict) -> Option<Gone> {
        let is_it = |lease: &&Arc<Lease>| lease.partition() == number && lease.handle() == handle;
        if let Some(lease) = self.running.leases().find(is_it) {
            // It may have settled itself between the request and the verdict.
            let is_news = !lease.is_settling();
            return is_news.then(|| Gone::Running(Arc::clone(lease)));
        }
        let is_it = |(at, claimed): &(u32, Claimed)| *at == number && claimed.handle == handle;
        let at = self.ready.iter().position(is_it)?;
        self.ready.remove(at);
        self.summary.count(if verdict == Verdict::Cancelled {
            Ending::Cancelled
        } else {
            Ending::Lost
        });
        Some(Gone::Waiting)
    }
}

/// Of what the lease is gone.
pub(super) enum Gone {
    Running(Arc<Lease>),
    Waiting,
}

/// Extensions whose verdict is awaited, and partitions in which some failed.
pub(super) struct Renewals {
    under_way: Box<[usize]>,
    failed: BTreeSet<u32>,
}

impl Renewals {
    fn new(partitions: usize) -> Self {
        Self { under_way: vec![0; partitions].into_boxed_slice(), failed: BTreeSet::new() }
    }

    fn get(&mut self, number: u32) -> Option<&mut usize> {
        self.under_way.get_mut(usize::try_from(number).ok()?)
    }

    fn start(&mut self, number: u32, leases: usize, only_failed: bool) -> bool {
        if only_failed && !self.failed.contains(&number) {
            return false;
        }
        let idle = self.get(number).filter(|under_way| **under_way == 0);
        idle.map(|under_way| *under_way = leases).is_some()
    }

    /// A verdict came, or an error.
    pub(super) fn end(&mut self, number: u32, is_ok: bool) {
        if let Some(under_way) = self.get(number) {
            *under_way = under_way.saturating_sub(1);
        }
        if !is_ok {
            self.failed.insert(number);
        }
    }

    fn forget_failures(&mut self) {
        self.failed.clear();
    }

    pub(super) fn has_failed(&self) -> bool {
        !self.failed.is_empty()
    }
}

/// Handles together that are of one partition.
pub(super) fn by_partition(mut held: Vec<Held>) -> Vec<(u32, Vec<Handle>)> {
    held.sort_unstable_by_key(|(number, _)| *number);
    let parts = held.chunk_by(|(one, _), (other, _)| one == other);
    let handles = |part: &[Held]| part.iter().map(|(_, handle)| *handle).collect();
    parts.filter_map(|part| Some((part.first()?.0, handles(part)))).collect()
}
