//! Test data as short texts: what a failure shows of values, versions and answers.
//!
//! `Debug` of the contract's types hides values, since those of a program are nobody's business.
//! Here they are the suite's own.

use std::fmt::Debug;

use kv_core::{
    Bytes, Command, Condition, Entry, Error, ErrorKind, Lifetime, Outcome, Remaining, Reply,
    Version,
};

/// How many bytes of a value are shown, and how many items of a list.
const BYTES: usize = 32;
const ITEMS: usize = 4;

/// A short text that tells two values apart.
pub(crate) trait Show {
    fn show(&self) -> String;

    /// What it is called when there is none.
    fn none() -> &'static str {
        "none"
    }
}

/// The first bytes as text with escapes, and how many there are.
pub(crate) fn bytes(bytes: &[u8]) -> String {
    match bytes.get(..BYTES) {
        Some(first) if bytes.len() > BYTES => {
            format!("\"{}…\" of {} bytes", first.escape_ascii(), bytes.len())
        }
        _ => format!("\"{}\"", bytes.escape_ascii()),
    }
}

/// The first items, and how many there are.
pub(crate) fn list<T>(items: &[T], show: impl Fn(&T) -> String) -> String {
    let shown: Vec<String> = items.iter().take(ITEMS).map(show).collect();
    let more = items.len().saturating_sub(ITEMS);
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("[{}{rest}]", shown.join(", "))
}

impl Show for Bytes {
    fn show(&self) -> String {
        bytes(self)
    }
}

impl Show for Version {
    fn show(&self) -> String {
        match (self.as_number(), self.as_value()) {
            (Some(number), _) => format!("version {number}"),
            (None, Some(value)) => format!("the version of {}", value.show()),
            (None, None) => format!("{self:?}"),
        }
    }
}

impl Show for Entry {
    fn show(&self) -> String {
        format!("{}, {}", self.value.show(), self.version.show())
    }
}

impl Show for Outcome {
    fn show(&self) -> String {
        match self {
            Self::Written(version) => format!("written as {}", version.show()),
            Self::ConditionFailed => "condition failed".to_owned(),
        }
    }
}

impl Show for Condition {
    fn show(&self) -> String {
        match self {
            Self::Version(version) => version.show(),
            Self::Always | Self::Absent | Self::Present => format!("{self:?}"),
        }
    }
}

impl Show for Lifetime {
    fn show(&self) -> String {
        match self {
            Self::In(duration) => format!("{duration:?}"),
            Self::Never | Self::Keep => format!("{self:?}"),
        }
    }
}

impl Show for Remaining {
    fn show(&self) -> String {
        match self {
            Self::Expires(left) => format!("{left:?} left"),
            Self::Forever => "for ever".to_owned(),
        }
    }

    fn none() -> &'static str {
        "no key"
    }
}

impl Show for ErrorKind {
    fn show(&self) -> String {
        format!("an error of kind {self:?}")
    }

    fn none() -> &'static str {
        "no error"
    }
}

impl Show for Error {
    fn show(&self) -> String {
        format!("{}: {self}", self.kind().show())
    }

    fn none() -> &'static str {
        "no error"
    }
}

impl Show for Reply {
    fn show(&self) -> String {
        match self {
            Self::Entry(entry) => entry.show(),
            Self::Outcome(outcome) => outcome.show(),
            Self::Remaining(left) => left.show(),
            Self::Flag(flag) => flag.to_string(),
            Self::Number(number) => number.to_string(),
            other => format!("{other:?}"),
        }
    }
}

impl Show for Command {
    fn show(&self) -> String {
        let (name, key) = (self.name(), bytes(self.key().as_bytes()));
        match self {
            Self::Set { value, write, .. } => {
                let (lifetime, condition) = (write.lifetime.show(), write.condition.show());
                format!("{name} {key} = {} ({lifetime}, {condition})", value.show())
            }
            Self::Delete { condition, .. } => format!("{name} {key} ({})", condition.show()),
            Self::Touch { lifetime, .. } => format!("{name} {key} ({})", lifetime.show()),
            Self::Increment { by, lifetime, .. } => {
                format!("{name} {key} by {by} ({})", lifetime.show())
            }
            _ => format!("{name} {key}"),
        }
    }
}

