//! The kernel's coarse monotonic clock, on the scale of an exact clock and never ahead of it.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, Timespec, clock_gettime};

/// How long setting it up may take. A longer pause would make it lag by as much for ever.
const MAX_SETUP: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug)]
pub(super) struct Coarse {
    /// What the kernel's clock showed at the origin of the exact one, or a little more.
    origin: Duration,
}

impl Coarse {
    /// `None` if the machine held up the thread meanwhile.
    pub(super) fn behind(origin: Instant) -> Option<Self> {
        let before = origin.elapsed();
        let kernel = duration(clock_gettime(ClockId::Monotonic));
        let after = origin.elapsed();
        // What passed between the two readings makes it lag more.
        let is_close = after.saturating_sub(before) < MAX_SETUP;
        is_close.then_some(Self { origin: kernel.saturating_sub(before) })
    }

    #[inline]
    pub(super) fn read(&self) -> Duration {
        duration(clock_gettime(ClockId::MonotonicCoarse)).saturating_sub(self.origin)
    }
}

#[inline]
fn duration(time: Timespec) -> Duration {
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::super::{Clock, SystemClock};

    #[test]
    fn the_coarse_clock_is_never_ahead() {
        let clock = SystemClock::new();
        for _ in 0..10_000 {
            let Some(coarse) = clock.coarse() else { return };
            let exact = clock.now();
            assert!(coarse <= exact, "{coarse:?} is ahead of {exact:?}");
        }
    }
}
