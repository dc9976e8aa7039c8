//! Fallback: a second store while the first is away.

mod batch;
mod breaker;
mod side;
mod store;
mod switch;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use kv_core::{Clock, KeyValueStore, Result, SystemClock};

pub use self::store::FallbackStore;
use crate::chance::Chance;

/// Serves plain reads and writes from a spare store while the primary is away.
///
/// # When
/// An error of kind `Connection` or `Timeout` means that the primary may be away; any other error
/// is an answer, and goes to the caller. After [`failures`](Self::failures) of them in a row, with
/// no answer in between, the spare store takes over. After a [`pause`](Self::pause) one caller
/// pings the primary before its own call, and if that is answered, all calls go to the primary
/// again. Each change is logged once: `using the fallback`, `the primary is back`.
///
/// Until it takes over, errors go to the callers. The call that is the last straw is served by the
/// spare store; but one whose error says [`MaybeApplied`](kv_core::Effect::MaybeApplied) never is:
/// the primary may have executed it, and only the caller can tell whether it may happen again.
///
/// # What a program sees
/// - **The spare store begins empty**, with each outage anew: a key that only the primary has is
///   missing, `exists` is false and `delete` and `touch` find nothing.
/// - **What it was given is gone when the primary is back.** It is not copied: the primary may have
///   newer values of others. A value that was overwritten meanwhile is the old one again, and a key
///   that was deleted meanwhile is there again.
/// - **Each process has a spare store of its own**, and finds out by itself that the primary is
///   away: two processes may see different values, for as long as an outage and a pause.
/// - **A walk over keys ends with an error** of kind `Connection` where the store changes under it:
///   it can be begun again.
///
/// So it is for what may be lost or computed again, such as a cache, or marks of what was done
/// where doing it twice is harmless.
///
/// # What it refuses
/// Nothing that promises more than that is offered, neither in an outage nor before: conditions,
/// `take`, counters and queues are `Unsupported`. A lock that is won on the spare store, or a limit
/// that is counted there, would hold for one process and for one outage; nothing can be promised
/// across two stores that do not know of each other. Use the primary by itself for these.
///
/// ```
/// use kv_core::{ErrorKind, Store};
/// use kv_layers::Fallback;
/// use kv_memory::MemoryStore;
/// use kv_testkit::{Fault, Faulty, Method};
/// # kv_testkit::runtime()?.block_on(async {
/// let primary = Faulty::new(MemoryStore::new());
/// let store = Fallback::to(MemoryStore::new).failures(1).on(primary.clone())?;
/// let store = Store::new(store);
///
/// primary.inject(Fault::every(Method::Set, ErrorKind::Connection));
/// store.set("page:1", "fetched").await?;
/// assert_eq!(store.get("page:1").await?, Some("fetched".to_owned()));
/// # Ok::<(), kv_core::Error>(()) }).unwrap();
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct Fallback {
    spare: Arc<dyn Fn() -> Arc<dyn KeyValueStore> + Send + Sync>,
    failures: u32,
    pause: Duration,
    clock: Arc<dyn Clock>,
    seed: Option<u64>,
}

impl Fallback {
    /// Takes over after 3 failures in a row, and tries the primary again after up to a second.
    ///
    /// The function makes the spare store, each time an empty one: once at the beginning, and once
    /// after each outage. It should be quick, and the store it makes should be bounded in size. A
    /// function that gives handles of one lasting store is possible; then what one outage left
    /// behind is seen in the next.
    pub fn to<S: KeyValueStore>(spare: impl Fn() -> S + Send + Sync + 'static) -> Self {
        Self {
            spare: Arc::new(move || Arc::new(spare())),
            failures: 3,
            pause: Duration::from_secs(1),
            clock: Arc::new(SystemClock::new()),
            seed: None,
        }
    }

    /// How many failures in a row mean that the primary is away; at least 1.
    pub fn failures(self, failures: u32) -> Self {
        Self { failures, ..self }
    }

    /// How long the primary is left alone before it is tried again: at least half of this and at
    /// most all of it, by chance, so that many processes do not come at once.
    pub fn pause(self, pause: Duration) -> Self {
        Self { pause, ..self }
    }

    /// Where time comes from; the machine's clock unless given.
    pub fn clock(self, clock: impl Clock) -> Self {
        Self { clock: Arc::new(clock), ..self }
    }

    /// The same with pauses that a seed decides, for tests that repeat.
    pub fn seeded(self, seed: u64) -> Self {
        Self { seed: Some(seed), ..self }
    }

    /// The primary, with this fallback.
    ///
    /// # Errors
    /// `Config` if the primary has lifetimes and the spare store has none: what was to expire would
    /// be refused in an outage.
    pub fn on(self, primary: impl KeyValueStore) -> Result<FallbackStore> {
        FallbackStore::new(Arc::new(primary), self)
    }

    fn chance(&self) -> Chance {
        self.seed.map_or_else(Chance::new, Chance::seeded)
    }
}

impl fmt::Debug for Fallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fallback")
            .field("failures", &self.failures)
            .field("pause", &self.pause)
            .finish_non_exhaustive()
    }
}
