//! A clock that stands still until it is set.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use kv_core::Clock;

/// Shows the given time, to the microsecond. Monotonic time and date are the same.
#[derive(Debug, Default)]
pub struct ManualClock(AtomicU64);

impl ManualClock {
    /// Shows this time from now on.
    pub fn set(&self, now: Duration) {
        self.0.store(crate::time::stamp(now), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Duration {
        Duration::from_micros(self.0.load(Ordering::SeqCst))
    }

    fn wall(&self) -> Duration {
        self.now()
    }
}
