//! What SQLite says, as errors of this workspace.

use std::path::Path;

use kv_core::{Error, ErrorKind};
use rusqlite::ErrorCode;

/// An error of SQLite, told in terms of what the caller can do; the file is named.
///
/// SQLite's own text is the cause. It names tables and columns, and never a value.
pub(crate) fn of_sqlite(path: &Path, error: rusqlite::Error) -> Error {
    let (kind, what) = describe(&error);
    Error::new(kind, format!("{}: {what}", path.display())).because(error)
}

/// A thread that cannot be started.
pub(crate) fn no_thread(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Backend, "the system starts no more threads").because(error)
}

fn describe(error: &rusqlite::Error) -> (ErrorKind, &'static str) {
    use ErrorKind::{Backend, Config, OutOfMemory, ReadOnly, Timeout, TooLarge};
    let Some(code) = error.sqlite_error_code() else {
        return (Backend, "the file holds something that this library did not write");
    };
    match code {
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => {
            (Timeout, "another program holds the file's lock; expected it to be free in time")
        }
        ErrorCode::ReadOnly => (ReadOnly, "the file, or its folder, cannot be written"),
        ErrorCode::DiskFull => (OutOfMemory, "the disk, or the file's allowed size, is full"),
        ErrorCode::NotADatabase => (Config, "is no SQLite database; expected one, or no file"),
        ErrorCode::DatabaseCorrupt => {
            (Backend, "the file is damaged; expected what SQLite's integrity check accepts")
        }
        ErrorCode::CannotOpen => {
            (Backend, "the file, or one beside it, cannot be opened; expected access to its folder")
        }
        ErrorCode::PermissionDenied => (Backend, "the system denies access to the file"),
        ErrorCode::TooBig => (TooLarge, "a value beyond SQLite's own limit"),
        ErrorCode::SystemIoFailure => (Backend, "the system could not read or write the file"),
        _ => (Backend, "SQLite failed"),
    }
}

/// Whether the error means that there was no room, so that nothing was written.
pub(crate) fn is_full(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DiskFull)
}

/// Whether another connection held the lock.
pub(crate) fn is_busy(error: &rusqlite::Error) -> bool {
    let busy = [ErrorCode::DatabaseBusy, ErrorCode::DatabaseLocked];
    error.sqlite_error_code().is_some_and(|code| busy.contains(&code))
}
