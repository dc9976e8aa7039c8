//! One slot: runs the handler on one delivery after another.

use std::any::Any;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use kv_core::queue::Operation;
use tokio::time::Instant;
use tracing::Instrument;

use super::handler::Handler;
use super::meter::MeteredJob;
use super::shared::{Shared, Start};
use super::summary::{Ending, Outcome, Sent};
use crate::queue::{Lease, Settle, undecodable};
use crate::retry::RetryPolicy;

const PANICKED: &str = "the handler panicked";

/// What all slots of a worker share.
pub(super) struct Slots<H> {
    pub(super) shared: Arc<Shared>,
    pub(super) handler: H,
    pub(super) job_timeout: Option<Duration>,
    pub(super) cleanup_within: Duration,
}

impl<H: Handler> Slots<H> {
    /// Runs deliveries until the worker starts no more.
    pub(super) async fn work(self: Arc<Self>, slot: usize) {
        while let Some(Start { lease, body }) = self.shared.next(slot).await {
            let panicked = |reason| self.failed(&lease, reason, &RetryPolicy::default(), None);
            let watched = self.watched(&lease, caught(self.deliver(&body, &lease)));
            let outcome = watched.await.unwrap_or_else(panicked);
            self.shared.end(slot, &lease, outcome);
        }
    }

    async fn deliver(&self, body: &[u8], lease: &Arc<Lease>) -> Outcome {
        match self.handler.begin(lease, body) {
            Ok(handling) => self.run(handling, lease).await,
            Err(error) => {
                let settings = &self.shared.requests.connection.settings;
                let failure = undecodable(settings, lease.id(), lease.attempt(), &error);
                Outcome::ToSend(Some(failure), Sent::SetAside)
            }
        }
    }

    /// Runs the handler to its end, or until the lease is lost.
    async fn run(&self, handling: impl Future<Output = crate::Outcome>, lease: &Lease) -> Outcome {
        let _metered = Metered::begin(&self.shared, lease);
        let (queue, job, attempt) = (self.shared.queue(), lease.id(), lease.attempt());
        let span = tracing::info_span!("job", queue, %job, attempt);
        let handled =
            async { caught(handling.instrument(span)).await.unwrap_or_else(crate::Outcome::retry) };
        let mut handled = pin!(bounded(handled, self.job_timeout));
        let verdict = tokio::select! {
            biased;
            outcome = &mut handled => return self.judged(lease, outcome),
            verdict = lease.lost() => verdict,
        };
        if lease.is_watched() {
            // What the handler says no longer counts.
            drop(tokio::time::timeout(self.cleanup_within, handled).await);
        }
        Outcome::Ended(Sent::HandBack.ending(Some(verdict)))
    }

    /// What remains to do after a handler that said this.
    fn judged(&self, lease: &Lease, said: crate::Outcome) -> Outcome {
        match said {
            crate::Outcome::Retry { after, reason } => {
                let policy = &self.shared.requests.connection.settings.retry;
                self.failed(lease, reason, policy, after)
            }
            crate::Outcome::Fail { reason } => self.buried(lease, reason),
            crate::Outcome::Done => {
                ended(lease).unwrap_or(Outcome::ToSend(None, Sent::Settle(Settle::Ack)))
            }
            crate::Outcome::DoneWith(value) => {
                ended(lease).unwrap_or_else(|| self.done(lease, &value))
            }
            crate::Outcome::Snooze { after } => ended(lease).unwrap_or_else(|| {
                let snooze = Operation::Snooze { after };
                Outcome::ToSend(Some(snooze), Sent::Settle(Settle::Snooze))
            }),
            crate::Outcome::Limited { after } => ended(lease).unwrap_or_else(|| {
                let limited = Operation::Limited { after };
                Outcome::ToSend(Some(limited), Sent::Settle(Settle::Limited))
            }),
        }
    }

    /// What a job returned is sent with its ack. A job whose value cannot be encoded has failed.
    fn done(&self, lease: &Lease, value: &crate::Returned) -> Outcome {
        match lease.done(|serializer| value.encode(serializer)) {
            Ok(operation) => Outcome::ToSend(operation, Sent::Settle(Settle::Ack)),
            Err(error) => {
                let reason = format!("what the handler returned cannot be kept: {error}");
                let policy = &self.shared.requests.connection.settings.retry;
                self.failed(lease, reason, policy, None)
            }
        }
    }

