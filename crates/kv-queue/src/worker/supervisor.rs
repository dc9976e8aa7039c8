//! The supervisor: sees to what the slots and the exchanges do not bring by themselves, and to
//! the stop.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use kv_core::Result;
use tokio::task::JoinSet;
use tokio::time::{Instant, Interval, MissedTickBehavior};

use super::drained::DrainCheck;
use super::handler::Handler;
use super::listener::Listener;
use super::presence::Presence;
use super::shared::Shared;
use super::slot::Slots;
use super::{Worker, WorkerSummary};

/// How long a stop waits for the store's verdicts after the handlers have ended.
const GRACE: Duration = Duration::from_secs(2);

/// How long a stop waits for dropped handlers: a handler that blocks its thread ends only when its
/// poll ends.
const DROP_GRACE: Duration = Duration::from_millis(100);

/// When a failed renewal is repeated: after at least this time, and as this fraction of the lease.
const RENEW_AGAIN: (Duration, u32) = (Duration::from_millis(10), 30);

struct Supervisor<T, H> {
    shared: Arc<Shared>,
    slots: Arc<Slots<H>>,
    running: JoinSet<()>,
    maintenance: JoinSet<()>,
    beat: Interval,
    renew_again: Option<Instant>,
    listener: Listener,
    drained: DrainCheck<T>,
    presence: Presence,
    worker: Worker<T>,
}

pub(super) async fn run<T, H>(worker: Worker<T>, handler: H) -> Result<WorkerSummary>
where
    T: Send + 'static,
    H: Handler,
{
    let mut supervisor = Supervisor::new(worker, handler);
    let ended = supervisor.supervise().await;
    let summary = supervisor.finish().await;
    tracing::info!(queue = supervisor.shared.queue(), %summary, "worker ended");
    ended.map(|()| summary)
}

impl<T: Send + 'static, H: Handler> Supervisor<T, H> {
    /// Adds slots, maintains partitions and listens, until stopped, drained, or failed with an
    /// error that waiting cannot clear.
    async fn supervise(&mut self) -> Result<()> {
        let stop = self.worker.stop.clone();
        while !stop.is_cancelled() {
            self.shared.requests.connection.check_open()?;
            if let Some(error) = self.shared.state().failed.take() {
                return Err(error);
            }
            self.add_slots();
            self.maintain();
            self.listener.listen();
            self.drained.ask();
            let next = self.next_turn();
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = self.shared.woken() => {}
                named = self.listener.answer() => self.listener.hear(named),
                left = self.drained.answer() => {
                    if self.drained.has_ended(left)? {
                        return Ok(());
                    }
                }
                Some(_) = self.maintenance.join_next() => {}
                _ = self.beat.tick() => self.renew(false),
                () = tokio::time::sleep_until(next) => {}
            }
        }
        Ok(())
    }

    fn add_slots(&mut self) {
        let mut state = self.shared.state();
        for _ in 0..state.lacking_slots() {
            let slot = state.running.add();
            self.running.spawn(Arc::clone(&self.slots).work(slot));
        }
    }
}

impl<T: Send + 'static, H> Supervisor<T, H> {
    fn new(worker: Worker<T>, handler: H) -> Self {
        let shared = Shared::new(&worker);
        let slots = Slots {
            shared: Arc::clone(&shared),
            handler,
            job_timeout: worker.job_timeout,
            cleanup_within: worker.cleanup_within,
        };
        let lease = shared.requests.connection.settings.lease;
        let period = (lease / 3).max(Duration::from_millis(1));
        let mut beat = tokio::time::interval_at(Instant::now() + period, period);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (name, version) = (worker.name.clone(), worker.version.clone());
        let queue = worker.until_drained.then(|| worker.queue.clone());
        Self {
            slots: Arc::new(slots),
            running: JoinSet::new(),
            maintenance: JoinSet::new(),
            beat,
            renew_again: None,
            listener: Listener::new(&shared),
            drained: DrainCheck::new(&shared, queue),
            presence: Presence::begin(&shared, worker.concurrency, name, version),
            shared,
            worker,
        }
    }

    /// Starts the maintenance and the renewals that are due.
    fn maintain(&mut self) {
        for number in self.shared.supervise(|state, now| state.scheduler.advance(now)) {
            let shared = Arc::clone(&self.shared);
            self.maintenance.spawn(async move {
                let connection = &shared.requests.connection;
                let Ok(partition) = connection.partition(number) else { return };
                shared.maintained(number, connection.maintain(partition).await);
            });
        }
        if self.renew_again.is_some_and(|at| at <= Instant::now()) {
            self.renew(true);
        }
    }

    fn renew(&mut self, only_failed: bool) {
        self.renew_again = None;
        self.shared.renew(only_failed);
    }

    /// When the supervisor wakes without being woken.
    fn next_turn(&mut self) -> Instant {
        let (now, lease) = (Instant::now(), self.shared.requests.connection.settings.lease);
        let mut state = self.shared.state();
        if state.renewals.has_failed() {
            let (least, part) = RENEW_AGAIN;
            self.renew_again.get_or_insert(now + (lease / part).max(least));
        }
        let scheduled = state.scheduler.next_wake().map(|at| self.shared.instant(at));
        let others = [self.listener.next(now), self.drained.next(now), self.renew_again];
        let next = others.into_iter().chain([scheduled]).flatten().min();
        let next = next.unwrap_or(now + GRACE);
        state.sleeps_until = Some(self.shared.time_of(next));
        next
    }

    /// Stops: hands back deliveries that have not begun, gives running jobs their time, then hands
    /// back and drops the rest. Returns the summary.
    async fn finish(&mut self) -> WorkerSummary {
        self.listener.stop();
        self.drained.stop();
        self.shared.stop();
        let mut deadline = pin!(tokio::time::sleep(self.worker.stop_within));
        while !self.shared.state().handlers_finished() {
            let next = self.next_turn();
            tokio::select! {
                () = self.shared.woken() => {}
                _ = self.beat.tick() => self.renew(false),
                () = tokio::time::sleep_until(next) => self.renew(true),
                () = &mut deadline => break,
            }
        }
        self.running.abort_all();
        self.shared.hand_back_running();
        let dropped = async { while self.running.join_next().await.is_some() {} };
        if tokio::time::timeout(DROP_GRACE, dropped).await.is_err() {
            let queue = self.shared.queue();
            tracing::warn!(queue, "handlers block their threads; the worker ends without them");
        }
        await_verdicts(&self.shared).await;
        self.presence.end().await;
        let mut state = self.shared.state();
        let left = state.settling.saturating_add(state.handing_back);
        let mut summary = state.summary;
        summary.lost = summary.lost.saturating_add(u64::try_from(left).unwrap_or(u64::MAX));
        state.failed = None;
        summary
    }
}

impl<T, H> Drop for Supervisor<T, H> {
    fn drop(&mut self) {
        self.shared.abandon();
    }
}

/// Waits a while for the store's last verdicts.
async fn await_verdicts(shared: &Shared) {
    let grace = GRACE.min(shared.requests.connection.settings.timeout);
    let verdicts = async {
        while !shared.state().replies_received() {
            shared.woken().await;
        }
    };
    if tokio::time::timeout(grace, verdicts).await.is_err() {
        let queue = shared.queue();
        tracing::warn!(queue, "the store did not answer to the last; leases end by themselves");
    }
}
