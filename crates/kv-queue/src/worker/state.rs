//! The state of a worker, under one lock: its plan, its slots, and the jobs that wait for a slot.

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

/// A held delivery: its partition, and the right to settle it.
pub(super) type Held = (u32, Handle);

/// The change for which the supervisor wants to wake.
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
    /// Claimed jobs that wait for a slot.
    pub(super) ready: VecDeque<(u32, Claimed)>,
    /// The numbers of settles and of handed-back deliveries without a verdict. A token changes
    /// each.
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

    /// Whether all handlers have ended and have their verdicts.
    pub(super) const fn handlers_finished(&self) -> bool {
        self.running.busy() == 0 && self.settling == 0
    }

    /// Whether every verdict for which a stop waits has come.
    pub(super) fn replies_received(&self) -> bool {
        self.settling == 0 && self.handing_back == 0 && self.scheduler.has_no_claims()
    }

    /// How many more slots the held deliveries need.
    pub(super) fn lacking_slots(&self) -> usize {
        self.running.lacking(self.ready.len())
    }

    /// Whether to wake the supervisor; true once for each change.
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

    /// Takes the deliveries that no slot has begun.
    pub(super) fn take_ready(&mut self, now: Duration) -> Vec<Held> {
        let waiting = std::mem::take(&mut self.ready);
        let handles = waiting.into_iter().map(|(number, claimed)| {
            self.scheduler.let_go(number, false, now);
            (number, claimed.handle)
        });
        handles.collect()
    }

    /// Takes the running deliveries. Counts the settled ones, and returns the rest and how the
    /// counted ones ended.
    pub(super) fn take_running(&mut self, now: Duration) -> (Vec<Held>, Vec<Ending>) {
        let (mut left, mut endings) = (Vec::new(), Vec::new());
        for lease in self.running.take() {
            self.scheduler.let_go(lease.partition(), false, now);
            match lease.settled() {
                Some(settled) => {
                    let ending = Ending::from(settled);
                    self.summary.count(ending);
                    endings.push(ending);
                }
                None => left.push((lease.partition(), lease.handle())),
            }
        }
        (left, endings)
    }

    /// The held deliveries by partition, without partitions whose extensions are in flight; with
    /// `only_failed`, those of partitions whose extensions failed.
    pub(super) fn start_renewal(&mut self, only_failed: bool) -> Vec<(u32, Vec<Handle>)> {
        let waiting = self.ready.iter().map(|(number, claimed)| (*number, claimed.handle));
        let running = self.running.leases().filter(|lease| !lease.is_settled() && !lease.is_lost());
        let running = running.map(|lease| (lease.partition(), lease.handle()));
        let mut parts = by_partition(waiting.chain(running).collect());
        parts.retain(|(number, handles)| self.renewals.start(*number, handles.len(), only_failed));
        self.renewals.forget_failures();
        parts
    }

    /// Marks a job as cancelled, and returns its held deliveries.
    pub(super) fn cancel(&self, number: u32, job: JobKey) -> Vec<Handle> {
        let is_own = |at: u32, handle: Handle| at == number && handle.key == job;
        let running = self.running.leases().filter(|it| is_own(it.partition(), it.handle()));
        let running = running.inspect(|lease| lease.cancel()).map(|lease| lease.handle());
        let waiting = self.ready.iter().filter(|(at, claimed)| is_own(*at, claimed.handle));
        running.chain(waiting.map(|(_, claimed)| claimed.handle)).collect()
    }

    /// The store says that a lease is gone. Ends the running handler, or drops the waiting
    /// delivery; the latter returns true.
    pub(super) fn lose(&mut self, number: u32, handle: Handle, verdict: Verdict) -> Option<Gone> {
        let is_it = |lease: &&Arc<Lease>| lease.partition() == number && lease.handle() == handle;
        if let Some(lease) = self.running.leases().find(is_it) {
            // The handler may have settled the delivery between the request and the verdict.
            let is_news = !lease.is_settling();
            return is_news.then(|| Gone::Running(Arc::clone(lease)));
        }
        let is_it = |(at, claimed): &(u32, Claimed)| *at == number && claimed.handle == handle;
        let at = self.ready.iter().position(is_it)?;
        self.ready.remove(at);
        let ending = if verdict == Verdict::Cancelled { Ending::Cancelled } else { Ending::Lost };
        self.summary.count(ending);
        Some(Gone::Waiting(ending))
    }
}

/// Which kind of delivery lost its lease.
pub(super) enum Gone {
    Running(Arc<Lease>),
    Waiting(Ending),
}

/// Extensions without a verdict, and partitions in which an extension failed.
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

/// Groups handles by partition.
pub(super) fn by_partition(mut held: Vec<Held>) -> Vec<(u32, Vec<Handle>)> {
    held.sort_unstable_by_key(|(number, _)| *number);
    let parts = held.chunk_by(|(one, _), (other, _)| one == other);
    let handles = |part: &[Held]| part.iter().map(|(_, handle)| *handle).collect();
    parts.filter_map(|part| Some((part.first()?.0, handles(part)))).collect()
}
