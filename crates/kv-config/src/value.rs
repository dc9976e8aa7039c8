//! From what a source gives to what a variable may hold.

use std::path::PathBuf;
use std::time::Duration;

use crate::problem::{either, quote};
use crate::variable::{Kind, Variable};

/// A value as a source gives it.
#[derive(Clone)]
pub(crate) enum Raw {
    /// Of an environment or a builder: the variable tells the type.
    Untyped(String),
    /// Of a builder.
    Duration(Duration),
    /// Of a file, as are all that follow.
    Text(String),
    Integer(i64),
    Float(f64),
    Flag(bool),
    List(Vec<String>),
    /// Something that no variable can hold, as in "a table".
    Other(&'static str),
    /// Not UTF-8.
    Unreadable,
}

/// A value that its variable can hold.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Text(String),
    Integer(u64),
    Seconds(Duration),
    Flag(bool),
    List(Vec<String>),
}

impl Raw {
    pub(crate) fn of_path(path: PathBuf) -> Self {
        path.into_os_string().into_string().map_or(Self::Unreadable, Self::Untyped)
    }

    /// An empty value counts as unset: compose files pass those.
    pub(crate) fn is_unset(&self) -> bool {
        match self {
            Self::Untyped(text) | Self::Text(text) => text.is_empty(),
            Self::List(items) => items.is_empty(),
            _ => false,
        }
    }

    pub(crate) fn description(&self) -> &'static str {
        match self {
            Self::Untyped(_) | Self::Text(_) => "text",
            Self::Duration(_) => "a duration",
            Self::Integer(_) => "an integer",
            Self::Float(_) => "a decimal number",
            Self::Flag(_) => "a truth value",
            Self::List(_) => "an array",
            Self::Other(what) => what,
            Self::Unreadable => "not UTF-8",
        }
    }
}

/// The value, or what is wrong with it, as in "is out of range".
pub(crate) fn parse(variable: &Variable, raw: &Raw) -> Result<Value, String> {
    let value = match (&variable.kind, raw) {
        (Kind::Text | Kind::Secret | Kind::Path, Raw::Untyped(text) | Raw::Text(text)) => {
            Value::Text(text.clone())
        }
        (Kind::Integer { min, max }, Raw::Untyped(text)) => {
            Value::Integer(within(whole(text)?, min, max, text)?)
        }
        (Kind::Integer { min, max }, Raw::Integer(number)) => {
            let shown = number.to_string();
            let number = u64::try_from(*number).map_err(|_| out_of_range(&shown))?;
            Value::Integer(within(number, min, max, &shown)?)
        }
        (Kind::Seconds { .. }, raw) => seconds(&variable.kind, raw)?,
        (Kind::Flag, Raw::Untyped(text)) => Value::Flag(flag(text)?),
        (Kind::Flag, Raw::Flag(flag)) => Value::Flag(*flag),
        (Kind::Choice(words), Raw::Untyped(text) | Raw::Text(text)) => {
            Value::Text(choice(text, words)?)
        }
        (Kind::List, Raw::Untyped(text)) => Value::List(items(text)),
        (Kind::List, Raw::List(items)) => Value::List(items.clone()),
        (_, raw) => return Err(format!("is {}", raw.description())),
    };
    checked(variable, value)
}

/// What the variable expects, for an error and for the reference.
pub(crate) fn expected(variable: &Variable) -> String {
    match (&variable.kind, variable.check) {
        (_, Some(check)) => check.expected.into(),
        (Kind::Text | Kind::Secret, None) => "text".into(),
        (Kind::Path, None) => "a path".into(),
        (Kind::Integer { min, max }, None) => format!("an integer from {min} to {max}"),
        (Kind::Seconds { min, max, whole: true }, None) => {
            format!("whole seconds from {} to {}", min.as_secs().max(1), max.as_secs())
        }
        (Kind::Seconds { min, max, whole: false }, None) => {
            let (min, max) = (min.as_secs_f64(), max.as_secs_f64());
            format!("seconds, also decimal, from {min} to {max}")
        }
        (Kind::Flag, None) => "true or false (also yes, no, on, off, 1, 0)".into(),
        (Kind::Choice(words), None) => either(words),
        (Kind::List, None) => "texts, separated by commas".into(),
    }
}

