//! The worker's loop.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use kv_core::queue::{Handle, MAX_BATCH, Operation, Verdict};
use kv_core::{Error, ErrorKind, Result};
use serde::de::DeserializeOwned;
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tokio::time::{Interval, MissedTickBehavior};

use super::task::{End, work};
use super::{Worker, WorkerSummary};
use crate::delivery::{Delivery, Lease};
use crate::link::Link;
use crate::retry::RetryPolicy;

/// How long an idle worker waits at most before it looks again: a safety net below wake-ups.
const IDLE: Duration = Duration::from_secs(1);

/// How soon an impatient worker looks again.
const SOON: Duration = Duration::from_millis(1);

type Wake<'a> = Pin<Box<dyn Future<Output = Result<Vec<u32>>> + Send + 'a>>;

struct Running<T> {
    worker: Worker<T>,
    tasks: JoinSet<End>,
    leases: HashMap<Id, (AbortHandle, Arc<Lease>)>,
    beat: Interval,
    away: RetryPolicy,
    failures: u32,
    summary: WorkerSummary,
}

pub(super) async fn run<T, H, Fut, E>(worker: Worker<T>, handler: H) -> Result<WorkerSummary>
where
    T: DeserializeOwned + Send + 'static,
    H: Fn(Delivery<T>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), E>> + Send + 'static,
    E: fmt::Display + Send + 'static,
{
    let link = Arc::clone(worker.queue.link());
    let (mut running, handler) = (Running::new(worker), Arc::new(handler));
    let ended = running.claim_and_run(&link, &handler).await;
    running.finish().await;
    ended.map(|()| running.summary)
}