impl Show for () {
    fn show(&self) -> String {
        "done".to_owned()
    }
}

macro_rules! show_by_debug {
    ($($plain:ty)*) => {$(
        impl Show for $plain {
            fn show(&self) -> String {
                format!("{self:?}")
            }
        }
    )*};
}

show_by_debug! { bool i8 i16 i32 i64 u8 u16 u32 u64 usize std::time::Duration }

impl Show for &str {
    fn show(&self) -> String {
        bytes(self.as_bytes())
    }
}

impl Show for String {
    fn show(&self) -> String {
        bytes(self.as_bytes())
    }
}

impl<T: Show> Show for Option<T> {
    fn show(&self) -> String {
        self.as_ref().map_or_else(|| T::none().to_owned(), Show::show)
    }
}

impl<T: Show, E: Show> Show for Result<T, E> {
    fn show(&self) -> String {
        self.as_ref().map_or_else(Show::show, Show::show)
    }
}

impl<T: Show> Show for Vec<T> {
    fn show(&self) -> String {
        list(self, Show::show)
    }
}

impl<T: Show, const N: usize> Show for [T; N] {
    fn show(&self) -> String {
        list(self, Show::show)
    }
}

/// Anything: by [`Show`] where that is known, and else by `Debug`. The first method that fits a
/// `&Shown` is [`ByShow`]'s; only where there is none, the second is looked for.
pub(crate) struct Shown<'a, T: ?Sized>(pub(crate) &'a T);

pub(crate) trait ByShow {
    fn text(&self) -> String;
}

impl<T: Show> ByShow for Shown<'_, T> {
    fn text(&self) -> String {
        self.0.show()
    }
}

pub(crate) trait ByDebug {
    fn text(&self) -> String;
}

impl<T: Debug + ?Sized> ByDebug for &Shown<'_, T> {
    fn text(&self) -> String {
        format!("{:?}", self.0)
    }
}

/// Both, for a macro that does not know which it needs.
pub(crate) mod by {
    pub(crate) use super::{ByDebug, ByShow};
}

/// A text of at most about so many bytes.
pub(crate) fn cut(mut text: String, most: usize) -> String {
    let all = text.len();
    if all > most {
        let end = (0..=most).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
        text.push_str(&format!("… ({all} bytes)"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(value: &'static [u8], version: u64) -> Option<Entry> {
        Some(Entry { value: Bytes::from_static(value), version: Version::from_number(version) })
    }

    #[test]
    fn what_differs_looks_different() {
        assert_ne!(entry(b"abc", 1).show(), entry(b"abd", 1).show());
        assert_ne!(entry(b"abc", 1).show(), entry(b"abc", 2).show());
        assert_ne!(entry(b"", 1).show(), None::<Entry>.show());
        assert_ne!(bytes(&[b'a'; 1_000]), bytes(&[b'a'; 1_001]));
        let (one, other) = (Version::of_value("a".into()), Version::of_value("b".into()));
        assert_ne!(one.show(), other.show());
    }

    #[test]
    fn bytes_of_any_kind_are_short_and_can_be_printed() {
        assert_eq!(bytes(b"a\"\n\xff\0"), r#""a\"\n\xff\x00""#);
        assert_eq!(bytes(&[0; 1 << 20]).len(), 32 * 4 + 2 + "…".len() + " of 1048576 bytes".len());
    }

    #[test]
    fn no_error_is_called_so() {
        assert_eq!(None::<ErrorKind>.show(), "no error");
        assert_eq!(Some(ErrorKind::Closed).show(), "an error of kind Closed");
    }

    #[test]
    fn a_cut_text_tells_how_long_it_was() {
        assert_eq!(cut("äöü".to_owned(), 3), "ä… (6 bytes)");
        assert_eq!(cut("äöü".to_owned(), 6), "äöü");
    }
}
