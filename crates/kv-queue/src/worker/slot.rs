//! One slot: runs the handler on one delivery after another.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use kv_core::queue::Operation;
use serde::de::DeserializeOwned;

use super::board::{Board, Start};
use crate::queue::{Delivery, Lease, undecodable};
use crate::requests::Requests;
use crate::retry::RetryPolicy;

const PANICKED: &str = "the handler panicked";

/// How a delivery ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Done,
    Failed,
    Lost,
}

/// What is left to say about a delivery whose slot is free.
pub(super) enum Last {
    /// The ack or operation that settles it, and how its handler ended, if it began.
    Word(Option<Operation>, Option<End>),
    /// Nothing.
    Said(End),
}

/// What all slots of a worker have in common.
pub(super) struct Crew<H> {
    pub(super) board: Arc<Board>,
    pub(super) requests: Arc<Requests>,
    pub(super) handler: H,
    pub(super) job_timeout: Option<Duration>,
}

impl<H> Crew<H> {
    /// Runs deliveries until no more are to be started.
    pub(super) async fn work<T, Fut, E>(self: Arc<Self>, slot: usize)
    where
        T: DeserializeOwned,
        H: Fn(Delivery<T>) -> Fut,
        Fut: Future<Output = Result<(), E>>,
        E: fmt::Display,
    {
        while let Some(Start { lease, body }) = self.board.next(slot).await {
            let panicked = || self.failed(&lease, PANICKED.to_owned(), &RetryPolicy::default());
            let last = caught(self.deliver(&body, &lease)).await.unwrap_or_else(panicked);
            self.board.end(slot, &lease, last);
        }
    }

    async fn deliver<T, Fut, E>(&self, body: &[u8], lease: &Arc<Lease>) -> Last
    where
        T: DeserializeOwned,
        H: Fn(Delivery<T>) -> Fut,
        Fut: Future<Output = Result<(), E>>,
        E: fmt::Display,
    {
        match self.requests.connection.serializer().decode(body) {
            Ok(payload) => self.run(payload, lease).await,
            Err(error) => {
                let settings = &self.requests.connection.settings;
                let failure = undecodable(settings, lease.id(), lease.attempt(), &error);
                Last::Word(Some(failure), None)
            }
        }
    }

    /// Runs the handler to its end, or until the lease is lost.
    async fn run<T, Fut, E>(&self, payload: T, lease: &Arc<Lease>) -> Last
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
                Some(outcome) => outcome.map_err(|error| error.to_string()),
                None => Err(PANICKED.to_owned()),
            }
        };
        let outcome = tokio::select! {
            biased;
            outcome = bounded(handled, self.job_timeout) => outcome,
            () = lease.lost() => return Last::Said(End::Lost),
        };
        match outcome {
            Err(reason) => self.failed(lease, reason, &self.requests.connection.settings.retry),
            Ok(()) if lease.is_settled() => Last::Said(End::Done),
            Ok(()) => Last::Word(None, Some(End::Done)),
        }
    }

    fn failed(&self, lease: &Lease, reason: String, retry: &RetryPolicy) -> Last {
        if lease.is_settled() {
            return Last::Said(End::Failed);
        }
        tracing::warn!(job = %lease.id(), attempt = lease.attempt(), reason, "job failed");
        let after = retry.delay(lease.attempt());
        Last::Word(Some(Operation::Retry { after, reason }), Some(End::Failed))
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

/// What a future ends with, or `None` if it panicked: a failure of the job, not of the worker.
/// That goes for all of a program's code: the handler, and what reads payloads, prints errors and
/// chooses delays.
async fn caught<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    std::future::poll_fn(|context| {
        let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context)));
        match polled {
            Ok(polled) => polled.map(Some),
            Err(_) => Poll::Ready(None),
        }
    })
    .await
}
