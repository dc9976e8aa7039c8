//! What a worker's slots, its supervisor and the exchanges share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use kv_core::queue::{Claimed, Handle, JobKey, Operation, Tended, Verdict};
use kv_core::{Error, Result};
use tokio::runtime::Handle as Runtime;
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;

use super::Worker;
use super::slot::{End, Last};
use super::state::{Look, State, by_partition, get};
use crate::queue::Lease;
use crate::requests::{Claimer, Claims, Item, PendingClaim, Reply, Requests};

/// What a worker is told a verdict on.
enum Note {
    /// A settled delivery, and how its handler ended, where there was one.
    Settled(Arc<Lease>, Option<End>),
    Renewed(u32, Handle),
    HandedBack,
}

/// The state of a running worker.
///
/// Its lock is never held while one of the queue is taken: what follows from a change is done
/// after it.
pub(super) struct Board {
    requests: Arc<Requests>,
    runtime: Runtime,
    stop: CancellationToken,
    /// One permit for each delivery that waits for a slot.
    ready: Semaphore,
    /// Tells the supervisor to look again.
    poked: Notify,
    state: Mutex<State>,
}

/// A delivery for a slot.
pub(super) struct Start {
    pub(super) lease: Arc<Lease>,
    pub(super) body: Bytes,
}

impl Board {
    pub(super) fn new<T>(worker: &Worker<T>) -> Arc<Self> {
        let requests = worker.queue.requests();
        let room = (worker.concurrency, worker.prefetch);
        let (partitions, lease) =
            (requests.connection.partitions.len(), requests.connection.settings.lease);
        let board = Arc::new(Self {
            requests: Arc::clone(requests),
            runtime: Runtime::current(),
            stop: worker.stop.clone(),
            ready: Semaphore::new(0),
            poked: Notify::new(),
            state: Mutex::new(State::new(room, worker.until_drained, partitions, lease)),
        });
        let claimer: Arc<dyn Claimer> = board.clone();
        requests.register(Arc::downgrade(&claimer));
        board
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state, and sees to what follows: claims where there is room now, and a poke
    /// where the supervisor has something to do.
    pub(super) fn change<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        self.change_and(change, |_| ())
    }

    /// The same, with something to do before the claims leave.
    fn change_and<R>(&self, change: impl FnOnce(&mut State) -> R, then: impl FnOnce(&mut R)) -> R {
        let mut state = self.state();
        let mut changed = change(&mut state);
        let looks = state.next_looks();
        let poke = state.calls_supervisor();
        drop(state);
        then(&mut changed);
        for number in looks {
            self.requests.depart(number);
        }
        if poke {
            self.poke();
        }
        changed
    }

    /// Sees to claims where room came free unnoticed.
    pub(super) fn seek(&self) {
        let looks = self.state().next_looks();
        for number in looks {
            self.requests.depart(number);
        }
    }

    /// Makes the supervisor look again.
    pub(super) fn poke(&self) {
        self.poked.notify_one();
    }

    /// Ends when there is something for the supervisor to do.
    pub(super) async fn poked(&self) {
        self.poked.notified().await;
    }

    /// The next delivery for a slot; `None` when no more are to be started.
    pub(super) async fn next(&self, slot: usize) -> Option<Start> {
        loop {
            self.ready.acquire().await.ok()?.forget();
            if let Some(start) = self.start(slot) {
                return Some(start);
            }
            // Its lease was lost while it waited.
        }
    }

    fn start(&self, slot: usize) -> Option<Start> {
        let mut state = self.state();
        let (number, claimed) = state.ready.pop_front()?;
        let body = claimed.body.clone();
        let lease = Arc::new(Lease::of(&self.requests, number, claimed));
        *state.slots.get_mut(slot)? = Some(Arc::clone(&lease));
        state.running += 1;
        Some(Start { lease, body })
    }

