//! Figures in little room: numbers, rates, times, and a line of bars.

use std::time::Duration;

use crate::output::printable;

/// The most characters of a stored text that are looked at; more than any terminal is wide.
const MOST: usize = 500;

/// From a century on nobody waits for the end.
pub(super) const ENDLESS: Duration = Duration::from_secs(36_500 * 86_400);

const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The first line of a stored text, without anything that could move the cursor.
pub(super) fn text(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    printable(&line.chars().take(MOST).collect::<String>())
}

/// In seven characters at most.
pub(super) fn number(number: u64) -> String {
    if number < 10_000_000 {
        return number.to_string();
    }
    let (mut left, mut shown) = (number / 1_000, "k");
    for unit in ["M", "G", "T", "P"] {
        if left < 1_000_000 {
            break;
        }
        (left, shown) = (left / 1_000, unit);
    }
    format!("{left}{shown}")
}

/// A dash where two counts are not there yet.
pub(super) fn rate(rate: Option<f64>) -> String {
    match rate {
        None => "-".to_owned(),
        Some(rate) if rate < 10.0 => format!("{rate:.1}"),
        Some(rate) => number(whole(rate)),
    }
}

/// In seven characters at most, such as `3m20s`.
pub(super) fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m{:02}s", seconds % 60),
        (0, ..) => format!("{hours}h{minutes:02}m"),
        (1..1_000, ..) => format!("{days}d{hours:02}h"),
        (1_000..36_500, ..) => format!("{days}d"),
        _ => "no end".to_owned(),
    }
}

/// The latest points as bars, from 0 to the highest of them.
pub(super) fn bars(points: &[f64], width: usize) -> String {
    let points = points.get(points.len().saturating_sub(width)..).unwrap_or(points);
    let most = points.iter().copied().fold(0.0, f64::max);
    let bar = |point: &f64| match most > 0.0 {
        true => BARS.get(usize::try_from(whole(point / most * 7.0)).unwrap_or_default()),
        false => None,
    };
    points.iter().map(|point| bar(point).unwrap_or(&BARS[0])).collect()
}

/// Rounded; what is no number is 0.
fn whole(number: f64) -> u64 {
    format!("{number:.0}").parse().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_rates_and_times_fit_their_column() {
        let numbers = [0, 9_999_999, 10_000_000, 1_234_567_890, u64::MAX].map(number);
        assert_eq!(numbers, ["0", "9999999", "10000k", "1234M", "18446P"].map(str::to_owned));
        let rates = [None, Some(0.25), Some(9.96), Some(1_234.5), Some(f64::NAN)].map(rate);
        assert_eq!(rates, ["-", "0.2", "10.0", "1234", "0"].map(str::to_owned));
        let spans = [0, 59, 200, 7_260, 90_000, 86_400_000, ENDLESS.as_secs()];
        let spans = spans.map(|seconds| span(Duration::from_secs(seconds)));
        assert_eq!(spans, ["0s", "59s", "3m20s", "2h01m", "1d01h", "1000d", "no end"]);
    }

    #[test]
    fn bars_show_the_latest_points_from_zero_to_the_highest() {
        assert_eq!(bars(&[9.0, 0.0, 5.0, 10.0], 3), "▁▅█");
        assert_eq!(bars(&[0.0, 0.0], 5), "▁▁");
        assert_eq!((bars(&[], 5), bars(&[1.0], 0)), (String::new(), String::new()));
        assert_eq!(bars(&[f64::NAN, -1.0, f64::INFINITY], 3).chars().count(), 3);
    }

    #[test]
    fn a_text_is_one_line_of_bounded_length() {
        assert_eq!(text("a\u{1b}[2Jb\nc"), r"a\u{1b}[2Jb");
        assert_eq!(text(&"漢".repeat(100_000)).chars().count(), MOST);
    }
}
