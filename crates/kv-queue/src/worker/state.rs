//! What a worker knows: its slots, and in which partitions jobs may be.

mod due;
mod heat;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use kv_core::Error;
use kv_core::queue::{Claimed, Handle, MAX_BATCH};
use tokio::time::Instant;

use super::WorkerSummary;
use crate::queue::Lease;
use crate::retry::RetryPolicy;

/// How many claims are under way at most that no settle gave the occasion for.
const LOOKS: usize = 16;

/// How many partitions share the slots at a time: fewer make larger exchanges, more are delayed
/// less by one that does not answer.
const SHARERS: usize = 4;

/// How long a partition keeps its share while others wait for one.
const TURN: Duration = Duration::from_millis(20);

/// The slots, what is in hand, and where to look for more.
pub(super) struct State {
    concurrency: usize,
    /// How many jobs may be in hand: those that run, and those that wait for a slot.
    in_hand: usize,
    lease: Duration,
    pub(super) partitions: Box<[Partition]>,
    /// Partitions to claim from, the one that waits the longest first: those that are hot and
    /// that no claim is on its way to.
    ring: VecDeque<u32>,
    hot: usize,
    /// Partitions out of the ring that will be asked for a claim when their next exchange leaves.
    asked: usize,
    /// Claims under way.
    looks: usize,
    /// Those among them that no settle gave the occasion for, up to [`LOOKS`].
    scouts: usize,
    /// Jobs that those may bring, without those of claims that take long.
    claiming: usize,
    /// Jobs that those may bring.
    expected: usize,
    pub(super) ready: VecDeque<(u32, Claimed)>,
    /// The delivery that runs in each slot.
    pub(super) slots: Vec<Option<Arc<Lease>>>,
    pub(super) running: usize,
    /// Settles whose verdict is not there yet.
    pub(super) settling: usize,
    pub(super) handing_back: usize,
    /// No partition is due before this.
    pub(super) next_due: Option<Instant>,
    /// Whether jobs came in hand since the end was asked for, or it never was.
    pub(super) worked: bool,
    /// How many waits ended in a row without bringing a job.
    pub(super) futile: u32,
    away: RetryPolicy,
    is_away: bool,
    all_looked_at: Instant,
    next_look: usize,
    /// Whether the worker ends when its work has run out.
    until_drained: bool,
    /// Whether the supervisor wants to hear of the next room.
    pub(super) wants_room: bool,
    /// Whether it waits for wake-ups, and so wants to hear when no room is left.
    pub(super) listens: bool,
    /// When the supervisor wakes by itself.
    pub(super) sleeps_until: Option<Instant>,
    pub(super) stopping: bool,
    pub(super) failed: Option<Error>,
    pub(super) summary: WorkerSummary,
    rng: fastrand::Rng,
}

/// What is known of one partition.
#[derive(Default)]
pub(super) struct Partition {
    /// Whether it may hold claimable jobs.
    hot: bool,
    queued: bool,
    asked: bool,
    looks: usize,
    /// Until when it may go on claiming while others wait.
    turn_ends: Option<Instant>,
    /// Jobs in hand.
    held: usize,
    expected: usize,
    /// How often it was told of; a claim that left before the last time says nothing of now.
    told: u64,
    woken: bool,
    /// When to tend it.
    due: Option<Instant>,
    tended: Option<Instant>,
    is_tending: bool,
    /// Whether to claim after the next tend, whatever that moves.
    then_look: bool,
    /// Claims and tends that failed in a row.
    failures: u32,
    /// Extensions whose verdict is not there yet.
    pub(super) renewing: usize,
}

/// A claim that left.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    pub(super) limit: usize,
    /// What the partition was told of when it left.
    told: u64,
    is_scout: bool,
    /// Whether others were let go before it.
    freed: bool,
}

impl State {
    pub(super) fn new(
        (concurrency, prefetch): (usize, usize),
        until_drained: bool,
        partitions: usize,
        lease: Duration,
    ) -> Self {
        let mut state = Self {
            concurrency,
            in_hand: concurrency.saturating_add(prefetch),
            lease,
            partitions: (0..partitions).map(|_| Partition::default()).collect(),
            ring: VecDeque::new(),
            hot: 0,
            asked: 0,
            looks: 0,
            scouts: 0,
            claiming: 0,
            expected: 0,
            ready: VecDeque::new(),
            slots: Vec::new(),
            running: 0,
            settling: 0,
            handing_back: 0,
            next_due: None,
            worked: true,
            futile: 0,
            away: RetryPolicy::exponential(
                Duration::from_millis(100),
                Duration::from_millis(2_500),
            ),
            is_away: false,
            all_looked_at: Instant::now(),
            next_look: 0,
            until_drained,
            wants_room: false,
            listens: false,
            sleeps_until: None,
            stopping: false,
            failed: None,
            summary: WorkerSummary::default(),
            rng: fastrand::Rng::new(),
        };
        state.heat_all();
        state
    }

