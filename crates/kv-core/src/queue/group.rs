//! Groups of jobs: what a group may do, and what an engine tells of one.
//!
//! A job may name a group. Groups take turns within a priority, and jobs without a group take turns
//! as one group among the others. A limit belongs to a group; jobs without a group have none.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Error, ErrorKind, MAX_LIFETIME, Result};

/// The longest name of a group in bytes.
pub const MAX_GROUP_BYTES: usize = 256;

/// The largest weight of a group.
pub const MAX_GROUP_WEIGHT: u32 = 1_000;

/// What a group may do: jobs at a time, starts per time, and its share of the turns.
///
/// A new limit allows everything, with weight 1. A start is a claim: a claim that is released
/// counts too.
///
/// ```
/// use std::time::Duration;
/// use kv_core::queue::GroupLimit;
/// let polite = GroupLimit::new().concurrency(2).rate(5, Duration::from_secs(1));
/// assert!(polite.check().is_ok());
/// assert_eq!(polite.interval(), Some(Duration::from_millis(200)));
/// assert!(GroupLimit::new().concurrency(0).check().is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupLimit {
    concurrency: Option<u32>,
    rate: Option<(u32, Duration)>,
    burst: u32,
    weight: u32,
}

impl Default for GroupLimit {
    fn default() -> Self {
        Self::new()
    }
}

impl GroupLimit {
    /// Allows everything, with weight 1.
    pub const fn new() -> Self {
        Self { concurrency: None, rate: None, burst: 1, weight: 1 }
    }

    /// At most this many jobs of the group have a lease at a time; at least 1.
    #[must_use]
    pub const fn concurrency(self, jobs: u32) -> Self {
        Self { concurrency: Some(jobs), ..self }
    }

    /// At most this many starts in this time, evenly spaced: `rate(5, second)` is a start every
    /// 200 ms. Both are at least 1, the time in microseconds.
    #[must_use]
    pub const fn rate(self, starts: u32, per: Duration) -> Self {
        Self { rate: Some((starts, per)), ..self }
    }

    /// How many starts may come at once after a pause; 1, the default, spaces all of them evenly.
    /// With a burst of `b`, the time of a [`rate`](Self::rate) has at most `b - 1` starts more.
    #[must_use]
    pub const fn burst(self, starts: u32) -> Self {
        Self { burst: starts, ..self }
    }

    /// How many jobs the group starts in one turn, if other limits allow: 1 by default, at most
    /// [`MAX_GROUP_WEIGHT`].
    #[must_use]
    pub const fn weight(self, weight: u32) -> Self {
        Self { weight, ..self }
    }

    /// Checks the numbers.
    ///
    /// # Errors
    /// `Config`; the message names the number and what was expected.
    pub fn check(&self) -> Result<()> {
        let wrong = |what: String| Err(Error::new(ErrorKind::Config, what));
        if self.concurrency == Some(0) {
            return wrong("a group's concurrency of 0; expected at least 1".to_owned());
        }
        if let Some((starts, per)) = self.rate
            && (starts == 0 || per.is_zero())
        {
            let message = format!("a group's rate of {starts} in {per:?}; expected more than none");
            return wrong(message);
        }
        if self.burst == 0 {
            return wrong("a group's burst of 0; expected at least 1".to_owned());
        }
        if !(1..=MAX_GROUP_WEIGHT).contains(&self.weight) {
            let message = format!("a weight of {}; expected 1 to {MAX_GROUP_WEIGHT}", self.weight);
            return wrong(message);
        }
        Ok(())
    }

    /// How many jobs may have a lease at a time; `None` for any number.
    pub fn max_running(&self) -> Option<u32> {
        self.concurrency.map(|jobs| jobs.max(1))
    }

    /// The time between two starts, rounded up to a microsecond; `None` without a rate.
    pub fn interval(&self) -> Option<Duration> {
        let (starts, per) = self.rate?;
        let micros = per.min(MAX_LIFETIME).as_nanos().div_ceil(1_000);
        let interval = micros.div_ceil(u128::from(starts.max(1))).max(1);
        Some(Duration::from_micros(u64::try_from(interval).unwrap_or(u64::MAX)))
    }