    /// A slot is free again; what is left to say about its delivery leaves with the next
    /// exchange.
    pub(super) fn end(self: &Arc<Self>, slot: usize, lease: &Arc<Lease>, last: Last) {
        let number = lease.partition();
        let free = |state: &mut State| {
            if let Some(slot) = state.slots.get_mut(slot) {
                *slot = None;
            }
            state.running -= 1;
            state.let_go(number);
            match last {
                Last::Word(operation, end) => {
                    state.settling += 1;
                    let reply = self.reply(Note::Settled(Arc::clone(lease), end));
                    Some(Item { handle: lease.handle(), operation, reply })
                }
                Last::Said(end) => {
                    state.summary.count(end);
                    None
                }
            }
        };
        self.change_and(free, |item| self.requests.gather(number, item.take()));
    }

    /// Has the worker hear the verdict.
    fn reply(self: &Arc<Self>, note: Note) -> Reply {
        let board = Arc::clone(self);
        Reply::Worker(Box::new(move |verdict| board.told(note, verdict)))
    }

    /// The store's verdict on what the worker said.
    fn told(&self, note: Note, verdict: Result<Verdict>) {
        match note {
            Note::Settled(lease, end) => {
                let end = end.map(|end| judged(&lease, end, verdict));
                self.change(|state| {
                    state.settling -= 1;
                    end.map(|end| state.summary.count(end))
                });
            }
            Note::Renewed(number, handle) => self.renewed(number, handle, &verdict),
            Note::HandedBack => self.change(|state| {
                state.handing_back -= 1;
                state.summary.handed_back += u64::from(matches!(verdict, Ok(Verdict::Applied)));
            }),
        }
    }

    fn renewed(&self, number: u32, handle: Handle, verdict: &Result<Verdict>) {
        let is_lost = matches!(verdict, Ok(Verdict::Stale | Verdict::Cancelled));
        let mut state = self.state();
        if let Some(partition) = get(&mut state.partitions, number) {
            partition.renewing = partition.renewing.saturating_sub(1);
        }
        if !is_lost {
            return;
        }
        let own = |lease: &&Arc<Lease>| lease.partition() == number && lease.handle() == handle;
        // It may have settled itself between the request and the verdict.
        if let Some(lease) = state.slots.iter().flatten().find(own) {
            if !lease.is_settling() {
                tracing::warn!(job = %lease.id(), token = handle.token, "lease lost; job is dropped");
                lease.lose();
            }
            return;
        }
        let waiting = |(at, claimed): &(u32, Claimed)| *at == number && claimed.handle == handle;
        if let Some(at) = state.ready.iter().position(waiting) {
            state.ready.remove(at);
            state.let_go(number);
            state.summary.count(End::Lost);
            self.poke();
        }
    }

    /// Extends the leases of all that is in hand, in one exchange a partition.
    pub(super) fn renew(self: &Arc<Self>) {
        let parts = self.state().start_renewal();
        for (number, handles) in parts {
            self.extend(number, handles);
        }
    }

    fn extend(self: &Arc<Self>, number: u32, handles: impl IntoIterator<Item = Handle>) {
        let lease = self.requests.connection.settings.lease;
        let extend = |handle| Item {
            handle,
            operation: Some(Operation::Extend { lease }),
            reply: self.reply(Note::Renewed(number, handle)),
        };
        self.requests.gather(number, handles.into_iter().map(extend));
    }

    /// Claims no more, and hands back what no slot has begun.
    pub(super) fn stop(self: &Arc<Self>) {
        self.ready.close();
        let waiting = {
            let mut state = self.state();
            state.stopping = true;
            state.take_ready()
        };
        self.hand_back(waiting);
    }

    /// Has no more to do with anything: nobody is left to run a job.
    pub(super) fn abandon(&self) {
        self.ready.close();
        let mut state = self.state();
        state.stopping = true;
        state.ready.clear();
    }

    /// Hands back what was begun and is not settled.
    pub(super) fn hand_back_running(self: &Arc<Self>) {
        let held = {
            let mut state = self.state();
            state.running = 0;
            let begun = std::mem::take(&mut state.slots).into_iter().flatten();
            begun
                .filter(|lease| !lease.is_settled())
                .map(|it| (it.partition(), it.handle()))
                .collect()
        };
        self.hand_back(held);
    }

