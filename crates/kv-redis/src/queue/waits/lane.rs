//! One blocking command, and all who wait for what it tells.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use kv_core::{Error, Result};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::super::keys::{self, Keys};
use super::super::scripts::Scripts;
use crate::driver::{Answer, Aside, Driver, Request, decimal};
use crate::verbs::unexpected;

/// How long one blocking command waits. With the glance after it, that is less than one command
/// a second.
pub(super) const BLOCK: Duration = Duration::from_millis(2_200);

/// How many partitions one glance looks into; more have their turns.
const AT_A_GLANCE: usize = 256;

/// How much later than it should a blocking command may be answered at least.
const MARGIN: Duration = Duration::from_secs(1);

/// How long an interruption stays that nobody takes, as after a crash.
const INTERRUPTION_LIFETIME: Duration = Duration::from_secs(60);

/// All who wait for lists that one command can block on.
pub(super) struct Lane {
    /// For what does not block.
    driver: Arc<Driver>,
    scripts: Scripts,
    /// The list by which the blocking command is ended when it has to block on more.
    interruption: Bytes,
    /// How long a blocking command may take, its wait included.
    timeout: Duration,
    state: Arc<State>,
    listener: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Default)]
struct State {
    waiting: Mutex<Waiting>,
    /// Rung when somebody waits and nothing blocks.
    begun: Notify,
}

#[derive(Default)]
struct Waiting {
    waiters: HashMap<u64, Waiter>,
    last: u64,
    /// The partitions on which the command blocks that is under way, if one is.
    blocking: Option<HashSet<(Arc<str>, u32)>>,
    is_closed: bool,
}

pub(super) struct Waiter {
    queue: Arc<str>,
    keys: Arc<[Keys]>,
    partitions: Vec<u32>,
    notice: oneshot::Sender<Result<Vec<u32>>>,
}

impl Waiter {
    fn places(&self) -> impl Iterator<Item = (Arc<str>, u32)> {
        self.partitions.iter().map(|number| (Arc::clone(&self.queue), *number))
    }
}

/// Somebody waits until this is dropped.
struct Registered<'a> {
    state: &'a State,
    id: u64,
}

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        self.state.lock().waiters.remove(&self.id);
    }
}

/// What has to be done so that a new waiter is heard.
enum Call {
    Nothing,
    Begin,
    Interrupt,
}

impl State {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn register(&self, waiter: Waiter) -> Result<(Registered<'_>, Call)> {
        let mut waiting = self.lock();
        if waiting.is_closed {
            return Err(Error::closed());
        }
        let call = match &waiting.blocking {
            None => Call::Begin,
            Some(blocking) if waiter.places().all(|place| blocking.contains(&place)) => {
                Call::Nothing
            }
            Some(_) => Call::Interrupt,
        };
        waiting.last += 1;
        let id = waiting.last;
        waiting.waiters.insert(id, waiter);
        Ok((Registered { state: self, id }, call))
    }

    /// Tells all who wait for a partition; whether there was anybody.
    fn tell(&self, queue: &str, number: u32) -> bool {
        let mut waiting = self.lock();
        let waits =
            |waiter: &Waiter| &*waiter.queue == queue && waiter.partitions.contains(&number);
        let told = waiting.waiters.extract_if(|_, waiter| waits(waiter));
        told.fold(false, |any, (_, waiter)| waiter.notice.send(Ok(vec![number])).is_ok() || any)
    }

    /// Tells everybody that the wait has failed.
    fn fail(&self, error: &Error) {
        for (_, waiter) in std::mem::take(&mut self.lock().waiters) {
            let _ = waiter.notice.send(Err(error.clone()));
        }
    }
}

/// What a waiter is told.
pub(super) type Noticed = oneshot::Receiver<Result<Vec<u32>>>;

impl Waiter {
    /// One who waits for some partitions of a queue with these keys.
    pub(super) fn new(
        queue: &Arc<str>,
        keys: Arc<[Keys]>,
        partitions: Vec<u32>,
    ) -> (Self, Noticed) {
        let (notice, noticed) = oneshot::channel();
        (Self { queue: Arc::clone(queue), keys, partitions, notice }, noticed)
    }
}

impl Lane {
    pub(super) fn new(
        driver: Arc<Driver>,
        scripts: Scripts,
        interruption: Bytes,
        timeout: Duration,
    ) -> Self {
        let timeout = timeout + BLOCK + MARGIN;
        let (state, listener) = (Arc::default(), Mutex::default());
        Self { driver, scripts, interruption, timeout, state, listener }
    }

    /// Waits until the waiter is told something, or until the time is over.
    pub(super) async fn wait(
        &self,
        waiter: Waiter,
        noticed: Noticed,
        limit: Duration,
    ) -> Result<Vec<u32>> {
        let (_registered, call) = self.state.register(waiter)?;
        match call {
            Call::Nothing => {}
            Call::Begin => self.listen(),
            Call::Interrupt => self.interrupt().await?,
        }
        match timeout(limit, noticed).await {
            Ok(Ok(told)) => told,
            // The listener ended with its runtime; the next call starts another one.
            Ok(Err(_)) | Err(_) => Ok(Vec::new()),
        }
    }

    /// Has the listener begin, on the caller's runtime if the former one ended with its own.
    fn listen(&self) {
        let mut listener = self.listener.lock().unwrap_or_else(PoisonError::into_inner);
        if listener.as_ref().is_none_or(JoinHandle::is_finished) {
            let task = Listener {
                timeout: self.timeout,
                driver: Arc::clone(&self.driver),
                scripts: self.scripts,
                interruption: self.interruption.clone(),
                state: Arc::clone(&self.state),
                turn: 0,
                glanced: 0,
            };
            *listener = Some(tokio::spawn(task.run()));
        }
        self.state.begun.notify_one();
    }

