//! One slot: runs the handler on one delivery after another.

use std::any::Any;
use std::fmt;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use kv_core::queue::Operation;
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::shared::{Shared, Start};
use super::summary::{Ending, Outcome, Sent};
use crate::queue::{Delivery, Lease, Settle, undecodable};
use crate::retry::RetryPolicy;

const PANICKED: &str = "the handler panicked";

/// What all slots of a worker share.
pub(super) struct Slots<H> {
    pub(super) shared: Arc<Shared>,
    pub(super) handler: H,
    pub(super) job_timeout: Option<Duration>,
}

impl<H> Slots<H> {
    /// Runs deliveries until the worker starts no more.
    pub(super) async fn work<T, Fut, E>(self: Arc<Self>, slot: usize)
    where
        T: DeserializeOwned,
        H: Fn(Delivery<T>) -> Fut,
        Fut: Future<Output = Result<(), E>>,
        E: fmt::Display,
    {
        while let Some(Start { lease, body }) = self.shared.next(slot).await {
            let panicked = |reason| self.failed(&lease, reason, &RetryPolicy::default());
            let watched = self.watched(&lease, caught(self.deliver(&body, &lease)));
            let outcome = watched.await.unwrap_or_else(panicked);
            self.shared.end(slot, &lease, outcome);
        }
    }

    async fn deliver<T, Fut, E>(&self, body: &[u8], lease: &Arc<Lease>) -> Outcome
    where
        T: DeserializeOwned,
        H: Fn(Delivery<T>) -> Fut,
        Fut: Future<Output = Result<(), E>>,
        E: fmt::Display,
    {
        match self.shared.requests.connection.serializer().decode(body) {
            Ok(payload) => self.run(payload, lease).await,
            Err(error) => {
                let settings = &self.shared.requests.connection.settings;
                let failure = undecodable(settings, lease.id(), lease.attempt(), &error);
                Outcome::ToSend(Some(failure), Sent::SetAside)
            }
        }
    }

    /// Runs the handler to its end, or until the lease is lost.
    async fn run<T, Fut, E>(&self, payload: T, lease: &Arc<Lease>) -> Outcome
    where
        H: Fn(Delivery<T>) -> Fut,
        Fut: Future<Output = Result<(), E>>,
        E: fmt::Display,
    {
        let delivery = Delivery::new(payload, Arc::clone(lease));
        // Called inside, since the call itself may panic.
        let handling = async { (self.handler)(delivery).await };
        let handled = async {
            match caught(handling).await {
                // The alternate form shows an error's whole chain, where the error has one.
                Ok(outcome) => outcome.map_err(|error| format!("{error:#}")),
                Err(panicked) => Err(panicked),
            }
        };
        let outcome = tokio::select! {
            biased;
            outcome = bounded(handled, self.job_timeout) => outcome,
            verdict = lease.lost() => {
                return Outcome::Ended(Sent::HandBack.ending(Some(verdict)));
            }
        };
        match outcome {
            Err(reason) => {
                self.failed(lease, reason, &self.shared.requests.connection.settings.retry)
            }
            Ok(()) => match lease.settled() {
                Some(settled) => Outcome::Ended(Ending::from(settled)),
                None => Outcome::ToSend(None, Sent::Settle(Settle::Ack)),
            },
        }
    }

    fn failed(&self, lease: &Lease, reason: String, retry: &RetryPolicy) -> Outcome {
        let (queue, job, attempt) = (self.shared.queue(), lease.id(), lease.attempt());
        if let Some(settled) = lease.settled() {
            let settled_by = settled.by.name();
            tracing::warn!(
                queue, %job, attempt, reason, settled_by,
                "the handler failed after it had settled the job, which stays as it is"
            );
            return Outcome::Ended(Ending::from(settled));
        }
        tracing::warn!(queue, %job, attempt, reason, "job failed");
        let after = retry.delay(attempt);
        let operation = Operation::Retry { after, reason };
        Outcome::ToSend(Some(operation), Sent::Settle(Settle::Retry))
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

async fn bounded<F>(handler: F, timeout: Option<Duration>) -> Result<(), String>
where
    F: Future<Output = Result<(), String>>,
{
    let Some(timeout) = timeout else { return handler.await };
    let timed = tokio::time::timeout(timeout, handler).await;
    timed.unwrap_or_else(|_| Err(format!("took longer than {timeout:?}")))
}

/// A future's result, or its panic message. A panic fails the job, not the worker. This covers all
/// of a program's code: the handler, and the code that decodes payloads, prints errors and chooses
/// delays.
async fn caught<F: Future>(future: F) -> Result<F::Output, String> {
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
