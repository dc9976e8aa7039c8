//! What a worker's slots, its supervisor and the exchanges share.

mod unsettled;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use kv_core::queue::{Handle, JobKey, Maintained, Operation, Verdict};
use kv_core::{Error, Result};
use tokio::runtime::Handle as Runtime;
use tokio::sync::{Notify, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Worker;
use super::meter::Metering;
use super::scheduler::{self, Answer, MaintenanceAnswer, Plan};
use super::state::{Gone, Held, State, by_partition};
use super::summary::{Ending, Outcome, Sent};
use crate::queue::Lease;
use crate::requests::{Claimer, Claims, Item, PendingClaim, Reply, Requests};
use unsettled::Unsettled;

/// The state of a running worker. Changes go through here, and so do their effects.
pub(super) struct Shared {
    pub(super) requests: Arc<Requests>,
    runtime: Runtime,
    stop: CancellationToken,
    pub(super) metering: Metering,
    began: Instant,
    /// One permit for each delivery that waits for a slot.
    ready: Semaphore,
    /// Wakes the supervisor.
    changed: Notify,
    state: Mutex<State>,
}

/// A delivery for a slot.
pub(super) struct Start {
    pub(super) lease: Arc<Lease>,
    pub(super) body: Bytes,
}

impl Shared {
    pub(super) fn new<T>(worker: &Worker<T>) -> Arc<Self> {
        let requests = worker.queue.requests();
        let connection = &requests.connection;
        let plan = Plan {
            concurrency: worker.concurrency,
            prefetch: worker.prefetch,
            partitions: connection.partitions.len(),
            lease: connection.settings.lease,
        };
        let shared = Arc::new(Self {
            requests: Arc::clone(requests),
            runtime: Runtime::current(),
            stop: worker.stop.clone(),
            metering: worker.metering.clone(),
            began: Instant::now(),
            ready: Semaphore::new(0),
            changed: Notify::new(),
            state: Mutex::new(State::new(plan, worker.until_drained)),
        });
        let claimer: Arc<dyn Claimer> = shared.clone();
        requests.register(Arc::downgrade(&claimer));
        shared
    }

    /// The scheduler's time.
    pub(super) fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// A time of the scheduler as an instant to sleep until.
    pub(super) fn instant(&self, at: Duration) -> Instant {
        self.began + at
    }

    /// An instant as a time of the scheduler.
    pub(super) fn time_of(&self, instant: Instant) -> Duration {
        instant.duration_since(self.began)
    }

    /// The queue's name, for logs.
    pub(super) fn queue(&self) -> &str {
        self.requests.connection.queue()
    }

    /// The state, to read it or to make a change without effects. Take no other lock while holding
    /// it.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state, and then, without the lock, carries out the effects: claims where there
    /// is room now, and wakes the supervisor if needed.
    pub(super) fn change<R>(&self, change: impl FnOnce(&mut State, Duration) -> R) -> R {
        self.change_and(change, |_| ())
    }

    /// The same, with an action before the claims leave.
    fn change_and<R>(
        &self,
        change: impl FnOnce(&mut State, Duration) -> R,
        then: impl FnOnce(&mut R),
    ) -> R {
        let now = self.now();
        let mut state = self.state();
        let mut changed = change(&mut state, now);
        let claims = state.scheduler.grant(now);
        let wakes = state.take_wake();
        drop(state);
        then(&mut changed);
        self.depart(claims);
        if wakes {
            self.wake();
        }
        changed
    }

    /// A change by the supervisor itself, which needs no waking.
    pub(super) fn supervise<R>(&self, change: impl FnOnce(&mut State, Duration) -> R) -> R {
        let now = self.now();
        let mut state = self.state();
        let changed = change(&mut state, now);
        let claims = state.scheduler.grant(now);
        drop(state);
        self.depart(claims);
        changed
    }

    fn depart(&self, claims: Vec<u32>) {
        for number in claims {
            self.requests.depart(number);
        }
    }

    /// Wakes the supervisor.
    pub(super) fn wake(&self) {
        self.changed.notify_one();
    }

    /// Ends when the supervisor was woken.
    pub(super) async fn woken(&self) {
        self.changed.notified().await;
    }

    /// The next delivery for a slot; `None` if the worker starts no more.
    pub(super) async fn next(&self, slot: usize) -> Option<Start> {
        loop {
            self.ready.acquire().await.ok()?.forget();
            if let Some(start) = self.start(slot) {
                return Some(start);
            }
            // The delivery lost its lease while it waited.
        }
    }

    fn start(&self, slot: usize) -> Option<Start> {
        let mut state = self.state();
        let (number, claimed) = state.ready.pop_front()?;
        let body = claimed.body.clone();
        let lease = Arc::new(Lease::of(&self.requests, number, claimed));
        state.running.begin(slot, &lease).then_some(Start { lease, body })
    }

    /// Frees a slot; the settle of its delivery leaves with the next exchange. If the delivery was
    /// handed back meanwhile, nothing is sent.
    pub(super) fn end(self: &Arc<Self>, slot: usize, lease: &Arc<Lease>, outcome: Outcome) {
        let number = lease.partition();
        let mut ended = None;
        let free = |state: &mut State, now| {
            if !state.running.end(slot) {
                return None;
            }
            let (operation, sent) = match outcome {
                Outcome::ToSend(operation, sent) => (operation, sent),
                Outcome::Ended(ending) => {
                    state.scheduler.let_go(number, false, now);
                    state.summary.count(ending);
                    ended = Some(ending);
                    return None;
                }
            };
            state.scheduler.let_go(number, true, now);
            let unsettled = Unsettled::new(self, state, number, sent);
            let lease = Arc::clone(lease);
            let handle = lease.handle();
            let hear = move |verdict| unsettled.hear(&lease, verdict);
            Some(Item { handle, operation, reply: Reply::Worker(Box::new(hear)) })
        };
        self.change_and(free, |item| {
            if let Some(item) = item.take() {
                self.requests.gather(number, [item]);
            }
        });
        self.tell(ended);
    }

    /// Tells the meter how deliveries have ended.
    pub(super) fn tell(&self, endings: impl IntoIterator<Item = Ending>) {
        for ending in endings {
            self.metering.tell(|meter| meter.ended(self.queue(), ending));
        }
    }

    /// Extends the leases of all deliveries, in one exchange for each partition; with
    /// `only_failed`, in the partitions whose last extension failed.
    pub(super) fn renew(self: &Arc<Self>, only_failed: bool) {
        let parts = self.state().start_renewal(only_failed);
        for (number, handles) in parts {
            self.extend(number, handles);
        }
    }

    fn extend(self: &Arc<Self>, number: u32, handles: Vec<Handle>) {
        let lease = self.requests.connection.settings.lease;
        let extend = |handle| {
            let shared = Arc::clone(self);
            let hear = move |verdict| shared.renewed(number, handle, &verdict);
            let operation = Some(Operation::Extend { lease });
            Item { handle, operation, reply: Reply::Worker(Box::new(hear)) }
        };
        self.requests.gather(number, handles.into_iter().map(extend));
    }

    fn renewed(&self, number: u32, handle: Handle, verdict: &Result<Verdict>) {
        let mut state = self.state();
        state.renewals.end(number, verdict.is_ok());
        let is_gone = matches!(verdict, Ok(Verdict::Stale | Verdict::Cancelled));
        let Some(verdict) = verdict.as_ref().ok().filter(|_| is_gone) else {
            drop(state);
            if verdict.is_err() {
                self.wake();
            }
            return;
        };
        let gone = state.lose(number, handle, *verdict);
        drop(state);
        match gone {
            Some(Gone::Running(lease)) => {
                let (queue, job) = (self.queue(), lease.id());
                match verdict {
                    Verdict::Cancelled => {
                        tracing::info!(queue, %job, "job was cancelled; its handler is dropped");
                    }
                    _ => {
                        tracing::warn!(queue, %job, "lease was lost; the job's handler is dropped");
                    }
                }
                lease.lose(*verdict);
            }
            Some(Gone::Waiting(ending)) => {
                self.change(|state, now| state.scheduler.let_go(number, false, now));
                self.tell([ending]);
            }
            None => {}
        }
    }

    /// Claims no more, and hands back the deliveries that no slot has begun.
    pub(super) fn stop(self: &Arc<Self>) {
        self.ready.close();
        let now = self.now();
        let waiting = {
            let mut state = self.state();
            state.is_stopping = true;
            state.scheduler.stop();
            state.take_ready(now)
        };
        self.hand_back(waiting, &Operation::Release);
    }

    /// Ends all work: nobody is left to run a job.
    pub(super) fn abandon(&self) {
        self.ready.close();
        let mut state = self.state();
        state.is_stopping = true;
        state.scheduler.stop();
        state.ready.clear();
    }

    /// Hands back the begun deliveries that are not settled.
    pub(super) fn hand_back_running(self: &Arc<Self>) {
        let now = self.now();
        let (held, endings) = self.state().take_running(now);
        self.tell(endings);
        // These jobs have begun, so the delivery counts.
        self.hand_back(held, &Operation::Snooze { after: Duration::ZERO });
    }

    fn hand_back(self: &Arc<Self>, held: Vec<Held>, operation: &Operation) {
        for (number, handles) in by_partition(held) {
            let mut state = self.state();
            let items: Vec<_> = handles
                .into_iter()
                .map(|handle| {
                    let unsettled = Unsettled::new(self, &mut state, number, Sent::HandBack);
                    let hear = move |verdict: Result<Verdict>| unsettled.end(verdict.ok());
                    let operation = Some(operation.clone());
                    Item { handle, operation, reply: Reply::Worker(Box::new(hear)) }
                })
                .collect();
            drop(state);
            self.requests.gather(number, items);
        }
    }

    /// The answer of maintenance came.
    pub(super) fn maintained(&self, number: u32, answer: Result<Maintained>) {
        let error = self.change(|state, now| match answer {
            Ok(maintained) => {
                let Maintained { promoted, recovered, unblocked, buried, forgotten, .. } =
                    maintained;
                let Maintained { more, next_due, .. } = maintained;
                let has_moved = promoted + recovered + unblocked > 0;
                let has_changed = has_moved || buried + forgotten > 0;
                let answer = MaintenanceAnswer { has_moved, has_changed, more, next_due };
                state.scheduler.maintained(number, answer, now);
                None
            }
            Err(error) => {
                state.scheduler.maintenance_failed(number, now);
                Some(error)
            }
        });
        if let Some(error) = error {
            self.failed(number, error);
        }
    }

    /// A request failed. The worker ends if waiting cannot clear the error.
    fn failed(&self, number: u32, error: Error) {
        // Whether the request was applied does not matter: the worker reads the partition anew.
        if error.kind().is_transient() {
            let queue = self.queue();
            tracing::warn!(queue, partition = number, %error, "no work could be claimed");
        } else {
            self.state().failed.get_or_insert(error);
            self.wake();
        }
    }
}

impl Claimer for Shared {
    fn claim(self: Arc<Self>, number: u32) -> Option<Box<dyn PendingClaim>> {
        if self.stop.is_cancelled() {
            return None;
        }
        let claim = self.change(|state, now| state.scheduler.begin_claim(number, now))?;
        Some(Box::new(ClaimUnderWay { shared: self, number, claim: Some(claim) }))
    }

    fn due(&self, number: u32, after: Duration) {
        self.change(|state, now| state.scheduler.due(number, after, now));
    }

    /// Extends the job's leases: the verdict tells the running handler.
    fn cancelled(self: Arc<Self>, number: u32, job: JobKey) {
        let held = self.state().cancel(number, job);
        if !held.is_empty() {
            self.extend(number, held);
        }
    }

    fn closed(&self) {
        self.wake();
    }

    fn runtime(&self) -> Runtime {
        self.runtime.clone()
    }
}

/// A claim in flight. A claim dropped without an answer has failed.
struct ClaimUnderWay {
    shared: Arc<Shared>,
    number: u32,
    claim: Option<scheduler::Claim>,
}

impl PendingClaim for ClaimUnderWay {
    fn limit(&self) -> usize {
        self.claim.map_or(0, |claim| claim.limit)
    }

    fn finish(mut self: Box<Self>, answer: Result<Claims>) {
        let Some(claim) = self.claim.take() else { return };
        match answer {
            Ok(claims) => self.shared.claimed(self.number, claim, claims),
            Err(error) => {
                let number = self.number;
                self.shared.change(|state, now| state.scheduler.claim_failed(number, claim, now));
                self.shared.failed(number, error);
            }
        }
    }
}

impl Drop for ClaimUnderWay {
    fn drop(&mut self) {
        if let Some(claim) = self.claim.take() {
            let number = self.number;
            self.shared.change(|state, now| state.scheduler.claim_failed(number, claim, now));
        }
    }
}

impl Shared {
    fn claimed(self: &Arc<Self>, number: u32, claim: scheduler::Claim, claims: Claims) {
        let Claims { claimed, more, next_due } = claims;
        let take = |state: &mut State, now| {
            let found = claimed.len();
            let answer = Answer { found, more, next_due };
            state.scheduler.claimed(number, claim, answer, now);
            state.ready.extend(claimed.into_iter().map(|claimed| (number, claimed)));
            if state.is_stopping {
                return state.take_ready(now);
            }
            self.ready.add_permits(found);
            Vec::new()
        };
        self.change_and(take, |unwanted| {
            self.hand_back(std::mem::take(unwanted), &Operation::Release);
        });
    }
}
