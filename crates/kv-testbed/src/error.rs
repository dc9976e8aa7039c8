//! The one error of this crate: a sentence for a person who reads a failed test.

use std::fmt;

/// What went wrong, where, and what was expected.
///
/// `Debug` prints the same text as `Display`, so that `unwrap` in a test shows it readably.
#[derive(thiserror::Error)]
#[error("{0}")]
pub struct Error(String);

/// A result with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }

    /// Turns any error into one that says what was being done.
    pub(crate) fn context<E: fmt::Display>(what: impl fmt::Display) -> impl FnOnce(E) -> Self {
        move |error| Self(format!("{what}: {error}"))
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