    /// How much earlier than evenly spaced a start may come; zero without a burst.
    pub fn tolerance(&self) -> Duration {
        let early = self.burst.max(1) - 1;
        let interval = self.interval().unwrap_or_default();
        interval.checked_mul(early).unwrap_or(MAX_LIFETIME).min(MAX_LIFETIME)
    }

    /// How many jobs one turn starts.
    pub fn turn(&self) -> u32 {
        self.weight.clamp(1, MAX_GROUP_WEIGHT)
    }
}

/// A group, as an engine sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupState {
    /// The group's name.
    pub name: String,
    /// Jobs that wait for a claim; delayed jobs are not counted.
    pub waiting: u64,
    /// Jobs that have a lease.
    pub running: u32,
    /// What keeps the group from a start now; `None` if it may start a job.
    pub block: Option<GroupBlock>,
}

/// What keeps a group from a start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupBlock {
    /// As many jobs have a lease as the group may have at a time.
    Concurrency,
    /// The next start is this far away, by the group's rate.
    Rate(Duration),
    /// The group is paused for this long, by an operator or by
    /// [`Operation::Limited`](super::Operation::Limited).
    Paused(Duration),
}

/// Checks the name of a group.
///
/// # Errors
/// `InvalidKey` for an empty name or a control character; `TooLarge` for more than
/// [`MAX_GROUP_BYTES`].
pub fn check_group(name: &str) -> Result<()> {
    let invalid = |message: &'static str| Err(Error::new(ErrorKind::InvalidKey, message));
    if name.is_empty() {
        return invalid("an empty group name; expected at least one character");
    }
    if name.contains(|c: char| c.is_ascii_control()) {
        return invalid("a group name with a control character; expected none");
    }
    if name.len() > MAX_GROUP_BYTES {
        let bytes = name.len();
        let message = format!("a group name of {bytes} bytes; expected at most {MAX_GROUP_BYTES}");
        return Err(Error::new(ErrorKind::TooLarge, message));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn an_interval_is_rounded_up_so_that_a_rate_is_never_exceeded() {
        let third = GroupLimit::new().rate(3, SECOND);
        assert_eq!(third.interval(), Some(Duration::from_micros(333_334)));
        assert_eq!(third.tolerance(), Duration::ZERO);
        assert_eq!(third.burst(3).tolerance(), Duration::from_micros(666_668));
        assert_eq!(GroupLimit::new().rate(u32::MAX, SECOND).interval().unwrap().as_micros(), 1);
        assert_eq!(GroupLimit::new().rate(1, Duration::MAX).burst(9).tolerance(), MAX_LIFETIME);
    }

    #[test]
    fn each_number_that_means_nothing_is_refused() {
        let new = GroupLimit::new;
        for wrong in [
            new().concurrency(0),
            new().rate(0, SECOND),
            new().rate(1, Duration::ZERO),
            new().burst(0),
            new().weight(0),
            new().weight(MAX_GROUP_WEIGHT + 1),
        ] {
            assert_eq!(wrong.check().unwrap_err().kind(), ErrorKind::Config, "{wrong:?}");
        }
        new().concurrency(1).rate(1, SECOND).burst(2).weight(MAX_GROUP_WEIGHT).check().unwrap();
    }

    #[test]
    fn a_name_is_visible_and_short() {
        check_group("example.org").unwrap();
        check_group(&"g".repeat(MAX_GROUP_BYTES)).unwrap();
        for (name, kind) in [
            ("", ErrorKind::InvalidKey),
            ("a\nb", ErrorKind::InvalidKey),
            ("a\u{7f}", ErrorKind::InvalidKey),
            (&*"g".repeat(MAX_GROUP_BYTES + 1), ErrorKind::TooLarge),
        ] {
            assert_eq!(check_group(name).unwrap_err().kind(), kind);
        }
    }
}
