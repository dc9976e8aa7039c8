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
    time: Arc<Time>,
    /// Where `now` is zero, in nanoseconds since the first clock's origin.
    origin: u64,
}

/// What all clocks of one time share.
#[derive(Debug, Default)]
struct Time {
    /// Nanoseconds since the first clock's origin.
    elapsed: AtomicU64,
    /// How far the date was set back, in nanoseconds.
    behind: AtomicU64,
}

impl ManualClock {
    /// A clock at its origin, on 2020-01-01.
    pub fn new() -> Self {
        Self::default()
    }

    /// Steps both kinds of time. The sum of all steps ends at 584 years.
    pub fn advance(&self, by: Duration) {
        add(&self.time.elapsed, by);
    }

    /// The clock of a process that starts now on the same machine: [`now`](Clock::now) begins
    /// again at zero, [`wall`](Clock::wall) goes on, and whoever steps one clock steps both.
    ///
    /// ```
    /// use kv_core::Clock;
    /// use kv_testkit::ManualClock;
    /// use std::time::Duration;
    ///
    /// let before = ManualClock::new();
    /// before.advance(Duration::from_secs(60));
    /// let after = before.restarted();
    /// assert_eq!((after.now(), after.wall()), (Duration::ZERO, before.wall()));
    /// before.advance(Duration::from_secs(1));
    /// assert_eq!((after.now(), after.wall()), (Duration::from_secs(1), before.wall()));
    /// ```
    #[must_use]
    pub fn restarted(&self) -> Self {
        let origin = self.time.elapsed.load(Ordering::Acquire);
        Self { time: Arc::clone(&self.time), origin }
    }

    /// Sets the date back, as an operator or a time server may; [`now`](Clock::now) goes on as if
    /// nothing was. The date never gets before 1970.
    ///
    /// ```
    /// use kv_core::Clock;
    /// use kv_testkit::ManualClock;
    /// use std::time::Duration;
    ///
    /// let clock = ManualClock::new();
    /// let (now, wall) = (clock.now(), clock.wall());
    /// clock.set_back(Duration::from_secs(60));
    /// assert_eq!((clock.now(), wall - clock.wall()), (now, Duration::from_secs(60)));
    /// ```
    pub fn set_back(&self, by: Duration) {
        add(&self.time.behind, by);
    }
}

fn add(sum: &AtomicU64, by: Duration) {
    let by = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
    sum.update(Ordering::AcqRel, Ordering::Acquire, |sum| sum.saturating_add(by));
}

impl Clock for ManualClock {
    fn now(&self) -> Duration {
        let elapsed = self.time.elapsed.load(Ordering::Acquire);
        Duration::from_nanos(elapsed.saturating_sub(self.origin))
    }

    fn wall(&self) -> Duration {
        let elapsed = Duration::from_nanos(self.time.elapsed.load(Ordering::Acquire));
        let behind = Duration::from_nanos(self.time.behind.load(Ordering::Acquire));
        (START + elapsed).saturating_sub(behind)
    }
}
