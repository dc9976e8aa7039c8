//! Exchanges that concurrent callers share.
//!
//! The items of one partition (acks, retries, extensions, checkpoints) and the claims of its
//! workers share exchanges. At most [`IN_FLIGHT`] exchanges are in flight; items that come
//! meanwhile gather and leave in the next exchange. There is no timer: an item that comes alone
//! leaves at once. Each item gets its own verdict, or a copy of the exchange's error.
//!
//! A task, the driver, sends each exchange. So the item of a dropped caller is still executed, and
//! blocks nobody. The driver ends when no item has gathered. Each waiting caller has one item,
//! which bounds the items. As many items of dropped callers may gather before they are forgotten.

mod batch;
mod recording;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use kv_core::queue::{
    BATCH_BYTES, Exchanged, Handle, JobKey, MAX_BATCH, NewJob, Operation, Partition, Submitted,
    Verdict,
};
use kv_core::{Achieved, Durability, Error, ErrorKind, Result};
use tokio::runtime::Handle as Runtime;
use tokio::sync::{Notify, oneshot};

use super::claimers::{Claimer, Claimers, Claims};
use super::connection::Connection;
use super::watched::Watched;
use batch::Batch;
use recording::Recording;

/// How many exchanges of a partition are in flight at most: while the store works on one, the next
/// one travels.
const IN_FLIGHT: usize = 2;

/// How many items are worth a second exchange beside the first.
const WORTH: usize = 32;

/// One caller's request about one delivery: an operation, or else an ack.
pub(crate) struct Item {
    pub(crate) handle: Handle,
    pub(crate) operation: Option<Operation>,
    pub(crate) reply: Reply,
}

impl Item {
    fn bytes(&self) -> usize {
        match &self.operation {
            Some(Operation::Checkpoint { state, .. }) => state.len(),
            Some(Operation::Done { value }) => value.len(),
            Some(Operation::Retry { reason, .. } | Operation::Fail { reason }) => reason.len(),
            Some(
                Operation::Release
                | Operation::Snooze { .. }
                | Operation::Limited { .. }
                | Operation::Extend { .. },
            )
            | None => 0,
        }
    }
}

/// Who gets the verdict.
pub(crate) enum Reply {
    /// A verb's future.
    Caller(oneshot::Sender<Result<Verdict>>),
    /// A worker, which does not wait.
    Worker(Box<dyn FnOnce(Result<Verdict>) + Send>),
    Nobody,
}

impl Reply {
    fn tell(self, verdict: Result<Verdict>) {
        match self {
            // A caller that dropped the verb wants no answer.
            Self::Caller(caller) => drop(caller.send(verdict)),
            Self::Worker(hear) => hear(verdict),
            Self::Nobody => {}
        }
    }

    fn is_awaited(&self) -> bool {
        match self {
            Self::Caller(caller) => !caller.is_closed(),
            Self::Worker(_) | Self::Nobody => true,
        }
    }
}

/// The requests of one open queue.
pub(crate) struct Requests {
    pub(crate) connection: Arc<Connection>,
    claimers: Claimers,
    turn: AtomicUsize,
    gathered: Box<[Mutex<Gathered>]>,
    /// Who waits for the end of a job, where done jobs are kept.
    watched: Watched,
}

#[derive(Default)]
struct Gathered {
    items: VecDeque<Item>,
    /// The tasks that send, up to [`IN_FLIGHT`].
    drivers: usize,
    /// Whether a task has not taken any item yet.
    starting: bool,
    /// Whether a worker may have something to claim.
    wanted: bool,
    /// The number of items at which to remove items of dropped callers.
    sweep_at: usize,
}

impl Gathered {
    fn sweep(&mut self) {
        if self.items.len() >= self.sweep_at.max(2 * MAX_BATCH) {
            self.items.retain(|item| item.reply.is_awaited());
            self.sweep_at = 2 * self.items.len();
        }
    }

