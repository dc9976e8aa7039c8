//! Retry: repeats calls that failed with a transient error and changed nothing.

use std::time::Duration;

use kv_core::{Error, Result};
use tokio::time::{Instant, sleep};

use crate::chance::Chance;
use crate::{Access, Call, Layer};

/// Repeats calls that failed with a transient error, after growing pauses.
///
/// A write is repeated only if [`is_retryable`](Error::is_retryable) says that it was not applied;
/// an error of a write that may have been applied goes to the caller. A read changes nothing, and
/// is repeated after any [transient](kv_core::ErrorKind::is_transient) error. A batch is repeated
/// as a whole or not at all: an error of a single command goes to the caller. A queue's
/// [`wait`](kv_core::queue::QueueEngine::wait) and [`close`](kv_core::KeyValueStore::close) are not
/// repeated.
///
/// The pause before the nth repeat is random between zero and `first * 2^(n-1)`, at most the
/// longest pause, so that callers which failed together do not come back together. No attempt
/// begins later than [`within`](Self::within) after the first one. With a
/// [`Timeout`](crate::Timeout) inside, a call ends within the sum of both times.
///
/// A queue itself repeats its requests, and this layer would repeat each of those attempts too. A
/// queue gains nothing from this layer.
///
/// Arguments that are lists are cloned for each attempt except the last. A repeat needs a Tokio
/// runtime with time.
///
/// ```
/// use kv_core::{ErrorKind, KeyValueStore};
/// use kv_layers::{Layer, Retry};
/// use kv_testkit::{Fault, Faulty, Method};
/// # kv_testkit::runtime()?.block_on(async {
/// let flaky = Faulty::new(kv_memory::MemoryStore::new());
/// flaky.inject(Fault::nth(Method::Get, 1, ErrorKind::Connection));
/// let store = Retry::new().attempts(3).on(flaky.clone());
/// assert!(store.get("k").await.is_ok());
/// assert_eq!(flaky.calls(Method::Get), 2);
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Retry {
    attempts: u32,
    first: Duration,
    longest: Duration,
    within: Duration,
    chance: Chance,
}

impl Retry {
    /// Up to 3 attempts, the last of which begins within 5 s. Pauses are at most 50 ms at first,
    /// and at most 1 s later.
    pub fn new() -> Self {
        Self {
            attempts: 3,
            first: Duration::from_millis(50),
            longest: Duration::from_secs(1),
            within: Duration::from_secs(5),
            chance: Chance::new(),
        }
    }

    /// The most attempts for a call, at least 1; with 1 no call is repeated.
    #[must_use]
    pub fn attempts(self, attempts: u32) -> Self {
        Self { attempts: attempts.max(1), ..self }
    }

    /// The longest pause before the first repeat, and before any.
    #[must_use]
    pub fn pauses(self, first: Duration, longest: Duration) -> Self {
        Self { first, longest, ..self }
    }

    /// How long after the first attempt the last attempt may begin.
    #[must_use]
    pub fn within(self, time: Duration) -> Self {
        Self { within: time, ..self }
    }

    /// The same with pauses that a seed decides, for tests that repeat.
    #[must_use]
    pub fn seeded(self, seed: u64) -> Self {
        Self { chance: Chance::seeded(seed), ..self }
    }

    fn pause(&self, attempt: u32) -> Duration {
        let doublings = attempt.saturating_sub(1).min(31);
        let whole = self.first.saturating_mul(1 << doublings).min(self.longest);
        self.chance.part_of(whole)
    }
}

impl Default for Retry {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether the call can be made once more without doing anything twice.
fn may_repeat(access: Access, error: &Error) -> bool {
    match access {
        Access::Read => error.kind().is_transient(),
        Access::Write => error.is_retryable(),
        Access::Wait | Access::Close => false,
    }
}

impl Layer for Retry {
    async fn call<A, T, R>(
        &self,
        call: Call,
        args: A,
        run: impl Fn(A) -> R + Send + Sync,
    ) -> Result<T>
    where
        A: Clone + Send + Sync,
        T: Send,
        R: Future<Output = Result<T>> + Send,
    {
        let begun = Instant::now();
        for attempt in 1..self.attempts {
            let error = match run(args.clone()).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let pause = self.pause(attempt);
            let next = begun.elapsed().saturating_add(pause);
            if !may_repeat(call.access(), &error) || next > self.within {
                return Err(error);
            }
            let operation = call.operation().name();
            tracing::debug!(operation, attempt, kind = ?error.kind(), "the call is repeated");
            sleep(pause).await;
        }
        run(args).await
    }
}
