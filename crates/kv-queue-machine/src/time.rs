//! Stamps: whole microseconds below 2^53.

use std::time::Duration;

use kv_core::MAX_LIFETIME;
use kv_core::queue::MAX_STAMP;

/// A clock's reading as a stamp, rounded down.
pub(crate) fn stamp(reading: Duration) -> u64 {
    u64::try_from(reading.as_micros()).map_or(MAX_STAMP, |micros| micros.min(MAX_STAMP))
}

/// The stamp this long after another one.
pub(crate) fn after(start: u64, wait: Duration) -> u64 {
    start.saturating_add(micros(wait)).min(MAX_STAMP)
}

/// The stamp this long before another one; `None` before 1970.
pub(crate) fn before(end: u64, wait: Duration) -> Option<u64> {
    end.checked_sub(micros(wait))
}

/// A duration in whole microseconds, rounded up and clamped.
pub(crate) fn micros(wait: Duration) -> u64 {
    let micros = wait.min(MAX_LIFETIME).as_nanos().div_ceil(1_000);
    u64::try_from(micros).unwrap_or(MAX_STAMP)
}

/// How long from one stamp to another, zero if it is past.
pub(crate) const fn until(now: u64, due: u64) -> Duration {
    Duration::from_micros(due.saturating_sub(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_rounded_up_and_clamped() {
        assert_eq!(after(10, Duration::from_nanos(1)), 11);
        assert_eq!(after(10, Duration::ZERO), 10);
        assert_eq!(after(1_700_000_000_000_000, Duration::MAX), MAX_STAMP);
        assert_eq!(after(0, Duration::MAX), 9_000_000_000_000_000);
    }

    #[test]
    fn a_reading_is_rounded_down_and_clamped() {
        assert_eq!(stamp(Duration::from_nanos(1_999)), 1);
        assert_eq!(stamp(Duration::MAX), MAX_STAMP);
        assert_eq!(until(5, 3), Duration::ZERO);
    }
}