    /// The oldest items that fit into one exchange.
    fn take(&mut self, batch: &mut Batch) {
        let mut bytes = 0;
        while let Some(item) = self.items.front() {
            bytes += item.bytes();
            let is_full = bytes > BATCH_BYTES && !batch.settles_nothing();
            if is_full || !batch.has_room_for(item) {
                break;
            }
            batch.extend(self.items.pop_front());
        }
    }
}

impl Requests {
    pub(crate) fn new(connection: Connection) -> Self {
        let gathered = connection.partitions.iter().map(|_| Mutex::default()).collect();
        let connection = Arc::new(connection);
        let (claimers, turn) = (Claimers::default(), AtomicUsize::new(0));
        Self { connection, claimers, turn, gathered, watched: Watched::default() }
    }

    /// Ends the use of the queue by this handle and its clones.
    pub(crate) fn close(&self) {
        self.connection.close();
        self.claimers.tell(|claimer| claimer.closed());
    }

    /// Lets a worker claim with the exchanges until it is dropped.
    pub(crate) fn register(&self, claimer: Weak<dyn Claimer>) {
        self.claimers.register(claimer);
    }

    /// Adds jobs, and tells the workers of delayed jobs.
    pub(crate) async fn submit(
        &self,
        number: u32,
        jobs: Vec<NewJob>,
        fail_fast: bool,
    ) -> Result<Vec<Submitted>> {
        let due = earliest(&jobs);
        let partition = self.connection.partition(number)?;
        let recording = Recording::of(&self.connection, &jobs);
        let answer = self.connection.submit(partition, jobs, fail_fast).await?;
        recording.finish(&self.connection, number, &answer);
        self.tell_due(number, due);
        Ok(answer)
    }

    /// The same, and waits until copies have the jobs.
    pub(crate) async fn submit_durable(
        &self,
        number: u32,
        jobs: Vec<NewJob>,
        fail_fast: bool,
        durability: Durability,
    ) -> Result<(Vec<Submitted>, Achieved)> {
        let due = earliest(&jobs);
        let partition = self.connection.partition(number)?;
        let recording = Recording::of(&self.connection, &jobs);
        let answer = self.connection.submit_durable(partition, jobs, fail_fast, durability).await?;
        recording.finish(&self.connection, number, &answer.0);
        self.tell_due(number, due);
        Ok(answer)
    }

    /// Tells the workers that a job in this partition becomes due after this time.
    fn tell_due(&self, number: u32, after: Option<Duration>) {
        if let Some(after) = after {
            self.claimers.tell(|claimer| claimer.due(number, after));
        }
    }

    /// Tells the workers of jobs that were cancelled.
    pub(crate) fn cancelled(&self, jobs: impl Iterator<Item = (u32, JobKey)>) {
        jobs.for_each(|(number, job)| self.claimers.cancelled(number, job));
    }

    /// Is told when a request of this handle has settled the job.
    pub(crate) fn watch(&self, number: u32, job: JobKey) -> Arc<Notify> {
        self.watched.watch(number, job)
    }

    /// The runtime for tasks that serve all handles of the queue: a worker's runtime, which lasts,
    /// if there is a worker.
    fn runtime(&self) -> Option<Runtime> {
        self.claimers.runtime().or_else(|| Runtime::try_current().ok())
    }

