//! The store's time, and a cheap bound on it.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use kv_core::{Clock, SystemClock};

const NANOS_PER_MILLI: u64 = 1_000_000;

/// The deadline of a record that does not expire.
pub(crate) const NEVER: u64 = u64::MAX;

/// How far the coarse clock may lag behind the exact one. It lags by a tick, a few milliseconds;
/// a minute leaves room for a machine whose ticking processor is held up.
const MARGIN: u64 = 60_000 * NANOS_PER_MILLI;

/// The clock of a store.
///
/// Reading the machine's clock costs more than half of a get. While a deadline is more than
/// a minute away, the kernel's coarse clock, which is a few times cheaper, is enough to know that
/// it has not come. A clock that was given to the store is always read itself.
#[derive(Debug)]
pub(crate) struct Time {
    clock: Arc<dyn Clock>,
    coarse: Option<Coarse>,
}

impl Time {
    /// The time of a clock that was given.
    pub(crate) fn of(clock: Arc<dyn Clock>) -> Self {
        Self { clock, coarse: None }
    }

    /// The machine's time.
    pub(crate) fn machine() -> Self {
        let clock = SystemClock::new();
        Self { coarse: Coarse::behind(&clock), clock: Arc::new(clock) }
    }

    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    pub(crate) fn moment(&self) -> Moment<'_> {
        Moment { time: self, nanos: Cell::new(None) }
    }
}

/// The time of one operation, read at most once and only if it is needed.
pub(crate) struct Moment<'a> {
    time: &'a Time,
    nanos: Cell<Option<u64>>,
}

impl Moment<'_> {
    /// Monotonic time in nanoseconds.
    pub(crate) fn nanos(&self) -> u64 {
        self.nanos.get().unwrap_or_else(|| {
            let now = nanos(self.time.clock.now());
            self.nanos.set(Some(now));
            now
        })
    }

    /// Whether a deadline has not come yet.
    #[inline]
    pub(crate) fn is_before(&self, deadline: u64) -> bool {
        let far = |coarse: &Coarse| coarse.nanos().saturating_add(MARGIN) < deadline;
        self.time.coarse.as_ref().is_some_and(far) || self.is_before_exactly(deadline)
    }

    /// Apart from the rest, which is then short enough to be a part of each read.
    #[inline(never)]
    fn is_before_exactly(&self, deadline: u64) -> bool {
        self.nanos() < deadline
    }

    /// The deadline of what lives this long from now; far ones are clamped, never wrapped.
    pub(crate) fn deadline(&self, millis: u64) -> u64 {
        let lifetime = millis.saturating_mul(NANOS_PER_MILLI);
        self.nanos().saturating_add(lifetime).min(NEVER - 1)
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(target_os = "linux")]
pub(crate) use kernel::Coarse;

/// The kernel's coarse monotonic clock, on the scale of an exact clock and never ahead of it.
#[cfg(target_os = "linux")]
mod kernel {
    use kv_core::{Clock, SystemClock};
    use rustix::time::{ClockId, Timespec, clock_gettime};

    use super::{MARGIN, nanos};

    #[derive(Debug)]
    pub(crate) struct Coarse {
        /// What the kernel's clock showed at the origin of the exact one, or a little more.
        origin: u64,
    }

    impl Coarse {
        pub(crate) fn behind(clock: &SystemClock) -> Option<Self> {
            let before = nanos(clock.now());
            let kernel = scalar(clock_gettime(ClockId::Monotonic));
            let after = nanos(clock.now());
            // What passed between the two readings makes it lag more.
            let is_close = after.saturating_sub(before) < MARGIN / 10;
            is_close.then_some(Self { origin: kernel.saturating_sub(before) })
        }

        pub(crate) fn nanos(&self) -> u64 {
            scalar(clock_gettime(ClockId::MonotonicCoarse)).saturating_sub(self.origin)
        }
    }

    fn scalar(time: Timespec) -> u64 {
        let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
        let nanos = u64::try_from(time.tv_nsec).unwrap_or_default();
        seconds.saturating_mul(1_000_000_000).saturating_add(nanos)
    }
}

/// Other platforms have no coarse clock.
#[cfg(not(target_os = "linux"))]
#[derive(Debug)]
pub(crate) enum Coarse {}

#[cfg(not(target_os = "linux"))]
impl Coarse {
    fn behind(_: &SystemClock) -> Option<Self> {
        None
    }

    fn nanos(&self) -> u64 {
        match *self {}
    }
}

/// A clock that stands still.
#[cfg(test)]
#[derive(Debug)]
pub(crate) struct Frozen(pub(crate) Duration);

#[cfg(test)]
impl Clock for Frozen {
    fn now(&self) -> Duration {
        self.0
    }

    fn wall(&self) -> Duration {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_never_wraps() {
        let late = Time::of(Arc::new(Frozen(Duration::MAX)));
        assert_eq!(late.moment().deadline(u64::MAX), NEVER - 1);
        let early = Time::of(Arc::new(Frozen(Duration::ZERO)));
        assert_eq!(early.moment().deadline(1), NANOS_PER_MILLI);
    }

    #[test]
    fn the_coarse_clock_is_never_ahead_and_lags_less_than_its_margin() {
        let time = Time::machine();
        for _ in 0..10_000 {
            let Some(coarse) = &time.coarse else { return };
            let (coarse, exact) = (coarse.nanos(), time.moment().nanos());
            assert!(coarse <= exact, "{coarse} is ahead of {exact}");
            assert!(exact < coarse.saturating_add(MARGIN), "{coarse} lags behind {exact}");
        }
    }

    #[test]
    fn a_deadline_that_has_come_is_seen_at_once_on_the_machine() {
        let time = Time::machine();
        for _ in 0..10_000 {
            let now = time.moment().nanos();
            assert!(!time.moment().is_before(now));
            assert!(time.moment().is_before(now + 2 * MARGIN));
        }
    }
}
