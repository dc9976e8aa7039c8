//! How often something may happen: the generic cell rate algorithm (GCRA), in whole microseconds.
//!
//! What is stored is one time: when, at the rate, everything that happened so far would have
//! happened. It runs ahead of the clock by one interval for each event, and may run ahead by as many
//! intervals as the burst allows.

use std::time::Duration;

use crate::{Bytes, Error, ErrorKind, Lifetime, Result};

/// The longest window in microseconds, about 142 years: no script or client rounds a sum of two.
const MOST_MICROS: u64 = 1 << 52;

/// How often something may happen, and how many times at once.
///
/// ```
/// use std::time::Duration;
/// use kv_core::Rate;
/// // 100 in a minute, at most 10 of them at once.
/// let rate = Rate::new(100, Duration::from_secs(60)).burst(10);
/// assert_eq!(rate.interval(), Duration::from_millis(600));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    times: u32,
    period: Duration,
    burst: u32,
}

/// The answer of a limiter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Decision {
    /// It may happen, and counts.
    Allowed {
        /// How many more may happen at once after it.
        remaining: u32,
    },
    /// It may not happen, and does not count.
    Limited {
        /// After this time it may, if nothing else happens meanwhile.
        retry_after: Duration,
    },
}

impl Decision {
    /// Whether it may happen.
    pub const fn is_allowed(&self) -> bool {
        matches!(self, Self::Allowed { .. })
    }

    /// How long to wait, or nothing if it may happen.
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Allowed { .. } => None,
            Self::Limited { retry_after } => Some(*retry_after),
        }
    }

    /// The decision as one number: how many more, or less than zero for the microseconds to wait.
    /// For backends that decide in a script.
    pub fn from_number(number: i64) -> Self {
        match u32::try_from(number) {
            Ok(remaining) => Self::Allowed { remaining },
            Err(_) if number > 0 => Self::Allowed { remaining: u32::MAX },
            Err(_) => Self::Limited { retry_after: Duration::from_micros(number.unsigned_abs()) },
        }
    }
}

impl Rate {
    /// So many times in a period, all of them at once if they come so.
    pub const fn new(times: u32, period: Duration) -> Self {
        Self { times, period, burst: times }
    }

    /// So many times in a second.
    pub const fn per_second(times: u32) -> Self {
        Self::new(times, Duration::from_secs(1))
    }

    /// At most so many at once.
    #[must_use]
    pub const fn burst(self, burst: u32) -> Self {
        Self { burst, ..self }
    }

    /// The time of one event at this rate, in whole microseconds, rounded up.
    pub fn interval(&self) -> Duration {
        Duration::from_micros(self.interval_micros().unwrap_or(0))
    }

    fn interval_micros(&self) -> Option<u64> {
        let micros = self.period.as_nanos().div_ceil(1_000).checked_div(u128::from(self.times))?;
        let is_whole = self.period.as_micros().is_multiple_of(u128::from(self.times));
        u64::try_from(micros + u128::from(!is_whole)).ok().filter(|micros| *micros > 0)
    }

    /// The rate for so many events at once, in microseconds.
    ///
    /// # Errors
    /// `Config` for a rate that allows nothing or whose burst takes longer than 142 years, and for
    /// more events at once than the burst.
    pub fn checked(&self, events: u32) -> Result<CheckedRate> {
        let refuse = |why: String| Err(Error::new(ErrorKind::Config, why));
        let Some(interval) = self.interval_micros() else {
            return refuse(
                "a rate of zero; expected at least one time in a period above zero".into(),
            );
        };
        let window = interval.checked_mul(u64::from(self.burst));
        let Some(window) = window.filter(|window| (1..=MOST_MICROS).contains(window)) else {
            let burst = self.burst;
            return refuse(format!("a burst of {burst}; expected 1 or more, in at most 142 years"));
        };
        if !(1..=self.burst).contains(&events) {
            return refuse(format!("{events} at once; expected 1 to the burst of {}", self.burst));
        }
        Ok(CheckedRate { interval, window, cost: interval * u64::from(events) })
    }
}

/// A [`Rate`] that was checked, for a number of events at once; all in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckedRate {
    /// The time of one event.
    pub interval: u64,
    /// How far the stored time may run ahead of the clock.
    pub window: u64,
    /// The time of these events.
    pub cost: u64,
}

impl CheckedRate {
    /// Decides by what a key holds and the store's time, for backends that answer
    /// [`Command::Limit`](crate::Command::Limit) in one step; what the key is to hold, and for how
    /// long, if the events count. Something else than a time counts as nothing.
    ///
    /// ```
    /// use std::time::Duration;
    /// use kv_core::{Decision, Rate};
    /// let (rate, now) = (Rate::per_second(2).checked(1)?, Duration::from_secs(9));
    /// let (decision, next) = rate.step(None, now);
    /// assert_eq!(decision, Decision::Allowed { remaining: 1 });
    /// let (value, _) = next.expect("it counts");
    /// let (decision, _) = rate.step(Some(&value), now);
    /// assert_eq!(decision, Decision::Allowed { remaining: 0 });
    /// # Ok::<(), kv_core::Error>(())
    /// ```
    pub fn step(
        &self,
        stored: Option<&[u8]>,
        now: Duration,
    ) -> (Decision, Option<(Bytes, Lifetime)>) {
        let now = u64::try_from(now.as_micros()).unwrap_or(u64::MAX);
        let stored = stored.and_then(|stored| std::str::from_utf8(stored).ok()?.parse().ok());
        let (decision, next) = self.decide(stored, now);
        let next = next.map(|next| {
            let lifetime = Lifetime::In(Duration::from_micros(next - now));
            (Bytes::from(next.to_string()), lifetime)
        });
        (decision, next)
    }

    /// Decides by the stored time and the time now; the new stored time, if the events count.
    ///
    /// A stored time farther ahead than the window comes from a clock that was set back since, and
    /// counts as the window.
    pub fn decide(&self, stored: Option<u64>, now: u64) -> (Decision, Option<u64>) {
        let full = now.saturating_add(self.window);
        let next = stored.unwrap_or(now).clamp(now, full).saturating_add(self.cost);
        if next > full {
            let retry_after = Duration::from_micros(next - full);
            return (Decision::Limited { retry_after }, None);
        }
        let remaining = (full - next).checked_div(self.interval).unwrap_or(0);
        let remaining = u32::try_from(remaining).unwrap_or(u32::MAX);
        (Decision::Allowed { remaining }, Some(next))
    }
}