    /// For how many jobs there is room: free slots and what is claimed ahead, while not too many
    /// are unsettled.
    pub(super) fn room(&self) -> usize {
        let in_hand = self.running + self.ready.len();
        let free = self.in_hand.saturating_sub(in_hand + self.claiming + self.asked);
        let unsettled = in_hand + self.claiming + self.asked + self.settling;
        free.min(self.in_hand.saturating_add(self.concurrency).saturating_sub(unsettled))
    }

    /// Whether the own work has run out: nothing in hand, and nowhere to claim from.
    pub(super) fn has_run_out(&self) -> bool {
        let busy = self.running + self.ready.len() + self.looks + self.settling + self.hot;
        busy == 0
    }

    pub(super) fn knows_of_due_jobs(&self) -> bool {
        self.partitions.iter().any(|partition| partition.due.is_some())
    }

    /// Whether all is said and done that a stop waits for.
    pub(super) fn is_quiet(&self) -> bool {
        self.running + self.settling == 0
    }

    /// Whether every verdict is there that a stop waits for.
    pub(super) fn is_over(&self) -> bool {
        self.settling + self.handing_back + self.looks == 0
    }

    /// How many more slots the deliveries in hand call for.
    pub(super) fn lacking_slots(&self) -> usize {
        let idle = self.slots.len() - self.running;
        let lacking = self.ready.len().saturating_sub(idle);
        lacking.min(self.concurrency - self.slots.len())
    }

    /// Whether there is something new for the supervisor to do.
    pub(super) fn calls_supervisor(&mut self) -> bool {
        let is_earlier = match (self.next_due, self.sleeps_until) {
            (Some(due), Some(until)) => due < until,
            (due, _) => due.is_some(),
        };
        if is_earlier {
            self.sleeps_until = self.next_due;
        }
        let room = self.room();
        let has_room = self.wants_room && room > 0;
        self.wants_room &= !has_room;
        let is_full = self.listens && room == 0;
        self.listens &= !is_full;
        let has_ended =
            self.until_drained && self.has_run_out() || self.stopping && self.is_quiet();
        is_earlier
            || has_room
            || is_full
            || has_ended
            || self.lacking_slots() > 0
            || self.failed.is_some()
    }

    /// The partitions to claim from now, in turn.
    pub(super) fn next_looks(&mut self) -> Vec<u32> {
        let mut asks = Vec::new();
        let mut left = self.ring.len();
        while left > 0 && self.room() > 0 && self.scouts + self.asked < LOOKS && !self.stopping {
            left -= 1;
            let Some(number) = self.ring.pop_front() else { break };
            if self.share(number, true) == 0 {
                self.ring.push_back(number);
                continue;
            }
            if let Some(partition) = get(&mut self.partitions, number) {
                (partition.queued, partition.asked) = (false, true);
                self.asked += 1;
                asks.push(number);
            }
        }
        asks
    }

    /// How many jobs to claim from a partition, so that all hot ones get their turn. One whose
    /// turn is over leaves room for those that hold nothing.
    fn share(&self, number: u32, is_its_turn: bool) -> usize {
        let Some(partition) = self.partitions.get(index(number)) else { return 0 };
        let room = self.room();
        let fair = self.in_hand.div_ceil(self.hot.clamp(1, SHARERS));
        let is_its_turn = is_its_turn || partition.turn_ends.is_some_and(|it| it > Instant::now());
        let others = match is_its_turn {
            true => 0,
            false => {
                let waiting = self.ring.iter().filter(|it| self.is_empty_handed(**it, number));
                waiting.take(room).count()
            }
        };
        let own = fair.saturating_sub(partition.held + partition.expected);
        (room - others).min(own).min(MAX_BATCH)
    }

    fn is_empty_handed(&self, number: u32, but: u32) -> bool {
        let partition = self.partitions.get(index(number));
        number != but && partition.is_some_and(|one| one.held + one.expected == 0)
    }

