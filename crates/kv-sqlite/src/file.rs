//! The file: what may be opened, how it is laid out, whether it is still there.

mod guard;
mod layout;
mod session;

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kv_core::{Clock, Error, ErrorKind, Result, SystemClock};
use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::error::of_sqlite;
use crate::time::Time;
use crate::turn::Turn;

pub(crate) use guard::{Identity, not_writable};
pub(crate) use layout::{LOG_BYTES, level};
pub(crate) use session::Session;

/// When a commit is flushed to the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SqliteSync {
    /// From time to time: a write that was answered survives the death of the process, and a power
    /// cut may cost the last moments.
    #[default]
    Normal,
    /// With each commit: a write that was answered survives a power cut.
    Full,
}

/// How a store is to be opened.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) path: PathBuf,
    pub(crate) sync: SqliteSync,
    pub(crate) timeout: Duration,
    pub(crate) clock: Arc<dyn Clock>,
}

/// What all threads of a store know of its file.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) path: PathBuf,
    pub(crate) time: Time,
    pub(crate) identity: Identity,
    /// Whether the committing thread waits for the turn of another process.
    pub(crate) awaits_turn: AtomicBool,
    /// Held by the thread that closes its connection: of two that close at once, neither is the
    /// last, and the log would stay.
    closing: Mutex<()>,
}

/// An open file: connections for each thread.
pub(crate) struct Opened {
    pub(crate) shared: Arc<Shared>,
    pub(crate) committer: Session,
    pub(crate) readers: Vec<Session>,
    pub(crate) watch: Session,
    /// For the thread that brings the log into the file.
    pub(crate) log: Session,
    pub(crate) turn: Turn,
}

/// Connections that read beside the one that writes.
pub(crate) const READERS: usize = 2;

/// How long SQLite itself waits for a lock of another program, before the store looks whether
/// anybody still waits.
pub(crate) const BUSY: Duration = Duration::from_millis(50);

/// Opens the file, or makes it. Blocks.
pub(crate) fn open(settings: &Settings) -> Result<Opened> {
    let path = guard::check_path(&settings.path)?;
    let turn = Turn::beside(&path).map_err(|error| guard::not_writable(&path, error))?;
    let first = connect(&path, settings.timeout)?;
    layout::prepare(&path, &first, &turn, settings.timeout)?;
    let shared = Arc::new(Shared {
        identity: Identity::of(&path)?,
        awaits_turn: AtomicBool::new(false),
        closing: Mutex::default(),
        time: Time::new(Arc::clone(&settings.clock)),
        path,
    });
    let path = &shared.path;
    let mark = first.query_row("SELECT mark FROM meta", [], |row| row.get(0));
    shared.time.at_least(mark.map_err(|error| of_sqlite(path, error))?);
    layout::tune_writer(&first, settings.sync).map_err(|error| of_sqlite(path, error))?;
    let read = || -> Result<Session> {
        let connection = connect(path, settings.timeout)?;
        layout::tune_reader(&connection).map_err(|error| of_sqlite(path, error))?;
        Ok(Session::new(connection, Arc::clone(&shared)))
    };
    let readers = (0..READERS).map(|_| read()).collect::<Result<_>>()?;
    let (watch, log) = (read()?, read()?);
    let committer = Session::new(first, Arc::clone(&shared));
    Ok(Opened { committer, readers, watch, log, turn, shared })
}

fn connect(path: &Path, timeout: Duration) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let opened = Connection::open_with_flags(path, flags);
    let connection = opened.map_err(|error| at_open(path, error))?;
    let waits = connection.busy_timeout(timeout);
    waits.map_err(|error| at_open(path, error))?;
    if connection.is_readonly("main").unwrap_or(false) {
        let message = format!("{}: the file cannot be written", path.display());
        return Err(Error::new(ErrorKind::ReadOnly, message));
    }
    Ok(connection)
}

/// An error of the first touch: what cannot be opened is told as a matter of configuration.
fn at_open(path: &Path, error: rusqlite::Error) -> Error {
    if error.sqlite_error_code() != Some(ErrorCode::CannotOpen) {
        return of_sqlite(path, error);
    }
    let message = format!(
        "{}: cannot be opened; expected a file, or none, in a folder that can be written",
        path.display()
    );
    Error::new(ErrorKind::Config, message).because(error)
}

/// Waits for the turn of making the file, however the clock of the store goes.
fn turn_within<'a>(turn: &'a Turn, path: &Path, limit: Duration) -> Result<crate::turn::Held<'a>> {
    let held = turn.take_within(limit, &SystemClock::new());
    let held = held.map_err(|error| guard::not_writable(path, error))?;
    held.ok_or_else(|| {
        let message = format!("{}: another process holds it for {limit:?}", path.display());
        Error::new(ErrorKind::Timeout, message)
    })
}
