//! One handler at work on one delivery, up to its settling.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use kv_core::Result;

use crate::delivery::Lease;
use crate::retry::RetryPolicy;

/// How a delivery ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Done,
    Failed,
    Lost,
}

/// Runs the handler's future to its end and settles the delivery as it ended.
pub(super) async fn work<Fut, E>(
    handler: Fut,
    lease: Arc<Lease>,
    timeout: Option<Duration>,
    retry: RetryPolicy,
) -> End
where
    Fut: Future<Output = Result<(), E>>,
    E: fmt::Display,
{
    let outcome = bounded(caught(handler), timeout).await;
    if lease.is_settled() {
        return if outcome.is_ok() { End::Done } else { End::Failed };
    }
    let (end, settled) = match outcome {
        Ok(()) => (End::Done, lease.ack().await),
        Err(reason) => {
            tracing::warn!(job = %lease.id(), attempt = lease.attempt(), reason, "job failed");
            let delay = retry.delay(lease.attempt());
            (End::Failed, lease.retry(delay, reason).await)
        }
    };
    match settled {
        Ok(()) => end,
        Err(error) => {
            // Unsettled, the job comes back when its lease ends.
            tracing::warn!(job = %lease.id(), %error, "delivery could not be settled");
            if lease.is_settled() { End::Lost } else { end }
        }
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

/// A panic is a failure of the job, not of the worker.
async fn caught<Fut, E>(handler: Fut) -> Result<(), String>
where
    Fut: Future<Output = Result<(), E>>,
    E: fmt::Display,
{
    let mut handler = pin!(handler);
    std::future::poll_fn(|context| {
        let polled = catch_unwind(AssertUnwindSafe(|| handler.as_mut().poll(context)));
        match polled {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(outcome)) => Poll::Ready(outcome.map_err(|error| error.to_string())),
            Err(_) => Poll::Ready(Err("the handler panicked".to_owned())),
        }
    })
    .await
}
