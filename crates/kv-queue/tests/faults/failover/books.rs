//! What producers and handlers were told, and whether what became of each job is allowed.

mod audit;

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use kv_core::{Error, ErrorKind};
use kv_queue::{Delivery, Enqueue, JobId};
use tokio::time::Instant;

pub(super) use self::audit::{Audit, Toll};
use super::plan::Fault;

/// What is declared of a job when its enqueue is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Declared {
    /// A replica has it: whatever happens to one server, it is there.
    Replicated,
    /// The primary has it.
    OnPrimary,
}

/// A fault: when it began, when the servers were ok again, and whether it may lose what was
/// acknowledged by the primary alone.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub(super) fault: Fault,
    pub(super) from: Instant,
    pub(super) to: Instant,
    pub(super) may_lose: bool,
}

/// Books of one queue whose payloads are numbers, each enqueued until it is acknowledged.
#[derive(Default)]
pub(super) struct Books {
    pages: Mutex<Pages>,
}

#[derive(Default)]
struct Pages {
    acknowledged: HashMap<u64, (Declared, Instant)>,
    runs: HashMap<u64, Vec<Run>>,
    /// When something last went well in each partition.
    enqueued: HashMap<u32, Instant>,
    settled: HashMap<u32, Instant>,
    /// What callers were told while servers failed.
    errors: Vec<(Instant, &'static str, ErrorKind)>,
    wrong: Vec<String>,
}

/// One run of a handler.
#[derive(Clone, Copy, Debug)]
struct Run {
    token: u64,
    came: Instant,
    /// When its handler knew that it was settled.
    settled: Option<Instant>,
}

impl Books {
    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn acknowledged(&self, payload: u64, enqueue: Enqueue, declared: Declared) {
        let (now, mut pages) = (Instant::now(), self.pages());
        pages.enqueued.insert(partition(enqueue.id()), now);
        pages.acknowledged.insert(payload, (declared, now));
    }

    /// A handler begins.
    pub(super) fn came(&self, delivery: &Delivery<u64>) {
        let run = Run { token: delivery.token(), came: Instant::now(), settled: None };
        self.pages().runs.entry(*delivery.payload()).or_default().push(run);
    }

    /// A handler settled its job by itself.
    pub(super) fn settled(&self, delivery: &Delivery<u64>) {
        let (now, mut pages) = (Instant::now(), self.pages());
        pages.settled.insert(partition(delivery.id()), now);
        let runs = pages.runs.entry(*delivery.payload()).or_default();
        let run = runs.iter_mut().rfind(|run| run.token == delivery.token());
        run.unwrap().settled = Some(now);
    }

    pub(super) fn failed(&self, verb: &'static str, error: &Error) {
        self.pages().errors.push((Instant::now(), verb, error.kind()));
    }

    pub(super) fn wrong(&self, what: String) {
        self.pages().wrong.push(what);
    }

    /// How many jobs have come.
    pub(super) fn progress(&self) -> usize {
        self.pages().runs.len()
    }

    /// Whether a job was enqueued, and another one settled, in each partition since then.
    pub(super) fn works_since(&self, since: Instant, partitions: u32) -> bool {
        let pages = self.pages();
        (0..partitions).all(|number| {
            [&pages.enqueued, &pages.settled]
                .iter()
                .all(|last| last.get(&number).is_some_and(|last| *last > since))
        })
    }
}

/// The partition of a job: its name begins with it.
fn partition(id: JobId) -> u32 {
    id.to_string().split('-').next().unwrap().parse().unwrap()
}
