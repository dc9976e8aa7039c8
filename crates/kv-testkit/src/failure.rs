//! Why a case failed, and where.

use std::fmt;
use std::panic::Location;

use crate::show::cut;

/// How many bytes of a message are told.
const MESSAGE_BYTES: usize = 2_000;

/// What a case found, the line of the suite that found it, and what it had asked of the store.
///
/// Keys and values are shown, shortened: they are the suite's own.
#[derive(Clone, thiserror::Error)]
#[error("{message} ({}:{}){}", at.file(), at.line(), self.told())]
pub struct Failure {
    message: String,
    at: &'static Location<'static>,
    calls: Option<String>,
}

impl Failure {
    /// A failure found on the caller's line.
    #[track_caller]
    pub fn new(message: impl Into<String>) -> Self {
        let message = cut(message.into(), MESSAGE_BYTES);
        Self { message, at: Location::caller(), calls: None }
    }

    /// The calls, on lines of their own.
    fn told(&self) -> String {
        self.calls.iter().map(|calls| format!("\n{calls}")).collect()
    }

    /// The same, found on another line.
    pub(crate) fn found_at(self, at: &'static Location<'static>) -> Self {
        Self { at, ..self }
    }

    /// The same, with what was asked of the store before.
    pub(crate) fn after(self, calls: Option<String>) -> Self {
        Self { calls, ..self }
    }

    /// The same, with what was being tried put before it.
    pub(crate) fn during(self, what: &str) -> Self {
        Self { message: format!("{what}: {}", self.message), ..self }
    }
}

impl From<kv_core::Error> for Failure {
    /// An error where the contract wants success.
    #[track_caller]
    fn from(error: kv_core::Error) -> Self {
        Self::new(format!("unexpected error of kind {:?}: {error}", error.kind()))
    }
}

impl From<tokio::task::JoinError> for Failure {
    #[track_caller]
    fn from(error: tokio::task::JoinError) -> Self {
        Self::new(format!("a concurrent part ended badly: {error}"))
    }
}

// A failed test prints its error with `Debug`: the message should be readable there.
impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Fails the case unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            return Err($crate::Failure::new(format!($($message)+)));
        }
    };
}

/// Fails the case unless both are equal; the message says what was looked at. Values, versions and
/// errors are shown by [`Show`](crate::show::Show), so that different ones look different.
macro_rules! ensure_eq {
    ($got:expr, $expected:expr, $($message:tt)+) => {
        match (&$got, &$expected) {
            (got, expected) => {
                if *got != *expected {
                    use $crate::show::by::*;
                    let (got, expected) = (&$crate::show::Shown(got), &$crate::show::Shown(expected));
                    let (got, expected) = (got.text(), expected.text());
                    let what = format!($($message)+);
                    let text = format!("{what}: got {got}, expected {expected}");
                    return Err($crate::Failure::new(text));
                }
            }
        }
    };
}

pub(crate) use {ensure, ensure_eq};
