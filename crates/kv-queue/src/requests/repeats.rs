//! Bounds requests in time, and repeats them where that is safe.

use std::sync::Arc;
use std::time::Duration;

use kv_core::{Effect, Error, ErrorKind, Result};
use tokio::time::Instant;

use crate::retry::RetryPolicy;

/// How many times a request is repeated after transient failures before the caller gets the error.
const REPEATS: u32 = 4;

/// For how long a request is repeated while the store is away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patience {
    /// Not at all: the caller wants to know at once.
    None,
    /// A few times: the caller can ask elsewhere, or later.
    Short,
    /// For this long: nobody else can send this request, and a failover takes seconds.
    Long(Duration),
}

/// How the requests of one queue are repeated.
pub(super) struct Repeats {
    /// The queue's name, for the log.
    queue: Arc<str>,
    /// The longest that one request may take.
    timeout: Duration,
    pauses: RetryPolicy,
}

impl Repeats {
    pub(super) fn new(queue: &str, timeout: Duration) -> Self {
        let pauses =
            RetryPolicy::exponential(Duration::from_millis(50), Duration::from_millis(500));
        Self { queue: queue.into(), timeout, pauses }
    }

    /// Bounds a reading request by the queue's timeout.
    pub(super) async fn read<R>(&self, request: impl Future<Output = Result<R>>) -> Result<R> {
        let limit = self.timeout;
        tokio::time::timeout(limit, request).await.unwrap_or_else(|_| {
            let message = format!("the store did not do it within {limit:?}");
            Err(Error::new(ErrorKind::Timeout, message))
        })
    }

    /// Bounds a writing request by the queue's timeout.
    pub(super) async fn write<R>(&self, request: impl Future<Output = Result<R>>) -> Result<R> {
        self.read(request).await.map_err(|error| match error.kind() {
            ErrorKind::Timeout => error.maybe_applied(),
            _ => error,
        })
    }

    /// Repeats a request after transient failures. The request may depend on the number of the
    /// attempt, from 0. Gives up before the time is over, so that the caller gets the error.
    pub(super) async fn insist<R, F, Fut>(&self, patience: Patience, send: F) -> Result<R>
    where
        F: Fn(u32) -> Fut,
        Fut: Future<Output = Result<R>>,
    {
        let (mut attempt, mut unknown, begin) = (0, false, Instant::now());
        loop {
            let error = match send(attempt).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            attempt += 1;
            unknown |= error.effect() == Effect::MaybeApplied;
            let pause = self.pauses.delay(attempt);
            let is_over = match patience {
                Patience::None => true,
                Patience::Long(time) if is_away(&error) => begin.elapsed() + pause >= time,
                Patience::Long(_) | Patience::Short => attempt > REPEATS,
            };
            if is_over || !is_safe_to_resend(&error) {
                // If any attempt may have been applied, the error says so.
                return Err(if unknown { error.maybe_applied() } else { error });
            }
            let (queue, kind) = (&*self.queue, error.kind());
            tracing::debug!(queue, attempt, ?kind, "queue request is repeated");
            tokio::time::sleep(pause).await;
        }
    }
}

/// Whether the store is unreachable; a refusal such as "full" is unlikely to clear soon.
fn is_away(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Connection | ErrorKind::Timeout)
}

/// Whether a numbered request may be sent again after this error, and may succeed then.
pub(super) fn is_safe_to_resend(error: &Error) -> bool {
    let lost = error.effect() == Effect::MaybeApplied;
    match error.kind() {
        ErrorKind::Connection | ErrorKind::Timeout => true,
        // The server was the primary a moment ago; the new primary is being found.
        ErrorKind::ReadOnly => true,
        ErrorKind::Conflict => !lost,
        ErrorKind::Backend => lost,
        _ => false,
    }
}
