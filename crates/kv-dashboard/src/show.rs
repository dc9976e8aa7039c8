//! Numbers, times, payloads and lines as people read them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use kv_core::Serializer;
use maud::{Markup, html};
use serde_json::Value;

/// The most of a payload, a value or a text that is shown, in bytes.
pub(crate) const MOST_SHOWN: usize = 16 << 10;

/// The width and height of a line in its own units.
const LINE: (f64, f64) = (120.0, 24.0);

/// A number with its thousands apart.
pub(crate) fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut shown = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.char_indices() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// Jobs a second; a dash where two counts are not there yet.
pub(crate) fn rate(per_second: Option<f64>) -> String {
    match per_second {
        None => "–".to_owned(),
        Some(rate) if rate >= 100.0 => format!("{rate:.0}/s"),
        Some(rate) => format!("{rate:.1}/s"),
    }
}

/// A time such as `3 min 20 s`.
pub(crate) fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (0, ..) => format!("{hours} h {minutes} min"),
        (1..36_500, ..) => format!("{days} d {hours} h"),
        _ => "no end".to_owned(),
    }
}

/// How long the oldest job has waited; a dash where none waits or none is of known age.
pub(crate) fn waited(age: Option<Duration>) -> String {
    age.map_or_else(|| "–".to_owned(), span)
}

/// A date such as `2026-11-30 18:52:27 UTC`, from the time since 1970-01-01T00:00:00Z.
pub(crate) fn date(since: Duration) -> String {
    let seconds = since.as_secs();
    let (year, month, day) = civil(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

/// The same of the system's type.
pub(crate) fn since_1970(date: SystemTime) -> Duration {
    date.duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Year, month and day of a number of days since 1970-01-01, in the calendar of 400 years that begin
/// with a March.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

/// A text that is cut where it is too long to be shown.
pub(crate) fn cut(text: &str) -> Markup {
    let end = text.floor_char_boundary(MOST_SHOWN);
    let (shown, left) = text.split_at(end);
    html! {
        (shown)
        @if !left.is_empty() { " " em { "… and " (number(left.len() as u64)) " bytes more" } }
    }
}

/// Stored bytes as far as the serializer reads them.
pub(crate) fn decoded(serializer: &Serializer, stored: &[u8]) -> Markup {
    match serializer.decode::<Value>(stored) {
        Ok(value) => json(&value),
        Err(_) => html! {
            em { (number(stored.len() as u64)) " bytes that do not decode as " (serializer.name()) ": " }
            (cut(&String::from_utf8_lossy(stored.get(..MOST_SHOWN).unwrap_or(stored))))
        },
    }
}

pub(crate) fn json(value: &Value) -> Markup {
    html! { pre { (cut(&format!("{value:#}"))) } }
}

/// A line of figures, the latest at the right; nothing where there are fewer than two.
pub(crate) fn line(figures: &[f64], label: &str) -> Markup {
    let (width, height) = LINE;
    let most = figures.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    let step = width / as_f64(figures.len().saturating_sub(1).max(1));
    let place = |(place, figure): (usize, &f64)| {
        format!(
            "{:.1},{:.1}",
            as_f64(place) * step,
            (height - 1.0) - figure / most * (height - 2.0)
        )
    };
    let points: Vec<_> = figures.iter().enumerate().map(place).collect();
    html! {
        @if points.len() > 1 {
            svg class="line" viewBox={ "0 0 " (width) " " (height) } preserveAspectRatio="none"
                role="img" aria-label=(label) {
                title { (label) }
                polyline points=(points.join(" ")) {}
            }
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "at most a few hundred")]
fn as_f64(number: usize) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_that_of_the_calendar() {
        for (seconds, expected) in [
            (0, "1970-01-01 00:00:00 UTC"),
            (951_782_400, "2000-02-29 00:00:00 UTC"),
            (1_796_064_747, "2026-11-30 18:52:27 UTC"),
            (4_107_542_399, "2100-02-28 23:59:59 UTC"),
            (4_107_542_400, "2100-03-01 00:00:00 UTC"),
        ] {
            assert_eq!(date(Duration::from_secs(seconds)), expected);
        }
        assert!(!date(Duration::MAX).is_empty());
    }

    #[test]
    fn numbers_and_times_are_read_at_a_glance() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(number), ["0", "999", "1,000", "1,234,567"]);
        let spans = [5, 200, 7_260, 90_000].map(|seconds| span(Duration::from_secs(seconds)));
        assert_eq!(spans, ["5 s", "3 min 20 s", "2 h 1 min", "1 d 1 h"]);
        assert_eq!(span(Duration::MAX), "no end");
        assert_eq!((rate(None).as_str(), rate(Some(0.25)).as_str()), ("–", "0.2/s"));
    }

    #[test]
    fn what_is_too_long_is_cut_at_a_character_and_says_so() {
        let long = "ä".repeat(MOST_SHOWN);
        let shown = cut(&long).into_string();
        assert!(
            shown.len() < MOST_SHOWN + 100 && shown.contains("16,384 bytes more"),
            "{}",
            shown.len()
        );
        let bytes = decoded(&Serializer::Json, &vec![b'<'; 1 << 20]).into_string();
        assert!(bytes.contains("1,048,576 bytes that do not decode") && !bytes.contains("<<"));
    }

    #[test]
    fn a_line_stays_in_its_box() {
        let line = line(&[0.0, 5.0, 10.0], "jobs").into_string();
        assert!(line.contains(r#"points="0.0,23.0 60.0,12.0 120.0,1.0""#), "{line}");
        assert_eq!(super::line(&[1.0], "jobs").into_string(), "");
    }
}