    fn hand_back(self: &Arc<Self>, held: Vec<(u32, Handle)>) {
        self.state().handing_back += held.len();
        for (number, handles) in by_partition(held) {
            let snooze = |handle| Item {
                handle,
                operation: Some(Operation::Snooze { after: Duration::ZERO }),
                reply: self.reply(Note::HandedBack),
            };
            self.requests.gather(number, handles.into_iter().map(snooze));
        }
    }

    /// A tend came back.
    pub(super) fn tended(&self, number: u32, tended: Result<Tended>) {
        self.change(|state| match tended {
            Ok(tended) => {
                let moved = tended.promoted + tended.recovered > 0;
                state.tended(number, tended.next_due, moved, tended.more);
            }
            Err(error) => {
                state.end_tend(number);
                fail(state, number, error);
            }
        });
    }
}

impl Claimer for Board {
    fn claim(self: Arc<Self>, number: u32) -> Option<Box<dyn PendingClaim>> {
        if self.stop.is_cancelled() {
            return None;
        }
        let mut state = self.state();
        let room = state.room();
        let look = state.reserve(number);
        let has_freed_room = look.is_none() && state.room() > room;
        drop(state);
        if has_freed_room {
            self.poke();
        }
        look.map(|look| Box::new(Ticket { board: self, number, look }) as Box<dyn PendingClaim>)
    }

    fn due(&self, number: u32, after: Duration) {
        self.change(|state| match after.is_zero() {
            true => state.heat(number, false),
            false => state.hear_of_due(number, after),
        });
    }

    fn cancelled(self: Arc<Self>, number: u32, job: JobKey) {
        let is_own = |lease: &&Arc<Lease>| lease.partition() == number && lease.handle().key == job;
        let held: Vec<_> = self.state().slots.iter().flatten().filter(is_own).cloned().collect();
        for lease in held {
            self.extend(number, [lease.handle()]);
        }
    }

    fn closed(&self) {
        self.poke();
    }

    fn runtime(&self) -> Runtime {
        self.runtime.clone()
    }
}

/// A claim on its way.
struct Ticket {
    board: Arc<Board>,
    number: u32,
    look: Look,
}

impl PendingClaim for Ticket {
    fn limit(&self) -> usize {
        self.look.limit
    }

    fn is_late(&mut self) {
        let look = &mut self.look;
        self.board.change(|state| state.free_slots(look));
    }

    fn finish(self: Box<Self>, answer: Result<Claims>) {
        let Self { board, number, look } = *self;
        let take = |state: &mut State| {
            state.looked(number, look);
            match answer {
                Ok(Claims { claimed, more: _, next_due }) => {
                    let found = claimed.len();
                    state.found(number, look, found, next_due);
                    state.take_in(number, claimed);
                    match state.stopping {
                        false => board.ready.add_permits(found),
                        true => return state.take_ready(),
                    }
                }
                Err(error) => fail(state, number, error),
            }
            Vec::new()
        };
        board.change_and(take, |unwanted| board.hand_back(std::mem::take(unwanted)));
    }
}

/// Leaves a partition alone for a while, or ends the worker if waiting does not mend the error.
fn fail(state: &mut State, number: u32, error: Error) {
    // What it may have done does not matter: the worker repeats nothing blindly, it looks anew.
    if error.kind().is_passing() {
        tracing::warn!(%error, partition = number, "no work could be claimed");
        state.back_off(number, error.kind());
    } else {
        state.failed.get_or_insert(error);
    }
}

/// How a delivery ended whose handler ended so, by the verdict on what was said of it.
fn judged(lease: &Lease, end: End, verdict: Result<Verdict>) -> End {
    let has_verdict = verdict.is_ok();
    match lease.judge("settle", verdict) {
        Ok(()) => end,
        Err(error) => {
            // Unsettled, the job comes back when its lease ends.
            tracing::warn!(job = %lease.id(), %error, "delivery could not be settled");
            if has_verdict { End::Lost } else { end }
        }
    }
}
