//! The waiters of one blocking command, and the task that sends the command.

mod task;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::Duration;

use bytes::Bytes;
use kv_core::{Error, Result};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::super::keys;
use super::notice::{Notice, Waiter};
use super::{Common, lock};
use crate::driver::{Request, decimal};
use task::ListenerTask;
pub(super) use task::{BLOCK, MARGIN};

/// How long an interruption stays if nobody takes it, as after a crash.
const INTERRUPTION_LIFETIME: Duration = Duration::from_secs(60);

/// The listeners of a store, one for each command: for everything, or for one slot.
#[derive(Default)]
pub(super) struct Listeners {
    pub(super) by_slot: BTreeMap<Option<u16>, Arc<Listener>>,
    pub(super) is_closed: bool,
}

/// The waiters for lists on which one command can block.
pub(super) struct Listener {
    slot: Option<u16>,
    common: Arc<Common>,
    /// The list that interrupts the blocking command when it must block on more lists.
    interruption: Bytes,
    state: Arc<State>,
    listeners: Weak<Mutex<Listeners>>,
    task: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Default)]
pub(super) struct State {
    waiting: Mutex<Waiting>,
    /// Notified when a waiter comes and no command blocks.
    pub(super) begun: Notify,
    /// Notified when there is an element to put back.
    pub(super) returned: Notify,
}

#[derive(Default)]
struct Waiting {
    waiters: HashMap<u64, (Waiter, Arc<Notice>)>,
    last: u64,
    /// How many waits have not ended; some already have their wake-up.
    registered: usize,
    /// The partitions on which the command in flight blocks, if there is one.
    blocking: Option<HashSet<(Arc<str>, u32)>>,
    /// Lists from which an element was taken in vain; each partition once.
    returned: HashSet<Bytes>,
}

/// What to do so that the command covers a new waiter.
#[derive(Clone, Copy)]
pub(super) enum Call {
    Nothing,
    Begin,
    Interrupt,
}

impl Waiter {
    fn places(&self) -> impl Iterator<Item = (Arc<str>, u32)> {
        self.partitions.iter().map(|number| (Arc::clone(&self.queue), *number))
    }
}

impl Waiting {
    /// Wakes all waiters for one of these partitions. Returns whether there was a waiter.
    fn tell(&mut self, found: &[(&str, u32)]) -> bool {
        let mut any = false;
        self.waiters.retain(|_, (waiter, notice)| {
            let is_theirs = |(queue, number): &&(&str, u32)| {
                *queue == &*waiter.queue && waiter.partitions.contains(number)
            };
            let mut theirs = found.iter().filter(is_theirs).map(|(_, number)| *number).peekable();
            let is_told = theirs.peek().is_some();
            if is_told {
                notice.tell(theirs);
            }
            any |= is_told;
            !is_told
        });
        any
    }
}

impl State {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        lock(&self.waiting)
    }

    pub(super) fn register(&self, waiter: Waiter, notice: Arc<Notice>) -> (u64, Call) {
        let mut waiting = self.lock();
        let call = match &waiting.blocking {
            None => Call::Begin,
            Some(blocking) if waiter.places().all(|place| blocking.contains(&place)) => {
                Call::Nothing
            }
            Some(_) => Call::Interrupt,
        };
        waiting.last += 1;
        waiting.registered += 1;
        let id = waiting.last;
        waiting.waiters.insert(id, (waiter, notice));
        (id, call)
    }

    /// Removes a waiter.
    pub(super) fn remove(&self, id: u64) {
        self.lock().waiters.remove(&id);
    }

    /// Ends the wait of a waiter.
    pub(super) fn unregister(&self) {
        let mut waiting = self.lock();
        waiting.registered = waiting.registered.saturating_sub(1);
    }

    /// Wakes all waiters for one of these partitions. Returns whether there was a waiter.
    pub(super) fn tell(&self, found: &[(&str, u32)]) -> bool {
        self.lock().tell(found)
    }

    /// Passes on wake-ups that a waiter did not take: to another waiter here, or to another
    /// process.
    pub(super) fn pass_on(&self, queue: &str, number: u32, list: Bytes) {
        let mut waiting = self.lock();
        if !waiting.tell(&[(queue, number)]) {
            waiting.returned.insert(list);
            self.returned.notify_one();
        }
    }

    /// The lists to which to put elements back.
    pub(super) fn take_returned(&self) -> HashSet<Bytes> {
        mem::take(&mut self.lock().returned)
    }

    /// The partitions of all present waiters, for the next blocking command.
    pub(super) fn block(&self) -> Vec<Waiter> {
        let mut waiting = self.lock();
        let waiters: Vec<_> = waiting.waiters.values().map(|(waiter, _)| waiter.clone()).collect();
        let places: HashSet<_> = waiters.iter().flat_map(Waiter::places).collect();
        waiting.blocking = (!places.is_empty()).then_some(places);
        waiters
    }

    /// The command has ended.
    pub(super) fn unblock(&self) {
        self.lock().blocking = None;
    }

    /// Fails all waits.
    pub(super) fn fail(&self, error: &Error) {
        for (_, notice) in mem::take(&mut self.lock().waiters).into_values() {
            notice.fail(error);
        }
    }

    /// Ends all waits without wake-ups.
    fn ring(&self) {
        for (_, notice) in mem::take(&mut self.lock().waiters).into_values() {
            notice.ring();
        }
    }

    /// Whether nobody needs a listener.
    fn is_idle(&self) -> bool {
        let waiting = self.lock();
        waiting.registered == 0 && waiting.returned.is_empty()
    }
}

