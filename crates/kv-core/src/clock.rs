//! Time as an argument.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The source of a component's time.
///
/// A clock has two times. `now` never goes back, and measures what ends with the process. `wall` is
/// the date: an operator may set it, and a durable store keeps deadlines by it. The guide for authors
/// of backends, `docs/BACKENDS.md`, says what to do when the date is set back.
pub trait Clock: Debug + Send + Sync + 'static {
    /// Monotonic time since an origin of the clock's own, another one in every process: it means
    /// nothing in a file or to another process.
    fn now(&self) -> Duration;

    /// Time since 1970-01-01T00:00:00Z. It may go back, and forward by a jump.
    fn wall(&self) -> Duration;
}

/// The machine's clocks.
///
/// ```
/// use kv_core::{Clock, SystemClock};
/// let clock = SystemClock::new();
/// let before = clock.now();
/// assert!(clock.now() >= before);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    origin: Instant,
}

impl SystemClock {
    /// A clock whose origin is now.
    #[expect(clippy::disallowed_methods, reason = "the edge at which real time enters")]
    pub fn new() -> Self {
        Self { origin: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Duration {
        self.origin.elapsed()
    }

    #[expect(clippy::disallowed_methods, reason = "the edge at which real time enters")]
    fn wall(&self) -> Duration {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
    }
}

impl<C: Clock + ?Sized> Clock for Arc<C> {
    fn now(&self) -> Duration {
        (**self).now()
    }

    fn wall(&self) -> Duration {
        (**self).wall()
    }
}
