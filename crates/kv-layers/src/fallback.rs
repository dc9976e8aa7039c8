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
/// counts as an answer and goes to the caller. After [`failures`](Self::failures) such errors in a
/// row, the spare store takes over. After a [`pause`](Self::pause) one caller pings the primary
/// before its own call; if the primary answers, all calls go to the primary again. Each change is
/// logged once: `using the fallback`, `the primary is back`.
///
/// Until the spare store takes over, errors go to the callers. The spare store also serves the call
/// whose error made it take over, unless that error says
/// [`MaybeApplied`](kv_core::Effect::MaybeApplied): then the primary may have executed the call,
/// and only the caller can decide whether it may happen again.
///
/// # What a program sees
/// - **The spare store begins empty** in each outage: a key that only the primary has is missing,
///   `exists` is false, and `delete` and `touch` find nothing.
/// - **Values written in an outage are gone when the primary is back.** They are not copied, since
///   the primary may have newer values of others. A key that was overwritten or deleted in the
///   outage has the primary's old value again.
/// - **Each process has its own spare store**, and finds out by itself that the primary is away.
///   During an outage, and for a pause after it, two processes may see different values.
/// - **A walk over keys fails with `Connection`** if the serving store changes during the walk.
///   Begin the walk again.
///
/// So use a fallback for values that may be lost or computed again, such as a cache, or marks of
/// finished work that may safely be done twice.
///
/// # What it refuses
/// The store refuses calls that promise more, during an outage and before: conditions, `take`,
/// counters and queues fail with `Unsupported`. A lock or a limit on the spare store would hold for
/// one process and one outage only. Use the primary alone for these.
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
    /// A fallback that takes over after 3 failures in a row, and tries the primary again after up
    /// to 1 second.
    ///
    /// The function makes an empty spare store: once at the beginning, and once after each outage.
    /// It should be quick, and its store should be bounded in size. A function that returns handles
    /// of one lasting store is possible; then an outage shows the values of the last one.
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

    /// How long to wait before the primary is tried again: a random time between half of this and
    /// all of it, so that many processes do not try at once.
    pub fn pause(self, pause: Duration) -> Self {
        Self { pause, ..self }
    }

    /// The source of time; the machine's clock by default.
    pub fn clock(self, clock: impl Clock) -> Self {
        Self { clock: Arc::new(clock), ..self }
    }

    /// The same with seeded random pauses, for tests that repeat.
    pub fn seeded(self, seed: u64) -> Self {
        Self { seed: Some(seed), ..self }
    }

    /// The primary, with this fallback.
    ///
    /// # Errors
    /// `Config` if the primary supports lifetimes and the spare store does not: the spare store
    /// would refuse writes with a lifetime.
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
