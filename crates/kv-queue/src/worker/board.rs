//! What a worker's slots, its supervisor and the exchanges share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use kv_core::queue::{Claim, Claimed, Handle, Operation, Tended, Verdict};
use kv_core::{Error, Result};
use tokio::runtime::Handle as Runtime;
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;

use super::Worker;
use super::slot::{End, Last};
use super::state::{Look, State, by_partition, get};
use crate::delivery::Lease;
use crate::exchanges::{Item, Reply};
use crate::link::Link;

/// What a worker is told a verdict on.
pub(crate) enum Note {
    /// A settled delivery, and how its handler ended, where there was one.
    Settled(Arc<Lease>, Option<End>),
    Renewed(u32, Handle),
    HandedBack,
}

/// The state of a running worker.
///
/// Its lock is never held while one of the queue is taken: what follows from a change is done
/// after it.
pub(crate) struct Board {
    link: Arc<Link>,
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
        let link = worker.queue.link();
        let room = (worker.concurrency, worker.prefetch);
        let (partitions, lease) = (link.partitions.len(), link.settings.lease);
        let board = Arc::new(Self {
            link: Arc::clone(link),
            runtime: Runtime::current(),
            stop: worker.stop.clone(),
            ready: Semaphore::new(0),
            poked: Notify::new(),
            state: Mutex::new(State::new(room, worker.until_drained, partitions, lease)),
        });
        link.register(&board);
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
            self.link.depart(number);
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
            self.link.depart(number);
        }
    }

    /// The runtime on which the worker runs.
    pub(crate) const fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// Makes the supervisor look again.
    pub(crate) fn poke(&self) {
        self.poked.notify_one();
    }

    /// Ends when there is something for the supervisor to do.
    pub(super) async fn poked(&self) {
        self.poked.notified().await;
    }

    /// A job was put into a partition that is due after this time.
    pub(crate) fn due(&self, number: u32, after: Duration) {
        self.change(|state| match after.is_zero() {
            true => state.heat(number, false),
            false => state.hear_of_due(number, after),
        });
    }

    /// What to claim from a partition with an exchange that leaves now.
    pub(crate) fn reserve(self: &Arc<Self>, number: u32) -> Option<Ticket> {
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
        look.map(|look| Ticket { board: Arc::clone(self), number, look })
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
        let lease = Arc::new(Lease::of(&self.link, number, claimed));
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
                    let note = Note::Settled(Arc::clone(lease), end);
                    let reply = Reply::Worker(Arc::clone(self), note);
                    Some(Item { handle: lease.handle(), operation, reply })
                }
                Last::Said(end) => {
                    state.summary.count(end);
                    None
                }
            }
        };
        self.change_and(free, |item| self.link.gather(number, item.take()));
    }

    /// The store's verdict on what the worker said.
    pub(crate) fn told(&self, note: Note, verdict: Result<Verdict>) {
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
        let lease = self.link.settings.lease;
        let parts = self.state().start_renewal();
        for (number, handles) in parts {
            let extend = |handle| Item {
                handle,
                operation: Some(Operation::Extend { lease }),
                reply: Reply::Worker(Arc::clone(self), Note::Renewed(number, handle)),
            };
            self.link.gather(number, handles.into_iter().map(extend));
        }
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
                reply: Reply::Worker(Arc::clone(self), Note::HandedBack),
            };
            self.link.gather(number, handles.into_iter().map(snooze));
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

/// A claim on its way.
pub(crate) struct Ticket {
    board: Arc<Board>,
    number: u32,
    look: Look,
}

impl Ticket {
    pub(crate) fn claim(&self) -> Claim {
        let lease = self.board.link.settings.lease;
        Claim { limit: self.look.limit, bytes: usize::MAX, lease }
    }

    /// Lets other claims go before this one, which takes long.
    pub(crate) fn free_slots(&mut self) {
        let look = &mut self.look;
        self.board.change(|state| state.free_slots(look));
    }

    /// Brings what was claimed, and when to look again if it was less than asked for.
    pub(crate) fn answer(self, answer: Result<(Vec<Claimed>, Option<Duration>)>) {
        let Self { board, number, look } = self;
        let take = |state: &mut State| {
            state.looked(number, look);
            match answer {
                Ok((claimed, next_due)) => {
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
