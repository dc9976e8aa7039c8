//! The tables, and how connections are set up.

use std::fs;
use std::path::Path;
use std::time::Duration;

use kv_core::{Error, ErrorKind, Result};
use rusqlite::Connection;

use super::{BUSY, SqliteSync, at_open, turn_within};
use crate::turn::Turn;

/// Marks the files of this library: the letters `ockv`.
const APPLICATION: i64 = 0x6f63_6b76;

/// The format of the tables. A newer one is refused, and left as it is.
const FORMAT: i64 = 4;

/// What makes each format of the one before it, from that of format 1 on. A process that has the
/// file open in an older format fails its next steps, and changes nothing: it misses a column that
/// has another name now.
const STEPS: [&str; 3] = [
    "
ALTER TABLE partitions ADD COLUMN turn INTEGER NOT NULL DEFAULT 0;
ALTER TABLE partitions ADD COLUMN plain_turn INTEGER NOT NULL DEFAULT 0;
ALTER TABLE partitions ADD COLUMN queued INTEGER NOT NULL DEFAULT 0;
ALTER TABLE partitions ADD COLUMN ring INTEGER NOT NULL DEFAULT 0;
ALTER TABLE partitions ADD COLUMN blocked INTEGER NOT NULL DEFAULT 0;
ALTER TABLE partitions ADD COLUMN groups INTEGER NOT NULL DEFAULT 0;
",
    "
ALTER TABLE partitions RENAME COLUMN 'lanes' TO sessions;
ALTER TABLE partitions ADD COLUMN kept INTEGER NOT NULL DEFAULT 0;
",
    "
CREATE TABLE large(id INTEGER PRIMARY KEY, value BLOB NOT NULL) STRICT;
ALTER TABLE entries RENAME COLUMN value TO small;
ALTER TABLE entries ADD COLUMN large INTEGER;
CREATE TRIGGER entries_removed AFTER DELETE ON entries WHEN old.large IS NOT NULL
BEGIN DELETE FROM large WHERE id = old.large; END;
CREATE TRIGGER entries_replaced AFTER UPDATE OF large ON entries WHEN old.large IS NOT NULL
BEGIN DELETE FROM large WHERE id = old.large; END;
ALTER TABLE items RENAME COLUMN value TO small;
ALTER TABLE items ADD COLUMN large INTEGER;
CREATE TRIGGER items_removed AFTER DELETE ON items WHEN old.large IS NOT NULL
BEGIN DELETE FROM large WHERE id = old.large; END;
CREATE TRIGGER items_replaced AFTER UPDATE OF large ON items WHEN old.large IS NOT NULL
BEGIN DELETE FROM large WHERE id = old.large; END;
",
];

/// About how large the log may stay, in bytes, once its contents are in the file.
pub(crate) const LOG_BYTES: u64 = 64 << 20;

/// - `meta` has one row: the latest time that was seen, the first version number that is not given
///   out, the first place that is not given out, and a count that makes a commit worth a flush.
/// - `entries`: the keys of the store, in the order of their bytes; `expires` in microseconds
///   since 1970.
/// - `queues`, `partitions`: the description of each queue; of each partition its counters, the
///   sizes of its sets, and the places of some sets and maps.
/// - `ready`, `members`, `items`: the sets and maps of all partitions. A place is a set or a map of
///   a partition; `ready` members are in the order of their names.
///
/// - `garbage`: places whose rows nobody needs any more.
/// - `large`, of format 4: values that do not fit into a leaf of `entries` or `items`. Their rows
///   have a number in place of the value.
///
/// These are the tables of format 1; [`STEPS`] brings them to the present format.
const TABLES: &str = "
CREATE TABLE meta(
    mark INTEGER NOT NULL, versions INTEGER NOT NULL,
    places INTEGER NOT NULL, flushes INTEGER NOT NULL) STRICT;
