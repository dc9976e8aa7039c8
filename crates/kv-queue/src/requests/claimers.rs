//! Who claims with the exchanges of a queue: its running workers.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use kv_core::Result;
use kv_core::queue::{Claimed, JobKey};
use tokio::runtime::Handle as Runtime;

/// Claims jobs when exchanges leave.
pub(crate) trait Claimer: Send + Sync {
    /// What to claim from a partition with an exchange that leaves now.
    fn claim(self: Arc<Self>, partition: u32) -> Option<Box<dyn PendingClaim>>;

    /// A job in this partition becomes due after this time.
    fn due(&self, partition: u32, after: Duration);

    /// This job was cancelled.
    fn cancelled(self: Arc<Self>, partition: u32, job: JobKey);

    /// The queue was closed.
    fn closed(&self);

    /// The runtime on which the claimer runs.
    fn runtime(&self) -> Runtime;
}

/// A claim in flight.
pub(crate) trait PendingClaim: Send {
    /// How many jobs to ask for.
    fn limit(&self) -> usize;

    /// Takes the answer.
    fn finish(self: Box<Self>, answer: Result<Claims>);
}

/// What a claim brought.
#[derive(Debug)]
pub(crate) struct Claims {
    pub(crate) claimed: Vec<Claimed>,
    /// Whether ready jobs are left although the claim brought fewer than asked for.
    pub(crate) more: bool,
    /// When to claim again, if the claim brought fewer than asked for.
    pub(crate) next_due: Option<Duration>,
}

/// The claimers of one open queue.
#[derive(Default)]
pub(super) struct Claimers {
    running: Mutex<Vec<Weak<dyn Claimer>>>,
}

impl Claimers {
    /// Lets a claimer take part until it is dropped.
    pub(super) fn register(&self, claimer: Weak<dyn Claimer>) {
        let mut running = self.lock();
        running.retain(|claimer| claimer.strong_count() > 0);
        running.push(claimer);
    }

    /// A claim that one claimer wants to make in a partition; `turn` says which claimer is asked
    /// first.
    pub(super) fn claim(&self, partition: u32, turn: usize) -> Option<Box<dyn PendingClaim>> {
        let running = self.running();
        let first = turn.checked_rem(running.len())?;
        let in_turn = running.iter().cycle().skip(first).take(running.len());
        in_turn.cloned().find_map(|claimer| claimer.claim(partition))
    }

    pub(super) fn tell(&self, tell: impl Fn(&dyn Claimer)) {
        self.running().iter().for_each(|claimer| tell(&**claimer));
    }

    pub(super) fn cancelled(&self, partition: u32, job: JobKey) {
        self.running().into_iter().for_each(|claimer| claimer.cancelled(partition, job));
    }

    /// The runtime of a claimer.
    pub(super) fn runtime(&self) -> Option<Runtime> {
        self.running().first().map(|claimer| claimer.runtime())
    }

    /// The running claimers. No claimer is called under the lock.
    fn running(&self) -> Vec<Arc<dyn Claimer>> {
        self.lock().iter().filter_map(Weak::upgrade).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Weak<dyn Claimer>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