    fn failed(
        &self,
        lease: &Lease,
        reason: String,
        policy: &RetryPolicy,
        after: Option<Duration>,
    ) -> Outcome {
        if let Some(ended) = self.ended_before(lease, &reason) {
            return ended;
        }
        let (queue, job, attempt) = (self.shared.queue(), lease.id(), lease.attempt());
        tracing::warn!(queue, %job, attempt, reason, "job failed");
        let after = after.unwrap_or_else(|| policy.delay(attempt));
        let operation = Operation::Retry { after, reason };
        Outcome::ToSend(Some(operation), Sent::Settle(Settle::Retry))
    }

    fn buried(&self, lease: &Lease, reason: String) -> Outcome {
        if let Some(ended) = self.ended_before(lease, &reason) {
            return ended;
        }
        let (queue, job, attempt) = (self.shared.queue(), lease.id(), lease.attempt());
        tracing::warn!(queue, %job, attempt, reason, "job failed for good");
        Outcome::ToSend(Some(Operation::Fail { reason }), Sent::Settle(Settle::Fail))
    }

    /// How the handler settled the job, before it failed for this reason.
    fn ended_before(&self, lease: &Lease, reason: &str) -> Option<Outcome> {
        let settled_by = lease.settled()?.by.name();
        let (queue, job, attempt) = (self.shared.queue(), lease.id(), lease.attempt());
        tracing::warn!(
            queue, %job, attempt, reason, settled_by,
            "the handler failed after it had settled the job, which stays as it is"
        );
        ended(lease)
    }

    /// Logs a warning for each poll that blocks its thread long enough to endanger renewals.
    async fn watched<F: Future>(&self, lease: &Lease, work: F) -> F::Output {
        let longest = self.shared.requests.connection.settings.lease / 3;
        let mut work = pin!(work);
        poll_fn(|context| {
            let begun = Instant::now();
            let polled = work.as_mut().poll(context);
            let took = begun.elapsed();
            if took > longest {
                let (queue, job) = (self.shared.queue(), lease.id());
                tracing::warn!(
                    queue, %job, ?took,
                    "the handler blocked its thread; blocking code belongs in spawn_blocking"
                );
            }
            polled
        })
        .await
    }
}

/// A handler that runs. When this is dropped, the handler has ended.
struct Metered<'a> {
    shared: &'a Shared,
    lease: &'a Lease,
    /// `None` without a meter.
    begun: Option<Instant>,
}

impl<'a> Metered<'a> {
    fn begin(shared: &'a Shared, lease: &'a Lease) -> Self {
        let begun = shared.metering.is_on().then(Instant::now);
        shared.metering.tell(|meter| meter.started(&MeteredJob::of(shared.queue(), lease)));
        Self { shared, lease, begun }
    }
}

impl Drop for Metered<'_> {
    fn drop(&mut self) {
        let Some(took) = self.begun.map(|begun| begun.elapsed()) else { return };
        let job = MeteredJob::of(self.shared.queue(), self.lease);
        self.shared.metering.tell(|meter| meter.handled(&job, took));
    }
}

/// How the handler settled the job itself.
fn ended(lease: &Lease) -> Option<Outcome> {
    lease.settled().map(|settled| Outcome::Ended(Ending::from(settled)))
}

async fn bounded<F>(handler: F, timeout: Option<Duration>) -> crate::Outcome
where
    F: Future<Output = crate::Outcome>,
{
    let Some(timeout) = timeout else { return handler.await };
    let timed = tokio::time::timeout(timeout, handler).await;
    timed.unwrap_or_else(|_| crate::Outcome::retry(format!("took longer than {timeout:?}")))
}

/// A future's result, or its panic message. A panic fails the job, not the worker. This covers all
/// of a program's code: the handler, and the code that decodes payloads, prints errors and chooses
/// delays.
pub(super) async fn caught<F: Future>(future: F) -> Result<F::Output, String> {
    let mut future = pin!(future);
    poll_fn(|context| {
        let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context)));
        match polled {
            Ok(polled) => polled.map(Ok),
            Err(panic) => Poll::Ready(Err(panic_text(&*panic))),
        }
    })
    .await
}

/// A panic's message, if there is one.
fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    match text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)) {
        Some(text) => format!("{PANICKED}: {text}"),
        None => PANICKED.to_owned(),
    }
}