    fn lock(&self, number: u32) -> Option<MutexGuard<'_, Gathered>> {
        let gathered = self.gathered.get(usize::try_from(number).ok()?)?;
        Some(gathered.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The store's verdict on an operation, or on an ack, within the queue's timeout.
    ///
    /// # Cancel safety
    /// The item of a dropped future may still be executed.
    pub(crate) async fn ask(
        self: &Arc<Self>,
        number: u32,
        handle: Handle,
        operation: Option<Operation>,
    ) -> Result<Verdict> {
        self.connection.partition(number)?;
        let (caller, verdict) = oneshot::channel();
        self.gather(number, [Item { handle, operation, reply: Reply::Caller(caller) }]);
        self.connection.once(async { verdict.await.unwrap_or_else(|_| Err(interrupted())) }).await
    }

    /// Claims up to this many jobs, in a separate exchange.
    ///
    /// # Cancel safety
    /// The jobs that a dropped future has claimed are handed back in the background.
    pub(crate) async fn claim(&self, partition: &Partition, limit: usize) -> Result<Claims> {
        let (acks, operations) = (Vec::new(), Vec::new());
        let answer = self.connection.exchange(partition, acks, operations, limit).await?;
        let Exchanged { claimed, more, next_due, .. } = answer;
        Ok(Claims { claimed, more, next_due })
    }

    /// Releases a delivery that never began; nobody waits for the verdict.
    pub(crate) fn release(self: &Arc<Self>, number: u32, handle: Handle) {
        let reply = Reply::Nobody;
        self.gather(number, [Item { handle, operation: Some(Operation::Release), reply }]);
    }

    /// Adds items to the next exchange, which leaves at once unless enough exchanges are in flight.
    pub(crate) fn gather(self: &Arc<Self>, number: u32, items: impl IntoIterator<Item = Item>) {
        let Some(mut gathered) = self.lock(number) else { return };
        gathered.items.extend(items);
        gathered.sweep();
        self.start(number, gathered);
    }

    /// Starts an exchange soon, which asks the workers what to claim.
    pub(crate) fn depart(self: &Arc<Self>, number: u32) {
        let Some(mut gathered) = self.lock(number) else { return };
        gathered.wanted = true;
        self.start(number, gathered);
    }

    fn start(self: &Arc<Self>, number: u32, mut gathered: MutexGuard<'_, Gathered>) {
        let worth = if gathered.drivers == 0 { 0 } else { WORTH };
        if gathered.starting || gathered.drivers >= IN_FLIGHT || gathered.items.len() < worth {
            return;
        }
        gathered.starting = true;
        gathered.drivers += 1;
        drop(gathered);
        let driver = Driver { requests: Arc::clone(self), number, starting: true, done: false };
        // Without a runtime the driver is dropped, and tells the waiting callers.
        if let Some(runtime) = self.runtime() {
            runtime.spawn(driver.run());
        }
    }
}

/// Sends one exchange after another until no item is left.
struct Driver {
    requests: Arc<Requests>,
    number: u32,
    starting: bool,
    done: bool,
}

impl Driver {
    async fn run(mut self) {
        // Callers that are about to settle run first, and share this exchange.
        tokio::task::yield_now().await;
        while let Some(batch) = self.take() {
            batch.send(&self.requests, self.number).await;
        }
    }

    fn take(&mut self) -> Option<Batch> {
        loop {
            // Before the lock, since a worker has one of its own.
            let turn = self.requests.turn.fetch_add(1, Ordering::Relaxed);
            let claim = self.requests.claimers.claim(self.number, turn);
            let mut batch = Batch::of(claim);
            let mut gathered = self.requests.lock(self.number)?;
            if std::mem::take(&mut self.starting) {
                gathered.starting = false;
            }
            gathered.take(&mut batch);
            if !batch.is_empty() {
                return Some(batch);
            }
            if !std::mem::take(&mut gathered.wanted) {
                // Under this lock, so that the next item finds that it must start a driver.
                gathered.drivers = gathered.drivers.saturating_sub(1);
                self.done = true;
                return None;
            }
        }
    }
}

impl Drop for Driver {
    /// A driver that ended with its runtime makes way for another and leaves no caller waiting.
    fn drop(&mut self) {
        if self.done {
            return;
        }
        let Some(mut gathered) = self.requests.lock(self.number) else { return };
        gathered.drivers = gathered.drivers.saturating_sub(1);
        if self.starting {
            gathered.starting = false;
        }
        let left = match gathered.drivers {
            0 => std::mem::take(&mut gathered.items),
            _ => VecDeque::new(),
        };
        drop(gathered);
        for item in left {
            item.reply.tell(Err(interrupted()));
        }
    }
}

/// When the first of the delayed jobs is due.
fn earliest(jobs: &[NewJob]) -> Option<Duration> {
    jobs.iter().map(|job| job.delay).filter(|delay| !delay.is_zero()).min()
}

fn interrupted() -> Error {
    let message = "the Tokio runtime that would have carried the request has ended";
    Error::new(ErrorKind::Connection, message)
}
