//! Cron expressions in a time zone.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use jiff::tz::{AmbiguousOffset, TimeZone};
use kv_core::{Error, ErrorKind, Result};

/// The longest expression in bytes.
const MAX_EXPRESSION: usize = 256;

/// The longest name of a time zone in bytes.
const MAX_ZONE: usize = 64;

/// How many times of a clock are tried until one is a later moment: more than the seconds of an hour
/// that comes twice.
const MOST_TIMES: usize = 10_000;

/// How many changes of a clock are passed until a time is found: more than five hundred years.
const MOST_CHANGES: usize = 1_024;

/// The times of a cron expression, by the clocks of a time zone.
///
/// The expression has five fields: minute, hour, day of the month, month, day of the week (0 and 7
/// are Sunday). A sixth field in front is the second. If both days are restricted, either matches.
/// `@hourly`, `@daily`, `@weekly`, `@monthly` and `@yearly` are known, and names of days and months,
/// `L`, `W` and `#` too.
///
/// When clocks change, times are those of Vixie cron:
/// - An expression whose minute or hour begins with `*` names times of the clock: it has none in the
///   hour that clocks skip, and comes twice in the hour that comes twice.
/// - Any other expression names times of the day: one in the hour that clocks skip comes at the end
///   of that hour, and one in the hour that comes twice comes the first time only. Several times in
///   the skipped hour come once, together.
///
/// ```
/// use kv_queue::Cron;
/// use std::time::{Duration, UNIX_EPOCH};
///
/// let cron = Cron::new("30 2 * * *", "Europe/London")?;
/// let midnight = UNIX_EPOCH + Duration::from_secs(1_798_761_600);
/// let half_past_two = midnight + Duration::from_secs(2 * 3_600 + 1_800);
/// assert_eq!(cron.next_after(midnight), Some(half_past_two));
/// assert!(Cron::new("61 2 * * *", "Europe/London").is_err());
/// assert!(Cron::new("30 2 * * *", "Europe/Atlantis").is_err());
/// # Ok::<(), kv_core::Error>(())
/// ```
#[derive(Clone)]
pub struct Cron {
    expression: String,
    zone: String,
    pattern: Box<croner::Cron>,
    time_zone: TimeZone,
    /// Whether the expression names times of the clock, not of the day.
    is_wildcard: bool,
}

impl Cron {
    /// An expression, and the IANA name of a time zone, such as `Europe/London` or `UTC`.
    ///
    /// # Errors
    /// `Config` if the expression is longer than 256 bytes, malformed, or never true; or if the zone
    /// is unknown.
    pub fn new(expression: &str, zone: &str) -> Result<Self> {
        for (what, text, most) in
            [("cron expression", expression, MAX_EXPRESSION), ("time zone", zone, MAX_ZONE)]
        {
            if text.len() > most {
                let bytes = text.len();
                return Err(wrong(format!("a {what} of {bytes} bytes; expected at most {most}")));
            }
        }
        let pattern = croner::Cron::from_str(expression).map_err(|error| {
            wrong(format!(
                "`{expression}` is no cron expression; expected one such as `30 2 * * *`"
            ))
            .because(error)
        })?;
        let time_zone = TimeZone::get(zone).map_err(|error| {
            wrong(format!("`{zone}` is no time zone; expected one such as `Europe/London`"))
                .because(error)
        })?;
        let cron = Self {
            expression: expression.trim().to_owned(),
            zone: zone.to_owned(),
            pattern: Box::new(pattern),
            time_zone,
            is_wildcard: is_wildcard(expression),
        };
        // Days of the week and leap years repeat after 28 years.
        if cron.next(Timestamp::UNIX_EPOCH).is_none() {
            return Err(wrong(format!("the cron expression `{expression}` is never true")));
        }
        Ok(cron)
    }

    /// The expression.
    pub fn expression(&self) -> &str {
        &self.expression
    }

    /// The name of the time zone.
    pub fn zone(&self) -> &str {
        &self.zone
    }

    /// The first time after a date; `None` if there is none that can be told.
    pub fn next_after(&self, date: SystemTime) -> Option<SystemTime> {
        let after = date.duration_since(UNIX_EPOCH).unwrap_or_default();
        self.next_since_epoch(after).map(|next| UNIX_EPOCH + next)
    }

    /// The same, in times since 1970-01-01T00:00:00Z.
    pub(super) fn next_since_epoch(&self, after: Duration) -> Option<Duration> {
        // Times are whole seconds, so the fraction does not matter.
        let after = Timestamp::from_second(i64::try_from(after.as_secs()).ok()?).ok()?;
        let next = self.next(after)?.as_second();
        u64::try_from(next).ok().map(Duration::from_secs)
    }

    fn next(&self, after: Timestamp) -> Option<Timestamp> {
        if self.is_wildcard { self.next_of_clock(after) } else { self.next_of_day(after) }
    }

    /// The next moment at which clocks show a matching time: before each change of the clocks with
    /// one offset from UTC, and from the change on with the next.
    fn next_of_clock(&self, after: Timestamp) -> Option<Timestamp> {
        let (mut from, mut is_inclusive) = (after, false);
        for _ in 0..MOST_CHANGES {
            let offset = self.time_zone.to_offset(from);
            let shown = offset.to_datetime(from);
            let found = self.pattern.find_next_occurrence(&shown, is_inclusive).ok()?;
            let found = offset.to_timestamp(found).ok()?;
            let change = self.time_zone.following(from).next().map(|change| change.timestamp());
            match change {
                Some(change) if change <= found => (from, is_inclusive) = (change, true),
                _ => return Some(found),
            }
        }
        None
    }

    /// The next moment that stands for a matching time of a day.
    fn next_of_day(&self, after: Timestamp) -> Option<Timestamp> {
        let mut time = self.time_zone.to_datetime(after);
        for _ in 0..MOST_TIMES {
            time = self.pattern.find_next_occurrence(&time, false).ok()?;
            let moment = match self.time_zone.to_ambiguous_timestamp(time).offset() {
                AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(time).ok()?,
                AmbiguousOffset::Fold { before, .. } => before.to_timestamp(time).ok()?,
                AmbiguousOffset::Gap { before, .. } => {
                    // By the old offset, the time is after the change.
                    let later = before.to_timestamp(time).ok()?;
                    let later = later.checked_add(jiff::SignedDuration::from_secs(1)).ok()?;
                    self.time_zone.preceding(later).next()?.timestamp()
                }
            };
            if moment > after {
                return Some(moment);
            }
        }
        None
    }
}

impl PartialEq for Cron {
    fn eq(&self, other: &Self) -> bool {
        (&self.expression, &self.zone) == (&other.expression, &other.zone)
    }
}

impl Eq for Cron {}

impl fmt::Debug for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cron({self})")
    }
}

impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.expression, self.zone)
    }
}

/// Whether the minute or the hour of an expression begins with `*`, as Vixie cron asks.
fn is_wildcard(expression: &str) -> bool {
    let expression = expression.trim();
    if expression.starts_with('@') {
        return expression.eq_ignore_ascii_case("@hourly");
    }
    let fields: Vec<_> = expression.split_whitespace().collect();
    // With a sixth field the first one is the second.
    let seconds = usize::from(fields.len() > 5);
    let begins = |field: &&str| field.starts_with(['*', '?']);
    fields.iter().skip(seconds).take(2).any(begins)
}

fn wrong(message: String) -> Error {
    Error::new(ErrorKind::Config, message)
}

#[cfg(test)]
mod tests;
