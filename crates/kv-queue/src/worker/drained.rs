//! Asks whether all jobs of the queue are done, for a worker that ends then.

use std::sync::Arc;
use std::time::Duration;

use kv_core::Result;
use kv_core::queue::Counts;
use tokio::time::Instant;

use super::call::Call;
use super::shared::Shared;
use crate::queue::Queue;

/// How often the worker asks whether the queue is drained, unless its own work has just run out.
const ASK: Duration = Duration::from_secs(1);

pub(super) struct DrainCheck<T> {
    shared: Arc<Shared>,
    /// `None` if the worker does not end by itself.
    queue: Option<Queue<T>>,
    call: Call<Option<Vec<Counts>>>,
    next: Instant,
    failures: u32,
    /// Whether the log already says that the queue is paused.
    has_told_of_pause: bool,
}

impl<T: 'static> DrainCheck<T> {
    pub(super) fn new(shared: &Arc<Shared>, queue: Option<Queue<T>>) -> Self {
        let (shared, next) = (Arc::clone(shared), Instant::now());
        Self { shared, queue, call: Call::none(), next, failures: 0, has_told_of_pause: false }
    }

    /// Asks whether the queue is drained, if it may be.
    pub(super) fn ask(&mut self) {
        let now = Instant::now();
        let Some(queue) = self.queue.as_ref().filter(|_| !self.call.is_under_way()) else { return };
        {
            let mut state = self.shared.state();
            let scheduler = &mut state.scheduler;
            let at_once = scheduler.has_claimed() && !scheduler.knows_of_due_jobs();
            let is_time = now >= self.next || at_once && self.failures == 0;
            if !scheduler.has_run_out() || !is_time {
                return;
            }
            scheduler.forget_claims();
        }
        self.next = now + ASK;
        let queue = queue.clone();
        self.call.begin(async move { queue.outstanding().await });
    }

    /// Ends when there is an answer.
    pub(super) async fn answer(&mut self) -> Result<Option<Vec<Counts>>> {
        self.call.answer().await
    }

    /// Whether the queue is drained. If not, the answer says which partitions may have jobs.
    ///
    /// # Errors
    /// An error that waiting cannot clear.
    pub(super) fn has_ended(&mut self, left: Result<Option<Vec<Counts>>>) -> Result<bool> {
        match left {
            Ok(None) => return Ok(true),
            Ok(Some(counts)) => {
                self.failures = 0;
                self.tell_of_pause(counts.iter().any(|counts| counts.paused));
                self.shared.supervise(|state, now| state.scheduler.hear_of(&counts, now));
            }
            Err(error) if error.kind().is_transient() => {
                self.failures = self.failures.saturating_add(1);
                let pause = self.shared.state().scheduler.pause_after(self.failures);
                let queue = self.shared.queue();
                tracing::warn!(queue, %error, ?pause, "the end cannot be asked for");
                self.next = Instant::now() + pause;
            }
            Err(error) => return Err(error),
        }
        Ok(false)
    }

    /// Logs once that the worker does not end because the queue is paused.
    fn tell_of_pause(&mut self, is_paused: bool) {
        if is_paused && !self.has_told_of_pause {
            let queue = self.shared.queue();
            tracing::warn!(queue, "the queue is paused; the worker waits until its jobs are done");
        }
        self.has_told_of_pause = is_paused;
    }

    /// When to ask again, if known.
    pub(super) fn next(&self, now: Instant) -> Option<Instant> {
        let waits = self.queue.is_some() && !self.call.is_under_way() && self.next > now;
        waits.then_some(self.next)
    }

    /// Asks no more.
    pub(super) fn stop(&mut self) {
        self.call = Call::none();
    }
}
