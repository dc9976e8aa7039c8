//! Time as an argument.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

#[cfg(all(target_os = "linux", feature = "coarse-clock"))]
mod coarse;

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

    /// A time that `now` has reached, if it can be read at less cost than `now`. It lags by a tick of
    /// the machine, a few milliseconds, and by more while the processor that ticks is held up. So it
    /// is enough to know that a deadline far ahead has not come.
    fn coarse(&self) -> Option<Duration> {
        None
    }
}

/// The machine's clocks. With the feature `coarse-clock`, on Linux, `coarse` reads
/// `CLOCK_MONOTONIC_COARSE`.
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
    #[cfg(all(target_os = "linux", feature = "coarse-clock"))]
    coarse: Option<coarse::Coarse>,
}

impl SystemClock {
    /// A clock whose origin is now.
    #[expect(clippy::disallowed_methods, reason = "the edge at which real time enters")]
    pub fn new() -> Self {
        let origin = Instant::now();
        Self {
            origin,
            #[cfg(all(target_os = "linux", feature = "coarse-clock"))]
            coarse: coarse::Coarse::behind(origin),
        }
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

    #[cfg(all(target_os = "linux", feature = "coarse-clock"))]
    #[inline]
    fn coarse(&self) -> Option<Duration> {
        self.coarse.as_ref().map(coarse::Coarse::read)
    }
}

impl<C: Clock + ?Sized> Clock for Arc<C> {
    fn now(&self) -> Duration {
        (**self).now()
    }

    fn wall(&self) -> Duration {
        (**self).wall()
    }

    fn coarse(&self) -> Option<Duration> {
        (**self).coarse()
    }
}
