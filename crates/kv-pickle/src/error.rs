//! Why a pickle was refused.

use std::borrow::Cow;
use std::fmt;

use kv_core::without_values;

/// What was wrong, without any of the value.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Error(Cow<'static, str>);

pub(crate) type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// Adds the position in the pickle.
    pub(crate) fn at(self, position: usize) -> Self {
        format!("{}, at byte {position} of the pickle", self.0).into()
    }
}

impl From<&'static str> for Error {
    fn from(text: &'static str) -> Self {
        Self(text.into())
    }
}

impl From<String> for Error {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

// A type's own message may quote the value, which no error may show.
impl serde::de::Error for Error {
    fn custom<T: fmt::Display>(text: T) -> Self {
        match without_values(&text.to_string()) {
            Some(words) => words.into(),
            None => "the pickle is of another shape".into(),
        }
    }
}

impl serde::ser::Error for Error {
    fn custom<T: fmt::Display>(_: T) -> Self {
        "a part of the value cannot be pickled".into()
    }
}
