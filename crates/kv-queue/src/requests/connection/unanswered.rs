//! Claims without an answer: their jobs never began, and are handed back.
//!
//! The store may have executed a claim although the caller got no answer: a timeout, a dropped
//! caller, a broken connection. The jobs would wait for the ends of their leases, and be charged a
//! crash. So the request is repeated on its session without the claim. The partition then releases
//! the jobs of the first execution, and will not execute the claim late.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kv_core::queue::{Exchange, Exchanged, Partition};
use kv_core::{Effect, Error, ErrorKind, Result};
use tokio::runtime::Handle as Runtime;
use tokio::time::Instant;

use super::super::repeats::is_safe_to_resend;
use super::Connection;

/// How many claims are remembered at most. The jobs of forgotten claims come back when their leases
/// end.
const MOST: usize = 1_000;

/// How long a partition remembers the last request of a session.
const REMEMBERED: Duration = Duration::from_secs(600);

/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// The unanswered claims of one open queue, the oldest first.
#[derive(Default)]
pub(super) struct UnansweredClaims {
    waiting: Mutex<VecDeque<Arc<Unanswered>>>,
}

struct Unanswered {
    partition: Partition,
    /// The request without its claim.
    request: Exchange,
    since: Instant,
    is_withdrawn: AtomicBool,
}

impl UnansweredClaims {
    /// Withdraws the unanswered claims of a partition.
    ///
    /// # Errors
    /// Transient errors of the store; some claims are then left.
    pub(super) async fn withdraw_all(
        &self,
        connection: &Connection,
        partition: &Partition,
    ) -> Result<()> {
        let own: Vec<_> = {
            let waiting = self.lock();
            waiting.iter().filter(|one| one.partition == *partition).cloned().collect()
        };
        for unanswered in own {
            unanswered.withdraw(connection).await?;
        }
        Ok(())
    }

    fn remember(&self, unanswered: &Arc<Unanswered>) {
        let mut waiting = self.lock();
        waiting.retain(|one| one.since.elapsed() < REMEMBERED);
        if waiting.len() >= MOST {
            waiting.pop_front();
        }
        waiting.push_back(Arc::clone(unanswered));
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Arc<Unanswered>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Unanswered {
    async fn withdraw(self: &Arc<Self>, connection: &Connection) -> Result<()> {
        if self.is_withdrawn.load(Ordering::Acquire) {
            return Ok(());
        }
        let sent =
            connection.once(connection.engine.exchange(&self.partition, self.request.clone()));
        if let Err(error) = sent.await {
            if is_safe_to_resend(&error) {
                return Err(error);
            }
            // A permanent refusal will not change: the leases end by themselves.
            tracing::debug!(queue = connection.queue(), %error, "a claim cannot be withdrawn");
        }
        self.is_withdrawn.store(true, Ordering::Release);
        connection.unanswered.lock().retain(|one| !Arc::ptr_eq(one, self));
        Ok(())
    }

    /// Tries for as long as a lease lasts. The next maintenance by this handle withdraws what is
    /// left.
    async fn keep_trying(self: Arc<Self>, connection: Arc<Connection>) {
        let lease = connection.settings.lease;
        let mut pause = Duration::from_millis(10);
        while self.withdraw(&connection).await.is_err() && self.since.elapsed() < lease {
            tokio::time::sleep(pause).await;
            pause = (2 * pause).min(LONGEST_PAUSE);
        }
    }
}

/// Watches a request with a claim. If it is dropped before the answer, it withdraws the claim in
/// the background.
pub(super) struct WatchedClaim {
    connection: Arc<Connection>,
    partition: Partition,
    request: Option<Arc<Exchange>>,
}

impl WatchedClaim {
    /// Watches a request, if it claims.
    pub(super) fn of(
        connection: &Arc<Connection>,
        partition: &Partition,
        request: &Arc<Exchange>,
    ) -> Option<Self> {
        request.claim?;
        Some(Self {
            connection: Arc::clone(connection),
            partition: partition.clone(),
            request: Some(Arc::clone(request)),
        })
    }

    /// Takes the answer, or the error that no answer will come.
    pub(super) fn heed(mut self, answer: &Result<Exchanged>) {
        let is_unknown = |error: &Error| {
            error.effect() == Effect::MaybeApplied || error.kind() == ErrorKind::Timeout
        };
        if !answer.as_ref().err().is_some_and(is_unknown) {
            self.request = None;
        }
    }
}

impl Drop for WatchedClaim {
    fn drop(&mut self) {
        let Some(request) = self.request.take() else { return };
        let unanswered = Arc::new(Unanswered {
            partition: self.partition.clone(),
            request: Exchange { claim: None, ..Arc::unwrap_or_clone(request) },
            since: Instant::now(),
            is_withdrawn: AtomicBool::new(false),
        });
        self.connection.unanswered.remember(&unanswered);
        // Without a runtime the next maintenance by this handle withdraws the claim.
        if let Ok(runtime) = Runtime::try_current() {
            runtime.spawn(unanswered.keep_trying(Arc::clone(&self.connection)));
        }
    }
}
