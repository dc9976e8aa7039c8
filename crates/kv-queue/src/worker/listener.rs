//! Waits for wake-ups, while there is room for jobs.

use std::sync::Arc;
use std::time::Duration;

use kv_core::Result;
use kv_core::queue::Partition;
use tokio::time::Instant;

use super::call::Call;
use super::shared::Shared;
use super::state::Interest;

/// How long one wait for wake-ups takes at most. The wait also finds due jobs that nobody
/// announced.
const WAIT: Duration = Duration::from_secs(2);

/// How long a worker without room does not listen, so that it does not begin and end a wait with
/// each job.
const FULL: Duration = Duration::from_millis(5);

pub(super) struct Listener {
    shared: Arc<Shared>,
    wait: Call<Vec<u32>>,
    /// Whether the wait leaves out the partitions whose wake-ups bring no jobs.
    is_partial: bool,
    next: Instant,
    failures: u32,
}

impl Listener {
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        let (shared, next) = (Arc::clone(shared), Instant::now());
        Self { shared, wait: Call::none(), is_partial: false, next, failures: 0 }
    }

    /// Waits for wake-ups in all partitions, but only while there is room for jobs: a wake-up
    /// reaches one worker only, and that worker must have room.
    pub(super) fn listen(&mut self) {
        let now = Instant::now();
        let (has_room, has_muted) = {
            let mut state = self.shared.state();
            let has_room = state.scheduler.can_take();
            state.interest = if has_room { Interest::NoRoom } else { Interest::Room };
            (has_room, state.scheduler.has_muted())
        };
        if !has_room {
            return self.fall_silent(now + FULL);
        }
        if self.is_partial && !has_muted {
            self.fall_silent(now);
        }
        if self.wait.is_under_way() || now < self.next {
            return;
        }
        if self.failures > 0 {
            // A claim shows sooner than a wait whether the store is back.
            self.shared.supervise(|state, now| state.scheduler.scan(now));
        }
        self.begin(has_muted);
    }

    fn begin(&mut self, has_muted: bool) {
        let heard = has_muted.then(|| self.heard());
        if heard.as_ref().is_some_and(Vec::is_empty) {
            // The supervisor wakes when the first muted partition is heard again.
            return;
        }
        self.is_partial = has_muted;
        let requests = Arc::clone(&self.shared.requests);
        self.wait.begin(async move {
            let connection = &requests.connection;
            let partitions = heard.as_deref().unwrap_or(&connection.partitions);
            let wait = connection.engine.wait(partitions, WAIT);
            tokio::time::timeout(WAIT * 2, wait).await.unwrap_or_else(|_| Ok(Vec::new()))
        });
    }

    /// The partitions whose wake-ups are heard.
    fn heard(&self) -> Vec<Partition> {
        let state = self.shared.state();
        let all = &self.shared.requests.connection.partitions;
        let heard = all.iter().filter(|partition| !state.scheduler.is_muted(partition.number));
        heard.cloned().collect()
    }

    /// Ends the wait, if there is one.
    fn fall_silent(&mut self, until: Instant) {
        self.is_partial = false;
        if !self.wait.is_under_way() {
            return;
        }
        self.next = until;
        if let Some(Ok(named)) = self.wait.give_up() {
            self.shared.supervise(|state, now| {
                named.iter().for_each(|number| state.scheduler.wake(*number, now));
            });
        }
    }

    /// Ends when the wait ends.
    pub(super) async fn answer(&mut self) -> Result<Vec<u32>> {
        self.wait.answer().await
    }

    /// Takes the answer of a wait.
    pub(super) fn hear(&mut self, named: Result<Vec<u32>>) {
        self.is_partial = false;
        let pause = match named {
            Ok(named) => {
                self.failures = 0;
                self.shared.supervise(|state, now| state.scheduler.waited(&named, now))
            }
            Err(error) => {
                self.failures = self.failures.saturating_add(1);
                let pause = self.pause();
                let queue = self.shared.queue();
                tracing::warn!(queue, %error, ?pause, "wake-ups cannot be waited for");
                pause
            }
        };
        self.next = Instant::now() + pause;
    }

    fn pause(&self) -> Duration {
        let mut state = self.shared.state();
        state.scheduler.wait_failed();
        state.scheduler.pause_after(self.failures)
    }

    /// When to listen again, if known.
    pub(super) fn next(&self, now: Instant) -> Option<Instant> {
        (!self.wait.is_under_way() && self.next > now).then_some(self.next)
    }

    /// Listens no more.
    pub(super) fn stop(&mut self) {
        self.wait = Call::none();
    }
}