    /// What to claim with an exchange that leaves now.
    pub(super) fn reserve(&mut self, number: u32) -> Option<Look> {
        let partition = get(&mut self.partitions, number)?;
        let was_asked = std::mem::take(&mut partition.asked);
        self.asked -= usize::from(was_asked);
        let hot = partition.hot;
        if !hot || self.stopping {
            return None;
        }
        let limit = self.share(number, was_asked);
        if limit == 0 {
            self.queue(number);
            return None;
        }
        self.looks += 1;
        self.scouts += usize::from(was_asked);
        self.claiming += limit;
        self.expected += limit;
        let partition = get(&mut self.partitions, number)?;
        partition.looks += 1;
        partition.expected += limit;
        if was_asked {
            partition.turn_ends = Some(Instant::now() + TURN);
        }
        if std::mem::take(&mut partition.queued) {
            self.ring.retain(|one| *one != number);
        }
        Some(Look { limit, told: partition.told, is_scout: was_asked, freed: false })
    }

    /// Lets other claims go before one that takes long.
    pub(super) fn free_slots(&mut self, look: &mut Look) {
        if !std::mem::replace(&mut look.freed, true) {
            self.claiming -= look.limit;
            self.scouts -= usize::from(look.is_scout);
        }
    }

    /// A claim came back.
    pub(super) fn looked(&mut self, number: u32, mut look: Look) {
        self.free_slots(&mut look);
        self.looks -= 1;
        self.expected -= look.limit;
        if let Some(partition) = get(&mut self.partitions, number) {
            partition.looks -= 1;
            partition.expected -= look.limit;
        }
    }

    /// What a claim brought.
    pub(super) fn found(&mut self, number: u32, look: Look, found: usize, due: Option<Duration>) {
        self.recover();
        self.worked |= found > 0;
        let Some(partition) = get(&mut self.partitions, number) else { return };
        partition.failures = 0;
        if std::mem::take(&mut partition.woken) && found > 0 {
            self.futile = 0;
        }
        if found >= look.limit {
            self.set_hot(number, true);
            self.tend_in_a_while(number);
            return;
        }
        partition.then_look |= due == Some(Duration::ZERO);
        let is_empty = partition.told == look.told;
        if is_empty {
            partition.due = None;
        }
        self.set_due(number, due);
        self.set_hot(number, !is_empty);
    }

    /// Takes jobs in hand.
    pub(super) fn take_in(&mut self, number: u32, claimed: Vec<Claimed>) {
        if let Some(partition) = get(&mut self.partitions, number) {
            partition.held += claimed.len();
        }
        self.ready.extend(claimed.into_iter().map(|claimed| (number, claimed)));
    }

    /// Lets go of what no slot has begun.
    pub(super) fn take_ready(&mut self) -> Vec<(u32, Handle)> {
        let waiting = std::mem::take(&mut self.ready);
        let handles = waiting.into_iter().map(|(number, claimed)| {
            self.let_go(number);
            (number, claimed.handle)
        });
        handles.collect()
    }

    /// A job is not in hand any more.
    pub(super) fn let_go(&mut self, number: u32) {
        if let Some(partition) = get(&mut self.partitions, number) {
            partition.held -= 1;
        }
    }

    /// The deliveries in hand by partition, but where extensions are under way.
    pub(super) fn start_renewal(&mut self) -> Vec<(u32, Vec<Handle>)> {
        let mut held: Vec<(u32, Handle)> =
            self.ready.iter().map(|(number, claimed)| (*number, claimed.handle)).collect();
        let running = self.slots.iter().flatten().filter(|lease| !lease.is_settled());
        held.extend(running.map(|lease| (lease.partition(), lease.handle())));
        let mut parts = by_partition(held);
        parts.retain(|(number, handles)| {
            let partition = get(&mut self.partitions, *number).filter(|one| one.renewing == 0);
            partition.map(|one| one.renewing = handles.len()).is_some()
        });
        parts
    }
}

/// Handles together that are of one partition.
pub(super) fn by_partition(mut held: Vec<(u32, Handle)>) -> Vec<(u32, Vec<Handle>)> {
    held.sort_unstable_by_key(|(number, _)| *number);
    let parts = held.chunk_by(|(one, _), (other, _)| one == other);
    let handles = |part: &[(u32, Handle)]| part.iter().map(|(_, handle)| *handle).collect();
    parts.filter_map(|part| Some((part.first()?.0, handles(part)))).collect()
}

pub(super) fn get(partitions: &mut [Partition], number: u32) -> Option<&mut Partition> {
    partitions.get_mut(index(number))
}

fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