INSERT INTO meta VALUES(0, 0, 0, 0);
CREATE TABLE entries(
    key TEXT PRIMARY KEY, version INTEGER NOT NULL, expires INTEGER, value BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;
CREATE INDEX entries_expire ON entries(expires) WHERE expires IS NOT NULL;
CREATE TABLE queues(
    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE,
    partitions INTEGER NOT NULL) STRICT;
CREATE TABLE partitions(
    id INTEGER PRIMARY KEY,
    sequence INTEGER NOT NULL, token INTEGER NOT NULL, done INTEGER NOT NULL,
    cancelled INTEGER NOT NULL, evicted INTEGER NOT NULL, paused INTEGER NOT NULL,
    ready INTEGER NOT NULL, timed INTEGER NOT NULL, leases INTEGER NOT NULL,
    dead INTEGER NOT NULL, windows INTEGER NOT NULL, lanes INTEGER NOT NULL,
    windows_place INTEGER NOT NULL, lanes_place INTEGER NOT NULL,
    unique_place INTEGER NOT NULL, lane_place INTEGER NOT NULL) STRICT;
CREATE TABLE ready(
    place INTEGER, name TEXT, score INTEGER NOT NULL, PRIMARY KEY(place, name)
    ) STRICT, WITHOUT ROWID;
CREATE TABLE members(
    place INTEGER, name TEXT, score INTEGER NOT NULL, PRIMARY KEY(place, name)
    ) STRICT, WITHOUT ROWID;
CREATE INDEX members_order ON members(place, score, name);
CREATE TABLE items(
    place INTEGER, key TEXT, value BLOB NOT NULL, PRIMARY KEY(place, key)) STRICT, WITHOUT ROWID;
CREATE TABLE garbage(place INTEGER PRIMARY KEY) STRICT;
";

/// Makes the tables of a new file, and brings those of an older format to the present one; refuses a
/// file that is another program's, or newer.
pub(super) fn prepare(
    path: &Path,
    connection: &Connection,
    turn: &Turn,
    limit: Duration,
) -> Result<()> {
    if format(path, connection)? == FORMAT {
        return check_log(path, connection);
    }
    let _held = turn_within(turn, path, limit)?;
    let found = format(path, connection)?;
    if found < FORMAT {
        let made = make(connection, found);
        made.map_err(|error| at_open(path, error))?;
    }
    check_log(path, connection)
}

/// The format of the file's tables; zero if it is empty and has none yet.
fn format(path: &Path, connection: &Connection) -> Result<i64> {
    let (owner, format, tables) = marks(connection).map_err(|error| at_open(path, error))?;
    match (owner, format) {
        (APPLICATION, 1..=FORMAT) => Ok(format),
        (0, 0) if tables == 0 && is_too_short(path) => {
            Err(refused(path, "is no SQLite database; expected one, or no file"))
        }
        (0, 0) if tables == 0 => Ok(0),
        (APPLICATION, newer) => Err(refused(
            path,
            &format!("is in format {newer}; expected {FORMAT}, which this version writes"),
        )),
        _ => Err(refused(
            path,
            "is a database of another program; expected one of this library, or no file",
        )),
    }
}

/// Whose file it is, its format, and how many tables and indices it has: of one moment, since
/// another process may make the tables meanwhile.
fn marks(connection: &Connection) -> rusqlite::Result<(i64, i64, i64)> {
    let read = connection.unchecked_transaction()?;
    let number = |sql| read.query_row(sql, [], |row| row.get::<_, i64>(0));
    let tables = number("SELECT count(*) FROM sqlite_schema")?;
    Ok((number("PRAGMA application_id")?, number("PRAGMA user_version")?, tables))
}

/// Whether the file has something in it that SQLite passes over, since it is no whole page.
///
/// Its size is asked for and its bytes are not read: whoever closes a file gives up the locks that
/// the process has on it.
fn is_too_short(path: &Path) -> bool {
    const SMALLEST_PAGE: u64 = 512;
    fs::metadata(path).is_ok_and(|file| (1..SMALLEST_PAGE).contains(&file.len()))
}

fn refused(path: &Path, what: &str) -> Error {
    Error::new(ErrorKind::Config, format!("{}: {what}", path.display()))
}

/// Brings the tables of this format, or none, to the present format: all at once, or not at all.
fn make(connection: &Connection, found: i64) -> rusqlite::Result<()> {
    if found == 0 {
        // Both before the first table: they are laid down in the file's first page.
        connection.execute_batch("PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL;")?;
    }
    connection.execute_batch("BEGIN IMMEDIATE")?;
    let filled = fill(connection, found).and_then(|()| connection.execute_batch("COMMIT"));
    if filled.is_err() && !connection.is_autocommit() {
        connection.execute_batch("ROLLBACK")?;
    }
    filled
}

fn fill(connection: &Connection, found: i64) -> rusqlite::Result<()> {
    if found == 0 {
        connection.execute_batch(TABLES)?;
        connection.pragma_update(None, "application_id", APPLICATION)?;
    }
    let done = usize::try_from(found.max(1) - 1).unwrap_or_default();
    STEPS.iter().skip(done).try_for_each(|step| connection.execute_batch(step))?;
    connection.pragma_update(None, "user_version", FORMAT)
}

/// Checks that the file has a log that readers and a writer can share.
fn check_log(path: &Path, connection: &Connection) -> Result<()> {
    let set = "PRAGMA journal_mode = WAL";
    let mode = connection.query_row(set, [], |row| row.get::<_, String>(0));
    let mode = mode.map_err(|error| at_open(path, error))?;
    if mode == "wal" {
        return Ok(());
    }
    Err(refused(path, &format!("stays in journal mode {mode}; expected a folder that allows WAL")))
}

pub(super) fn tune_writer(connection: &Connection, sync: SqliteSync) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "synchronous", level(sync))?;
    connection.pragma_update(None, "journal_size_limit", LOG_BYTES.cast_signed())?;
    // A thread of its own does so.
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update(None, "cache_size", -32_768)?;
    connection.pragma_update(None, "temp_store", "MEMORY")
}

pub(super) fn tune_reader(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "query_only", true)?;
    connection.pragma_update(None, "cache_size", -16_384)?;
    connection.pragma_update(None, "temp_store", "MEMORY")
}

/// The name of a level of flushing.
pub(crate) const fn level(sync: SqliteSync) -> &'static str {
    match sync {
        SqliteSync::Normal => "NORMAL",
        SqliteSync::Full => "FULL",
    }
}
