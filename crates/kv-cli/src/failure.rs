//! How a verb fails, and with which exit code.

use std::error::Error;
use std::iter::successors;
use std::process::ExitCode;

use kv_core::ErrorKind;

pub(crate) type Result<T> = std::result::Result<T, Failure>;

/// Why a verb did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] kv_core::Error),
    /// The key, queue or job is not there.
    #[error("{0}")]
    Missing(String),
    /// What was given cannot be used.
    #[error("{0}")]
    Usage(String),
    /// Nobody agreed to the change.
    #[error("nothing was changed: {0}")]
    Declined(&'static str),
    /// Something else, such as a file that cannot be read.
    #[error("{0}")]
    Failed(String),
}

impl Failure {
    /// The exit codes, as `oc-kv --help` tells them.
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Store(error) if error.kind() == ErrorKind::Config => 2,
            Self::Store(_) | Self::Failed(_) => 1,
            Self::Usage(_) => 2,
            Self::Missing(_) => 3,
            Self::Declined(_) => 4,
        })
    }

    /// What to do about it, where the kind of the error tells.
    pub(crate) fn advice(&self) -> Option<&'static str> {
        let Self::Store(error) = self else { return None };
        Some(match error.kind() {
            ErrorKind::Connection => "check the address, and `oc-kv ping`",
            ErrorKind::Timeout => "check that the server answers, or raise its timeout variable",
            ErrorKind::Auth => "check the user and the password",
            ErrorKind::Config => "`oc-kv config check` tells all that is wrong",
            ErrorKind::Serialization => "check the serializer, or use --raw",
            ErrorKind::Unsupported => "another backend may do this; docs/CHOOSING.md compares them",
            _ => return None,
        })
    }
}

/// What an error says of its causes, the nearest first.
pub(crate) fn causes(error: &dyn Error) -> impl Iterator<Item = String> + '_ {
    successors(error.source(), |cause| (*cause).source()).map(ToString::to_string)
}