impl<T: DeserializeOwned + Send + 'static> Running<T> {
    fn new(worker: Worker<T>) -> Self {
        let period = worker.queue.link().settings.lease / 3;
        let mut beat = tokio::time::interval(period.max(Duration::from_millis(1)));
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            worker,
            tasks: JoinSet::new(),
            leases: HashMap::new(),
            beat,
            away: RetryPolicy::exponential(Duration::from_millis(100), Duration::from_secs(5)),
            failures: 0,
            summary: WorkerSummary::default(),
        }
    }

    /// Claims and runs until stopped, drained, or struck by an error that waiting does not mend.
    async fn claim_and_run<H, Fut, E>(&mut self, link: &Link, handler: &Arc<H>) -> Result<()>
    where
        H: Fn(Delivery<T>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), E>> + Send + 'static,
        E: fmt::Display + Send + 'static,
    {
        let stop = self.worker.stop.clone();
        let mut wake: Option<Wake<'_>> = None;
        while !stop.is_cancelled() {
            // Armed before the look, so that no job slips in between look and wait.
            arm(&mut wake, link).await;
            let (look_again_in, away) = match self.claim(handler).await {
                Ok(due) => (due, false),
                Err(error) => (self.after(error)?, true),
            };
            if self.tasks.is_empty() && self.worker.until_drained && self.is_drained().await? {
                return Ok(());
            }
            let full = self.tasks.len() >= self.worker.concurrency;
            // A wait that has ended is used up; what it told of was looked at, the rest is to come.
            let again = wake.is_none() && !full && !away && arm(&mut wake, link).await;
            let look_again_in = if again { SOON } else { look_again_in };
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                Some(ended) = self.tasks.join_next_with_id() => self.note(ended),
                _ = self.beat.tick(), if !self.leases.is_empty() => self.renew().await,
                () = woken(&mut wake), if !full && !away => {}
                () = tokio::time::sleep(look_again_in), if !full => {}
            }
        }
        Ok(())
    }

    /// Fills the free slots; when to look again.
    async fn claim<H, Fut, E>(&mut self, handler: &Arc<H>) -> Result<Duration>
    where
        H: Fn(Delivery<T>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), E>> + Send + 'static,
        E: fmt::Display + Send + 'static,
    {
        let free = self.worker.concurrency.saturating_sub(self.tasks.len());
        if free == 0 {
            return Ok(IDLE);
        }
        let found = self.worker.queue.look(free).await?;
        self.failures = 0;
        let link = self.worker.queue.link();
        for delivery in found.deliveries {
            let lease = Arc::clone(delivery.lease());
            let retry = link.settings.retry.clone();
            let handler = Arc::clone(handler);
            // Called inside, since the call itself may panic.
            let handling = async move { handler(delivery).await };
            let task = work(handling, Arc::clone(&lease), self.worker.job_timeout, retry);
            let abort = self.tasks.spawn(task);
            self.leases.insert(abort.id(), (abort, lease));
        }
        // A job is due in whole microseconds of the store's clock, so never sleep not at all.
        let due = found.next_due.unwrap_or(IDLE);
        Ok(due.clamp(SOON, IDLE))
    }

    /// How long to wait after an error, or the error itself if waiting does not mend it.
    fn after(&mut self, error: Error) -> Result<Duration> {
        let passing = error.is_retryable()
            || matches!(error.kind(), ErrorKind::Connection | ErrorKind::Timeout);
        if !passing {
            return Err(error);
        }
        self.failures = self.failures.saturating_add(1);
        let wait = self.away.delay(self.failures);
        tracing::warn!(%error, ?wait, "no work could be claimed");
        Ok(wait)
    }

    async fn is_drained(&mut self) -> Result<bool> {
        match self.worker.queue.drained().await {
            Ok(drained) => Ok(drained),
            Err(error) => self.after(error).map(|_| false),
        }
    }

    fn note(&mut self, ended: Result<(Id, End), JoinError>) {
        let (id, end) = match ended {
            Ok((id, end)) => (id, end),
            Err(aborted) => (aborted.id(), End::Lost),
        };
        self.leases.remove(&id);
        match end {
            End::Done => self.summary.done += 1,
            End::Failed => self.summary.failed += 1,
            End::Lost => self.summary.lost += 1,
        }
    }

    /// Extends the leases of all running jobs, in one request a partition; ends the handlers
    /// whose job is no longer theirs.
    async fn renew(&mut self) {
        let lease = self.worker.queue.link().settings.lease;
        for (partition, held) in self.held() {
            let operations =
                held.iter().map(|(handle, _)| (*handle, Operation::Extend { lease })).collect();
            match self.exchange(partition, operations).await {
                Ok(verdicts) => {
                    for ((handle, task), verdict) in held.into_iter().zip(verdicts) {
                        if matches!(verdict, Verdict::Stale | Verdict::Cancelled) {
                            self.end_lost(handle, task);
                        }
                    }
                }
                Err(error) => tracing::warn!(%error, partition, "leases could not be renewed"),
            }
        }
    }

    fn end_lost(&self, handle: Handle, task: Id) {
        let Some((abort, lease)) = self.leases.get(&task) else { return };
        // It may have settled itself between the request and the verdict.
        if !lease.is_settling() {
            tracing::warn!(job = %lease.id(), token = handle.token, "lease lost; job is dropped");
            abort.abort();
        }
    }

    /// The unsettled deliveries by partition, as many together as one request takes.
    fn held(&self) -> Vec<(u32, Vec<(Handle, Id)>)> {
        let mut held: HashMap<u32, Vec<(Handle, Id)>> = HashMap::new();
        for (id, (_, lease)) in self.leases.iter().filter(|(_, (_, one))| !one.is_settled()) {
            held.entry(lease.partition()).or_default().push((lease.handle(), *id));
        }
        let parts = held.iter().flat_map(|(partition, held)| {
            held.chunks(MAX_BATCH).map(|part| (*partition, part.to_vec()))
        });
        parts.collect()
    }

    async fn exchange(
        &self,
        partition: u32,
        operations: Vec<(Handle, Operation)>,
    ) -> Result<Vec<Verdict>> {
        let link = self.worker.queue.link();
        let partition = link.partition(partition)?;
        Ok(link.exchange(partition, Vec::new(), operations, None).await?.operations)
    }

    /// Gives running jobs their time, then drops and hands back what is left.
    async fn finish(&mut self) {
        let mut deadline = pin!(tokio::time::sleep(self.worker.stop_within));
        while !self.tasks.is_empty() {
            tokio::select! {
                Some(ended) = self.tasks.join_next_with_id() => self.note(ended),
                _ = self.beat.tick() => self.renew().await,
                () = &mut deadline => break,
            }
        }
        let held = self.held();
        self.tasks.shutdown().await;
        for (partition, held) in held {
            let after = Duration::ZERO;
            let operations: Vec<_> =
                held.iter().map(|(handle, _)| (*handle, Operation::Snooze { after })).collect();
            match self.exchange(partition, operations).await {
                Ok(verdicts) => {
                    let back = verdicts.iter().filter(|one| **one == Verdict::Applied).count();
                    self.summary.handed_back += back as u64;
                }
                Err(error) => tracing::warn!(%error, partition, "jobs could not be handed back"),
            }
        }
    }
}

/// Starts a wait for work, if none is under way, and polls it once so that it is registered;
/// whether it ended at once.
async fn arm<'a>(wake: &mut Option<Wake<'a>>, link: &'a Link) -> bool {
    let waiting = wake.get_or_insert_with(|| link.engine.wait(&link.partitions, IDLE));
    let ready =
        std::future::poll_fn(|context| Poll::Ready(waiting.as_mut().poll(context).is_ready()));
    let ready = ready.await;
    if ready {
        *wake = None;
    }
    ready
}

/// Ends when the wait for work does; an error only means that the next look will tell.
async fn woken(wake: &mut Option<Wake<'_>>) {
    let Some(waiting) = wake else { return std::future::pending().await };
    let _ = waiting.await;
    *wake = None;
}
