//! Timeout: gives up a call that takes too long.

use std::time::Duration;

use kv_core::{Error, ErrorKind, Result};

use crate::{Access, Call, Layer};

/// Bounds the time of each call.
///
/// A write that times out fails with [`MaybeApplied`](kv_core::Effect::MaybeApplied): it may still
/// be executed, once. A read that times out has changed nothing. A queue's
/// [`wait`](kv_core::queue::QueueEngine::wait) takes the time that its caller names, and is not
/// bounded.
///
/// Calls need a Tokio runtime with time.
///
/// ```
/// use std::time::Duration;
/// use kv_core::KeyValueStore;
/// use kv_layers::{Layer, Timeout};
/// # kv_testkit::runtime()?.block_on(async {
/// let store = Timeout::after(Duration::from_secs(2)).on(kv_memory::MemoryStore::new());
/// assert!(store.ping().await.is_ok());
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Timeout {
    limit: Duration,
}

impl Timeout {
    /// Gives up a call that takes longer than this.
    pub const fn after(limit: Duration) -> Self {
        Self { limit }
    }

    fn expired(self, call: Call) -> Error {
        let message = format!("no answer within the limit of {:?}", self.limit);
        let error = Error::new(ErrorKind::Timeout, message).operation(call.operation().name());
        if call.access() == Access::Read { error } else { error.maybe_applied() }
    }
}

impl Layer for Timeout {
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
        if call.access() == Access::Wait {
            return run(args).await;
        }
        let answer = tokio::time::timeout(self.limit, run(args)).await;
        answer.unwrap_or_else(|_| Err(self.expired(call)))
    }
}
