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
    /// The same clock, if it has a coarse one: known by its type, it is read in line.
    machine: Option<SystemClock>,
}

impl Time {
    /// The time of a clock that was given.
    pub(crate) fn of(clock: Arc<dyn Clock>) -> Self {
        Self { clock, machine: None }
    }

    /// The machine's time.
    pub(crate) fn machine() -> Self {
        let clock = SystemClock::new();
        Self { machine: clock.coarse().map(|_| clock), clock: Arc::new(clock) }
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
        let coarse = self.time.machine.as_ref().and_then(SystemClock::coarse);
        let is_far = |coarse: Duration| nanos(coarse).saturating_add(MARGIN) < deadline;
        coarse.is_some_and(is_far) || self.is_before_exactly(deadline)
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

#[inline]
fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
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
    fn a_deadline_that_has_come_is_seen_at_once_on_the_machine() {
        let time = Time::machine();
        for _ in 0..10_000 {
            let now = time.moment().nanos();
            assert!(!time.moment().is_before(now));
            assert!(time.moment().is_before(now + 2 * MARGIN));
        }
    }
}
