//! One blocking command for all who wait on a store.
//!
//! A script that makes a job claimable leaves an element in the partition's list, at most one, and
//! so does a claim that leaves claimable jobs behind. A process blocks on the lists of all queues
//! on which somebody waits: BLPOP on a connection of its own, for [`BLOCK`] at a time. Redis gives
//! the element to the process that has waited longest. An element for which nobody waits here any
//! more is put back for others.
//!
//! After an error everybody who waits is told, and the next who waits begins anew.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use kv_core::queue::Partition;
use kv_core::{Error, ErrorKind, Result};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::keys::{self, Keys};
use super::scripts::Scripts;
use crate::config::RedisConfig;
use crate::driver::{Answer, Driver, Request, decimal};

/// How long one blocking command waits.
const BLOCK: Duration = Duration::from_secs(5);

/// How much later than it should a blocking command may be answered at least.
const MARGIN: Duration = Duration::from_secs(1);

/// How long an interruption stays that nobody takes, as after a crash.
const INTERRUPTION_LIFETIME: Duration = Duration::from_secs(60);

/// The waits of one store.
pub(super) struct Waits {
    config: RedisConfig,
    /// For what does not block.
    driver: Arc<Driver>,
    scripts: Scripts,
    /// The list by which the blocking command is ended when it has to block on more.
    interruption: Bytes,
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
    /// The queues on which the command blocks that is under way, if one is.
    blocking: Option<HashSet<Arc<str>>>,
}

struct Waiter {
    queue: Arc<str>,
    keys: Arc<[Keys]>,
    partitions: Vec<u32>,
    notice: oneshot::Sender<Result<Vec<u32>>>,
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

    fn register(&self, waiter: Waiter) -> (Registered<'_>, Call) {
        let mut waiting = self.lock();
        let call = match &waiting.blocking {
            None => Call::Begin,
            Some(queues) if queues.contains(&waiter.queue) => Call::Nothing,
            Some(_) => Call::Interrupt,
        };
        waiting.last += 1;
        let id = waiting.last;
        waiting.waiters.insert(id, waiter);
        (Registered { state: self, id }, call)
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
            let _ = waiter.notice.send(Err(copy(error)));
        }
    }
}

/// The error once more, for another who waits.
fn copy(error: &Error) -> Error {
    match error.kind() {
        ErrorKind::Closed => Error::closed(),
        kind => Error::new(kind, error.to_string()),
    }
}

impl Waits {
    pub(super) fn new(
        config: &RedisConfig,
        driver: Arc<Driver>,
        scripts: Scripts,
        nonce: u64,
    ) -> Self {
        let interruption = Bytes::from(format!("{}!kv:wake:{nonce:016x}", config.key_prefix));
        let timeout = config.timeout + BLOCK + MARGIN;
        let config = RedisConfig { max_connections: 1, timeout, ..config.clone() };
        Self {
            config,
            driver,
            scripts,
            interruption,
            state: Arc::default(),
            listener: Mutex::default(),
        }
    }

    /// Waits until a job may be claimable in one of the partitions of a queue with these keys.
    pub(super) async fn wait(
        &self,
        partitions: &[Partition],
        keys: Arc<[Keys]>,
        limit: Duration,
    ) -> Result<Vec<u32>> {
        self.driver.check_open()?;
        let Some(first) = partitions.first() else { return Ok(Vec::new()) };
        let (notice, noticed) = oneshot::channel();
        let numbers = partitions.iter().map(|partition| partition.number).collect();
        let waiter = Waiter { queue: Arc::clone(&first.queue), keys, partitions: numbers, notice };
        let (_registered, call) = self.state.register(waiter);
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
                config: self.config.clone(),
                driver: Arc::clone(&self.driver),
                scripts: self.scripts,
                interruption: self.interruption.clone(),
                state: Arc::clone(&self.state),
                turn: 0,
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

impl Drop for Waits {
    fn drop(&mut self) {
        self.end();
    }
}

/// Leaves a wake-up in a list, unless one is there.
async fn mark(driver: &Driver, scripts: Scripts, list: Bytes, lifetime: Duration) -> Result<()> {
    let args = vec![decimal(lifetime.as_millis())];
    let request = Request::Script { script: scripts.mark, keys: vec![list], args };
    driver.call(request).await.map(drop)
}

/// The task that blocks.
struct Listener {
    config: RedisConfig,
    driver: Arc<Driver>,
    scripts: Scripts,
    interruption: Bytes,
    state: Arc<State>,
    /// With which list the next command begins, so that none is favoured.
    turn: usize,
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
                tracing::debug!(%error, "waiting for jobs failed");
                self.state.fail(&error);
            }
        }
    }

    /// The lists to block on, with their queues and partitions: those of all queues on which
    /// somebody waits.
    fn begin(&mut self) -> HashMap<Bytes, (Arc<str>, u32)> {
        let mut waiting = self.state.lock();
        let mut queues = HashSet::new();
        let mut lists = HashMap::new();
        for waiter in waiting.waiters.values() {
            if !queues.insert(Arc::clone(&waiter.queue)) {
                continue;
            }
            let numbered = (0..).zip(waiter.keys.iter());
            lists.extend(numbered.map(|(number, keys)| {
                (keys[keys::WAKE].clone(), (Arc::clone(&waiter.queue), number))
            }));
        }
        waiting.blocking = (!queues.is_empty()).then_some(queues);
        lists
    }

    async fn listen(
        &mut self,
        blocking: &mut Option<Driver>,
        lists: &HashMap<Bytes, (Arc<str>, u32)>,
    ) -> Result<()> {
        let connection = match blocking {
            Some(connection) => connection,
            None => blocking.insert(Driver::connect(self.config.clone()).await?),
        };
        let mut keys: Vec<Bytes> = lists.keys().cloned().collect();
        keys.sort_unstable();
        self.turn = self.turn.wrapping_add(1);
        let first = self.turn % keys.len().max(1);
        keys.rotate_left(first);
        keys.insert(0, self.interruption.clone());
        let Some(list) = popped(connection.call(Request::Blpop { keys, wait: BLOCK }).await?)
        else {
            return Ok(());
        };
        let Some((queue, number)) = lists.get(&list) else { return Ok(()) };
        if self.state.tell(queue, *number) {
            return Ok(());
        }
        mark(&self.driver, self.scripts, list, Duration::ZERO).await
    }
}

/// The list from which BLPOP took an element; none if its time was over.
fn popped(answer: Answer) -> Option<Bytes> {
    let Answer::List(parts) = answer else { return None };
    match parts.into_iter().next() {
        Some(Answer::Data(list)) => Some(list),
        _ => None,
    }
}
