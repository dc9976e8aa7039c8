//! The classes that are known by name.

use crate::error::{Error, Result};

/// The longest part of a class's name that an error shows, in bytes.
const MAX_TOLD: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Class {
    Set,
    FrozenSet,
    Bytes,
    ByteArray,
    /// `_codecs.encode`, by which protocols 0 to 2 write bytes.
    Encode,
    DateTime,
    Date,
    Time,
    TimeDelta,
    TimeZone,
    Decimal,
}

impl Class {
    /// The class of exactly this name. Python 3 writes the names of Python 2 in protocols 0 to 2.
    pub(crate) fn find(module: &str, name: &str) -> Result<Self> {
        match (module, name) {
            ("builtins" | "__builtin__", "set") => Ok(Self::Set),
            ("builtins" | "__builtin__", "frozenset") => Ok(Self::FrozenSet),
            ("builtins" | "__builtin__", "bytes") => Ok(Self::Bytes),
            ("builtins" | "__builtin__", "bytearray") => Ok(Self::ByteArray),
            ("_codecs", "encode") => Ok(Self::Encode),
            ("datetime", "datetime") => Ok(Self::DateTime),
            ("datetime", "date") => Ok(Self::Date),
            ("datetime", "time") => Ok(Self::Time),
            ("datetime", "timedelta") => Ok(Self::TimeDelta),
            ("datetime", "timezone") => Ok(Self::TimeZone),
            ("decimal", "Decimal") => Ok(Self::Decimal),
            _ => Err(unknown(module, name)),
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Set => "builtins.set",
            Self::FrozenSet => "builtins.frozenset",
            Self::Bytes => "builtins.bytes",
            Self::ByteArray => "builtins.bytearray",
            Self::Encode => "_codecs.encode",
            Self::DateTime => "datetime.datetime",
            Self::Date => "datetime.date",
            Self::Time => "datetime.time",
            Self::TimeDelta => "datetime.timedelta",
            Self::TimeZone => "datetime.timezone",
            Self::Decimal => "decimal.Decimal",
        }
    }
}

/// Refuses a class, and shows its name if that is a valid name: a pickle may have any text there.
pub(crate) fn unknown(module: &str, name: &str) -> Error {
    let plain = |part: &str| {
        let ordinary = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.');
        !part.is_empty() && part.len() <= MAX_TOLD && part.chars().all(ordinary)
    };
    if plain(module) && plain(name) {
        return format!("the class `{module}.{name}` is not data").into();
    }
    "a class, with a name too strange to tell, is not data".into()
}
