//! The store's time: the date, which never goes back.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use kv_core::Clock;

/// The date in microseconds since 1970, as long as it does not go back.
///
/// Where the date is set back, the time goes on from the latest that was seen, at the pace of the
/// monotonic clock, until the date has caught up: so no lease and no lifetime is prolonged by it.
#[derive(Debug)]
pub(crate) struct Time {
    clock: Arc<dyn Clock>,
    /// The most by which the time was ahead of the monotonic clock, in microseconds.
    ahead: AtomicI64,
}

impl Time {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, ahead: AtomicI64::new(i64::MIN) }
    }

    /// Microseconds since 1970.
    pub(crate) fn now(&self) -> i64 {
        // The date first: what passes between the two readings then makes it lag, and never lead.
        let wall = micros(self.clock.wall());
        self.after(wall, micros(self.clock.now()))
    }

    /// The same as a duration.
    pub(crate) fn date(&self) -> Duration {
        Duration::from_micros(self.now().unsigned_abs())
    }

    /// Does not go back behind a time that another process has seen.
    pub(crate) fn at_least(&self, seen: i64) {
        self.after(seen, micros(self.clock.now()));
    }

    fn after(&self, seen: i64, monotonic: i64) -> i64 {
        let ahead = seen.saturating_sub(monotonic);
        let most = self.ahead.fetch_max(ahead, Ordering::AcqRel).max(ahead);
        monotonic.saturating_add(most)
    }
}

fn micros(reading: Duration) -> i64 {
    // Half of the range, so that no sum with a lifetime wraps.
    i64::try_from(reading.as_micros()).unwrap_or(i64::MAX).min(i64::MAX / 2)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    /// Both kinds of time, in seconds.
    #[derive(Debug, Default)]
    struct Hands(Mutex<(u64, u64)>);

    impl Hands {
        fn set(&self, monotonic: u64, wall: u64) {
            *self.0.lock().unwrap() = (monotonic, wall);
        }
    }

    impl Clock for Hands {
        fn now(&self) -> Duration {
            Duration::from_secs(self.0.lock().unwrap().0)
        }

        fn wall(&self) -> Duration {
            Duration::from_secs(self.0.lock().unwrap().1)
        }
    }

    fn time() -> (Arc<Hands>, Time) {
        let hands = Arc::new(Hands::default());
        hands.set(10, 100_000);
        (Arc::clone(&hands), Time::new(hands))
    }

    #[test]
    fn it_is_the_date_as_long_as_that_goes_forward() {
        let (hands, time) = time();
        assert_eq!(time.date(), Duration::from_secs(100_000));
        hands.set(11, 100_000 + 7_200);
        assert_eq!(time.date(), Duration::from_secs(100_000) + 2 * HOUR, "set forward");
    }

    #[test]
    fn a_date_that_is_set_back_does_not_stop_it_nor_turn_it_back() {
        let (hands, time) = time();
        assert_eq!(time.now(), 100_000_000_000);
        hands.set(11, 100_001 - 3_600);
        assert_eq!(time.now(), 100_001_000_000, "it goes on at the monotonic pace");
        hands.set(12, 100_002);
        assert_eq!(time.now(), 100_002_000_000, "and is the date again when that has caught up");
    }

    #[test]
    fn it_begins_where_another_process_was() {
        let (hands, time) = time();
        time.at_least(200_000_000_000);
        hands.set(13, 100_003);
        assert_eq!(time.now(), 200_003_000_000);
        time.at_least(5);
        assert_eq!(time.now(), 200_003_000_000);
    }

    #[test]
    fn far_readings_do_not_wrap() {
        assert_eq!(micros(Duration::MAX), i64::MAX / 2);
    }
}
