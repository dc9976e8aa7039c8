//! Exchanges that concurrent callers share.
//!
//! What is said about the deliveries of one partition (acks, retries, extensions, checkpoints)
//! and the claims of its workers leave together: at most [`IN_FLIGHT`] exchanges are under way,
//! and what is said meanwhile gathers and leaves in the next one. There is no timer: what comes
//! alone leaves at once. Each item gets its own verdict, or a copy of the exchange's error.
//!
//! A task sends, one for each exchange under way, so a caller that is dropped leaves its item to
//! be executed and nobody waiting. The task ends when nothing has gathered. What gathers is
//! bounded by the callers, each of which waits; of what nobody waits for any more, as much again
//! may gather before it is forgotten.

mod batch;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kv_core::queue::{Handle, MAX_BATCH, Operation, Verdict};
use kv_core::{Error, ErrorKind, Result};
use tokio::sync::oneshot;

use crate::link::Link;
use crate::worker::{Board, Note};
use batch::Batch;

/// How many exchanges of a partition are under way at most: while the store works on one, the
/// next is on its way to it.
const IN_FLIGHT: usize = 2;

/// How many items make another exchange worth its while beside one under way.
const WORTH: usize = 32;

/// How many bytes of states and reasons share an exchange, the last one beyond not counted.
const MAX_BYTES: usize = 1 << 20;

/// What one caller says about one delivery: an ack where there is no operation.
pub(crate) struct Item {
    pub(crate) handle: Handle,
    pub(crate) operation: Option<Operation>,
    pub(crate) reply: Reply,
}

impl Item {
    fn bytes(&self) -> usize {
        match &self.operation {
            Some(Operation::Checkpoint { state, .. }) => state.len(),
            Some(Operation::Retry { reason, .. } | Operation::Fail { reason }) => reason.len(),
            Some(Operation::Snooze { .. } | Operation::Extend { .. } | Operation::Release)
            | None => 0,
        }
    }
}

/// Who is told the verdict.
pub(crate) enum Reply {
    /// A verb's future.
    Caller(oneshot::Sender<Result<Verdict>>),
    /// A worker, which went on meanwhile.
    Worker(Arc<Board>, Note),
}

impl Reply {
    fn tell(self, verdict: Result<Verdict>) {
        match self {
            // Who dropped the verb wants no answer.
            Self::Caller(caller) => drop(caller.send(verdict)),
            Self::Worker(board, note) => board.told(note, verdict),
        }
    }

    fn is_awaited(&self) -> bool {
        match self {
            Self::Caller(caller) => !caller.is_closed(),
            Self::Worker(..) => true,
        }
    }
}

/// What gathers for each partition of a queue.
pub(crate) struct Exchanges {
    partitions: Box<[Mutex<Gathered>]>,
}

#[derive(Default)]
struct Gathered {
    items: VecDeque<Item>,
    /// The tasks that send, up to [`IN_FLIGHT`].
    drivers: usize,
    /// Whether one of them has not taken anything yet.
    starting: bool,
    /// Whether a worker may have something to claim.
    wanted: bool,
    /// The number of items at which those are looked for that nobody waits for.
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
            if bytes >= MAX_BYTES || !batch.has_room_for(item) {
                break;
            }
            bytes += item.bytes();
            batch.extend(self.items.pop_front());
        }
    }
}

impl Exchanges {
    pub(crate) fn new(partitions: usize) -> Self {
        Self { partitions: (0..partitions).map(|_| Mutex::default()).collect() }
    }

    fn lock(&self, number: u32) -> Option<MutexGuard<'_, Gathered>> {
        let gathered = self.partitions.get(usize::try_from(number).ok()?)?;
        Some(gathered.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Link {
    /// The store's verdict on an operation, or on an ack, within the queue's time.
    ///
    /// # Cancel safety
    /// A dropped future may leave its item to be executed.
    pub(crate) async fn ask(
        self: &Arc<Self>,
        number: u32,
        handle: Handle,
        operation: Option<Operation>,
    ) -> Result<Verdict> {
        self.partition(number)?;
        let (caller, verdict) = oneshot::channel();
        self.gather(number, [Item { handle, operation, reply: Reply::Caller(caller) }]);
        self.once(async { verdict.await.unwrap_or_else(|_| Err(interrupted())) }).await
    }

    /// Adds items to the next exchange, which leaves at once unless enough are under way.
    pub(crate) fn gather(self: &Arc<Self>, number: u32, items: impl IntoIterator<Item = Item>) {
        let Some(mut gathered) = self.exchanges.lock(number) else { return };
        gathered.items.extend(items);
        gathered.sweep();
        self.start(number, gathered);
    }

    /// Sees to it that the workers are asked soon what to claim.
    pub(crate) fn depart(self: &Arc<Self>, number: u32) {
        let Some(mut gathered) = self.exchanges.lock(number) else { return };
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
        let driver = Driver { link: Arc::clone(self), number, starting: true, done: false };
        // Without a runtime the driver is dropped, and says so to whoever waits.
        if let Some(runtime) = self.runtime() {
            runtime.spawn(driver.run());
        }
    }
}

/// Sends one exchange after another until nothing is left.
struct Driver {
    link: Arc<Link>,
    number: u32,
    starting: bool,
    done: bool,
}

impl Driver {
    async fn run(mut self) {
        // Whoever is about to settle as well does so before this goes on, and gets aboard.
        tokio::task::yield_now().await;
        while let Some(batch) = self.take() {
            batch.send(&self.link, self.number).await;
        }
    }

    fn take(&mut self) -> Option<Batch> {
        loop {
            // Before the lock, since a worker has one of its own.
            let mut batch = Batch::of(self.link.reserve(self.number));
            let mut gathered = self.link.exchanges.lock(self.number)?;
            if std::mem::take(&mut self.starting) {
                gathered.starting = false;
            }
            gathered.take(&mut batch);
            if !batch.is_empty() {
                return Some(batch);
            }
            if !std::mem::take(&mut gathered.wanted) {
                // Under this lock, so that what comes next finds that it must start a driver.
                gathered.drivers = gathered.drivers.saturating_sub(1);
                self.done = true;
                return None;
            }
        }
    }
}

impl Drop for Driver {
    /// A driver that was ended with its runtime makes way, and leaves nobody waiting.
    fn drop(&mut self) {
        if self.done {
            return;
        }
        let Some(mut gathered) = self.link.exchanges.lock(self.number) else { return };
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

fn interrupted() -> Error {
    let message = "the Tokio runtime that would have carried the request has ended";
    Error::new(ErrorKind::Connection, message)
}
