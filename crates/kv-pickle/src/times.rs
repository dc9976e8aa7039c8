//! Python's dates, times and durations as ISO 8601 texts.
//!
//! The states are those that `datetime.datetime.__reduce_ex__` and its siblings give to pickle.

/// Microseconds a second.
const SECOND: i128 = 1_000_000;
const DAY: i128 = 86_400 * SECOND;

/// Set in a byte of the state where the clock shows a time for the second time. `isoformat`
/// does not tell it either.
const FOLD: u8 = 0x80;

pub(crate) fn date_time(state: &[u8], offset: Option<i128>) -> Option<String> {
    let (&[year, of_century, month, day], clock) = state.split_first_chunk()?;
    let date = date(&[year, of_century, month & !FOLD, day])?;
    Some(format!("{date}T{}{}", time_of_day(clock)?, suffix(offset)))
}

pub(crate) fn date(state: &[u8]) -> Option<String> {
    let &[high, low, month, day] = state else { return None };
    let year = u16::from_be_bytes([high, low]);
    let sane = (1..=9_999).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
    sane.then(|| format!("{year:04}-{month:02}-{day:02}"))
}

pub(crate) fn time(state: &[u8], offset: Option<i128>) -> Option<String> {
    let (&hour, rest) = state.split_first()?;
    let clock = time_of_day(&[&[hour & !FOLD], rest].concat())?;
    Some(format!("{clock}{}", suffix(offset)))
}

fn time_of_day(state: &[u8]) -> Option<String> {
    let &[hour, minute, second, high, middle, low] = state else { return None };
    let microsecond = u32::from_be_bytes([0, high, middle, low]);
    let sane = hour < 24 && minute < 60 && second < 60 && microsecond < 1_000_000;
    let fraction = fraction(microsecond.into());
    sane.then(|| format!("{hour:02}:{minute:02}:{second:02}{fraction}"))
}

/// The microseconds of a `timedelta`.
pub(crate) fn duration(days: i128, seconds: i128, microseconds: i128) -> Option<i128> {
    let small = |number: i128| i64::try_from(number).ok().map(i128::from);
    Some(small(days)? * DAY + small(seconds)? * SECOND + small(microseconds)?)
}

/// A `timedelta` as the offset of a `timezone`, if it can be one.
pub(crate) fn offset(microseconds: i128) -> Option<i128> {
    (-DAY < microseconds && microseconds < DAY).then_some(microseconds)
}

pub(crate) fn duration_text(microseconds: i128) -> String {
    let (sign, whole) = (if microseconds < 0 { "-" } else { "" }, microseconds.abs());
    let (days, rest) = (whole / DAY, whole % DAY);
    let date = if days > 0 { format!("{days}D") } else { String::new() };
    let clock = if rest > 0 || days == 0 {
        format!("T{}{}S", rest / SECOND, fraction(rest % SECOND))
    } else {
        String::new()
    };
    format!("{sign}P{date}{clock}")
}

/// As `isoformat` writes it: seconds only where there are any.
pub(crate) fn offset_text(microseconds: i128) -> String {
    let (sign, whole) = (if microseconds < 0 { '-' } else { '+' }, microseconds.abs());
    let seconds = whole / SECOND;
    let text = format!("{sign}{:02}:{:02}", seconds / 3_600, seconds / 60 % 60);
    if whole % (60 * SECOND) == 0 {
        return text;
    }
    format!("{text}:{:02}{}", seconds % 60, fraction(whole % SECOND))
}

fn suffix(offset: Option<i128>) -> String {
    offset.map(offset_text).unwrap_or_default()
}

fn fraction(microseconds: i128) -> String {
    if microseconds == 0 { String::new() } else { format!(".{microseconds:06}") }
}