    async fn interrupt(&self) -> Result<()> {
        mark(&self.driver, self.scripts, self.interruption.clone(), INTERRUPTION_LIFETIME).await
    }

    /// Ends the listener and tells everybody who waits.
    pub(super) fn close(&self) {
        self.state.lock().is_closed = true;
        self.end();
        self.state.fail(&Error::closed());
    }

    fn end(&self) {
        let listener = self.listener.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(listener) = listener {
            listener.abort();
        }
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.end();
    }
}

/// Leaves a wake-up in a list, unless one is there.
async fn mark(driver: &Driver, scripts: Scripts, list: Bytes, lifetime: Duration) -> Result<()> {
    let args = vec![decimal(lifetime.as_millis())];
    let request = Request::Script { script: scripts.mark, keys: [list].into(), args };
    driver.call(request).await.map(drop)
}

/// The task that blocks.
struct Listener {
    timeout: Duration,
    driver: Arc<Driver>,
    scripts: Scripts,
    interruption: Bytes,
    state: Arc<State>,
    /// Counts the commands, so that each begins with another list.
    turn: usize,
    /// How far the last glance came.
    glanced: usize,
}

impl Listener {
    async fn run(mut self) {
        let mut blocking = None;
        loop {
            let lists = self.begin();
            if lists.is_empty() {
                self.state.begun.notified().await;
                continue;
            }
            let listened = self.listen(&mut blocking, &lists).await;
            self.state.lock().blocking = None;
            if let Err(error) = listened {
                blocking = None;
                tracing::debug!(%error, "waiting for jobs failed");
                self.state.fail(&error);
            }
        }
    }

    /// What to block on: all partitions for which somebody waits, another one first each time, so
    /// that none is favoured.
    fn begin(&mut self) -> Vec<List> {
        let mut waiting = self.state.lock();
        let mut blocking = HashSet::new();
        let mut lists = Vec::new();
        for waiter in waiting.waiters.values() {
            for (queue, number) in waiter.places() {
                let keys = usize::try_from(number).ok().and_then(|at| waiter.keys.get(at));
                let Some(keys) = keys.cloned() else { continue };
                if blocking.insert((Arc::clone(&queue), number)) {
                    lists.push(List { queue, number, keys });
                }
            }
        }
        waiting.blocking = (!blocking.is_empty()).then_some(blocking);
        drop(waiting);
        lists.sort_unstable_by(|one, two| one.place().cmp(&two.place()));
        self.turn = self.turn.wrapping_add(1);
        let first = self.turn % lists.len().max(1);
        lists.rotate_left(first);
        lists
    }

    async fn listen(&mut self, blocking: &mut Option<Aside>, lists: &[List]) -> Result<()> {
        let aside = match blocking {
            Some(aside) => aside,
            None => blocking.insert(self.driver.aside(&self.interruption, self.timeout).await?),
        };
        let mut keys = vec![self.interruption.clone()];
        keys.extend(lists.iter().map(|list| list.keys[keys::WAKE].clone()));
        let popped = self.driver.call_aside(aside, Request::Blpop { keys, wait: BLOCK }).await?;
        let Some(popped) = popped_list(popped) else { return self.glance(lists).await };
        let Some(list) = lists.iter().find(|list| list.keys[keys::WAKE] == popped) else {
            return Ok(());
        };
        if self.state.tell(&list.queue, list.number) {
            return Ok(());
        }
        mark(&self.driver, self.scripts, popped, Duration::ZERO).await
    }

    /// Looks into so many partitions, and into the next ones the next time.
    async fn glance(&mut self, lists: &[List]) -> Result<()> {
        let mut in_order: Vec<&List> = lists.iter().collect();
        in_order.sort_unstable_by(|one, two| one.place().cmp(&two.place()));
        let first = if self.glanced < lists.len() { self.glanced } else { 0 };
        let lists: Vec<&List> = in_order.into_iter().skip(first).take(AT_A_GLANCE).collect();
        self.glanced = first + lists.len();
        let keys = lists.iter().flat_map(|list| keys::GLANCE.map(|part| list.keys[part].clone()));
        let request =
            Request::Script { script: self.scripts.glance, keys: keys.collect(), args: Vec::new() };
        let Answer::List(found) = self.driver.call(request).await? else {
            return Err(unexpected());
        };
        for found in found {
            let Answer::Int(found) = found else { return Err(unexpected()) };
            if let Some(list) = usize::try_from(found).ok().and_then(|found| lists.get(found)) {
                self.state.tell(&list.queue, list.number);
            }
        }
        Ok(())
    }
}

/// One partition on whose list to block.
struct List {
    queue: Arc<str>,
    number: u32,
    keys: Keys,
}

impl List {
    fn place(&self) -> (&str, u32) {
        (&self.queue, self.number)
    }
}

/// The task ended, by itself or with its runtime: the next who waits starts another one.
impl Drop for Listener {
    fn drop(&mut self) {
        self.state.lock().blocking = None;
    }
}

/// The list from which BLPOP took an element; none if its time was over.
fn popped_list(answer: Answer) -> Option<Bytes> {
    let Answer::List(parts) = answer else { return None };
    match parts.into_iter().next() {
        Some(Answer::Data(list)) => Some(list),
        _ => None,
    }
}