impl Listener {
    pub(super) fn new(
        slot: Option<u16>,
        common: Arc<Common>,
        interruption: Bytes,
        listeners: Weak<Mutex<Listeners>>,
    ) -> Self {
        let (state, task) = (Arc::default(), Mutex::default());
        Self { slot, common, interruption, state, listeners, task }
    }

    pub(super) fn state(&self) -> &State {
        &self.state
    }

    /// Starts the task on the caller's runtime, if there is none yet.
    pub(super) fn listen(&self) {
        let mut task = lock(&self.task);
        if task.as_ref().is_none_or(JoinHandle::is_finished) {
            let entry = Entry {
                slot: self.slot,
                state: Arc::clone(&self.state),
                listeners: Weak::clone(&self.listeners),
            };
            let new = ListenerTask::new(Arc::clone(&self.common), self.interruption.clone(), entry);
            *task = Some(tokio::spawn(new.run()));
        }
        self.state.begun.notify_one();
    }

    pub(super) async fn interrupt(&self) -> Result<()> {
        let list = [self.interruption.clone()].into();
        mark(&self.common, list, INTERRUPTION_LIFETIME).await
    }

    /// Ends the task and all waits.
    pub(super) fn close(&self) {
        self.state.fail(&Error::closed());
        self.end();
    }

    fn end(&self) {
        if let Some(task) = lock(&self.task).take() {
            task.abort();
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.end();
    }
}

/// Puts a wake-up back into a partition's list, unless one is there or nothing is stored of the
/// partition any more.
pub(super) async fn put_back(common: &Common, list: Bytes) -> Result<()> {
    let counters = keys::counters_beside(&list);
    mark(common, [list, counters].into(), Duration::ZERO).await
}

async fn mark(common: &Common, keys: Arc<[Bytes]>, lifetime: Duration) -> Result<()> {
    let args = vec![decimal(lifetime.as_millis())];
    let request = Request::Script { script: common.scripts.mark, keys, args };
    common.driver.call(request).await.map(drop)
}

/// A listener's place among the others; dropping this value frees it.
pub(super) struct Entry {
    slot: Option<u16>,
    pub(super) state: Arc<State>,
    listeners: Weak<Mutex<Listeners>>,
}

impl Entry {
    /// Gives up the place, unless a waiter needs the listener. Returns whether it did.
    pub(super) fn leave_if_idle(&self) -> bool {
        self.leave(|state| state.is_idle())
    }

    fn leave(&self, may_leave: impl FnOnce(&State) -> bool) -> bool {
        // The store is gone.
        let Some(listeners) = self.listeners.upgrade() else { return true };
        let mut listeners = lock(&listeners);
        let may_leave = may_leave(&self.state);
        let is_own = |listener: &Arc<Listener>| Arc::ptr_eq(&listener.state, &self.state);
        if may_leave && listeners.by_slot.get(&self.slot).is_some_and(is_own) {
            let own = listeners.by_slot.remove(&self.slot);
            drop(listeners);
            drop(own);
        }
        may_leave
    }
}

/// The listener ended, by itself or with its runtime: remaining waiters start a new one.
impl Drop for Entry {
    fn drop(&mut self) {
        self.leave(|state| {
            state.unblock();
            state.ring();
            true
        });
    }
}
