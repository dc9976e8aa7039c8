//! A clock that a test steps.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use kv_core::Clock;

/// The date on which every manual clock starts: 2020-01-01T00:00:00Z.
const START: Duration = Duration::from_secs(1_577_836_800);

/// A clock that stands still until it is stepped; clones share their time.
///
/// ```
/// use kv_core::Clock;
/// use kv_testkit::ManualClock;
/// use std::time::Duration;
///
/// let clock = ManualClock::new();
/// let (now, wall) = (clock.now(), clock.wall());
/// clock.clone().advance(Duration::from_secs(1));
/// assert_eq!(clock.now() - now, Duration::from_secs(1));
/// assert_eq!(clock.wall() - wall, Duration::from_secs(1));
/// ```
#[derive(Clone, Debug, Default)]
pub struct ManualClock {
    /// Nanoseconds since the origin.
    elapsed: Arc<AtomicU64>,
}

impl ManualClock {
    /// A clock at its origin, on 2020-01-01.
    pub fn new() -> Self {
        Self::default()
    }

    /// Steps both kinds of time. The sum of all steps ends at 584 years.
    pub fn advance(&self, by: Duration) {
        let by = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
        let step = |elapsed: u64| elapsed.saturating_add(by);
        self.elapsed.update(Ordering::AcqRel, Ordering::Acquire, step);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Duration {
        Duration::from_nanos(self.elapsed.load(Ordering::Acquire))
    }

    fn wall(&self) -> Duration {
        START + self.now()
    }
}