fn checked(variable: &Variable, value: Value) -> Result<Value, String> {
    let Some(check) = variable.check else { return Ok(value) };
    let complaint = match &value {
        Value::Text(text) => (check.complaint)(text),
        Value::List(items) => items.iter().find_map(|item| (check.complaint)(item)),
        Value::Integer(_) | Value::Seconds(_) | Value::Flag(_) => None,
    };
    complaint.map_or(Ok(value), |complaint| Err(complaint.into()))
}

/// A number as Python's `int` reads it too: with space around, a plus sign before it and underscores
/// between its digits. What is left is digits, if it is a number.
fn plain_number(text: &str) -> Option<String> {
    let text = text.trim();
    let text = text.strip_prefix('+').unwrap_or(text);
    let is_digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_digit);
    let bytes = text.as_bytes();
    let between = |at: usize| {
        is_digit(at.checked_sub(1).and_then(|at| bytes.get(at))) && is_digit(bytes.get(at + 1))
    };
    let plain = text.match_indices('_').all(|(at, _)| between(at));
    (plain && !text.is_empty()).then(|| text.replace('_', ""))
}

fn whole(text: &str) -> Result<u64, String> {
    let number = plain_number(text).filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()));
    let number = number.ok_or_else(|| format!("{} is no whole number", quote(text)))?;
    number.parse().map_err(|_| out_of_range(text))
}

fn within(number: u64, min: &u64, max: &u64, shown: &str) -> Result<u64, String> {
    if (min..=max).contains(&&number) { Ok(number) } else { Err(out_of_range(shown)) }
}

fn out_of_range(shown: &str) -> String {
    format!("{} is out of range", quote(shown))
}

fn seconds(kind: &Kind, raw: &Raw) -> Result<Value, String> {
    let Kind::Seconds { min, max, whole: only_whole } = kind else {
        return Err(format!("is {}", raw.description()));
    };
    let (duration, shown) = match raw {
        Raw::Untyped(text) if *only_whole => (Duration::from_secs(whole(text)?), text.clone()),
        Raw::Untyped(text) => (decimal(text)?, text.clone()),
        Raw::Duration(duration) => (*duration, format!("{duration:?}")),
        Raw::Integer(number) => {
            let shown = number.to_string();
            let seconds = u64::try_from(*number).map_err(|_| out_of_range(&shown))?;
            (Duration::from_secs(seconds), shown)
        }
        Raw::Float(number) if !only_whole => {
            let shown = number.to_string();
            (Duration::try_from_secs_f64(*number).map_err(|_| out_of_range(&shown))?, shown)
        }
        other => return Err(format!("is {}", other.description())),
    };
    if (min..=max).contains(&&duration) {
        Ok(Value::Seconds(duration))
    } else {
        Err(out_of_range(&shown))
    }
}

fn decimal(text: &str) -> Result<Duration, String> {
    let digits = |text: &String| text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let number = plain_number(text).filter(digits).and_then(|text| text.parse::<f64>().ok());
    let number = number.ok_or_else(|| format!("{} is no decimal number", quote(text)))?;
    Duration::try_from_secs_f64(number).map_err(|_| out_of_range(text))
}

fn flag(text: &str) -> Result<bool, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err(format!("{} is no truth value", quote(text))),
    }
}

fn choice(text: &str, words: &[&str]) -> Result<String, String> {
    let word = text.trim();
    let same = words.iter().find(|known| **known == word);
    let same = same.or_else(|| words.iter().find(|known| known.eq_ignore_ascii_case(word)));
    if let Some(word) = same {
        return Ok((*word).into());
    }
    let words: Vec<String> = words.iter().map(ToString::to_string).collect();
    let meant = crate::suggest::nearest(text, &words);
    let meant = meant.map(|word| format!(", did you mean `{word}`?")).unwrap_or_default();
    Err(format!("{} is unknown{meant}", quote(text)))
}

fn items(text: &str) -> Vec<String> {
    text.split(',').map(|item| item.trim().to_owned()).collect()
}

/// The value as it is written, to compare it with those that are known.
pub(crate) fn word(value: &Value) -> &str {
    match value {
        Value::Text(text) => text,
        Value::Flag(true) => "true",
        Value::Flag(false) => "false",
        Value::Integer(_) | Value::Seconds(_) | Value::List(_) => "",
    }
}
