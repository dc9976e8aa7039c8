//! One connection, as the steps of calls use it.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use kv_core::Result;
use rusqlite::blob::Blob;
use rusqlite::{Connection, OptionalExtension, Params, Row, ToSql};

use crate::error::of_sqlite;
use crate::file::Shared;

/// How many version numbers a store takes from the file at a time. Those that it does not use are
/// lost: 2^63 last for longer than there is time.
const VERSIONS_AT_ONCE: i64 = 1 << 16;

/// How old the file's note of the time may become, in microseconds, before a commit renews it.
const MARK_AGE: i64 = 250_000;

/// Statements that stay compiled; more than there are.
const STATEMENTS: usize = 128;

/// A connection with what its thread knows.
pub(crate) struct Session {
    connection: Connection,
    shared: Arc<Shared>,
    /// The next version number, and the first that is not this session's.
    versions: Cell<(i64, i64)>,
    /// The file's note of the time, as this transaction found it.
    mark: Cell<i64>,
    /// Queues in which something became claimable in this transaction.
    woken: RefCell<Vec<i64>>,
    /// Whether commits wait for the disk although the store is not configured so.
    flushing: Cell<bool>,
    #[cfg(test)]
    planted: Cell<Option<(&'static str, &'static str)>>,
}

impl Session {
    pub(crate) fn new(connection: Connection, shared: Arc<Shared>) -> Self {
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        Self {
            connection,
            shared,
            versions: Cell::default(),
            mark: Cell::default(),
            woken: RefCell::default(),
            flushing: Cell::default(),
            #[cfg(test)]
            planted: Cell::default(),
        }
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// The store's time in microseconds since 1970.
    pub(crate) fn now(&self) -> i64 {
        self.shared.time.now()
    }

    /// The store's time as a duration.
    pub(crate) fn date(&self) -> Duration {
        self.shared.time.date()
    }

    /// A statement; in a test, with the bug that it has planted.
    fn text<'q>(&self, sql: &'q str) -> Cow<'q, str> {
        #[cfg(test)]
        if let Some((text, bug)) = self.planted.get() {
            return sql.replace(text, bug).into();
        }
        Cow::Borrowed(sql)
    }

    /// From now on, a text in statements is another one.
    #[cfg(test)]
    pub(crate) fn plant(&self, text: &'static str, bug: &'static str) {
        self.planted.set(Some((text, bug)));
    }

    /// Runs a statement; how many rows it changed.
    pub(crate) fn execute(&self, sql: &str, parameters: impl Params) -> Result<usize> {
        let statement = self.connection.prepare_cached(&self.text(sql));
        statement.and_then(|mut it| it.execute(parameters)).map_err(|error| self.error(error))
    }

    /// The first row of a query.
    pub(crate) fn row<T>(
        &self,
        sql: &str,
        parameters: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>> {
        let statement = self.connection.prepare_cached(&self.text(sql));
        let row = statement.and_then(|mut it| it.query_row(parameters, read).optional());
        row.map_err(|error| self.error(error))
    }

    /// All rows of a query that bounds itself.
    pub(crate) fn rows<T>(
        &self,
        sql: &str,
        parameters: &[&dyn ToSql],
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>> {
        let statement = self.connection.prepare_cached(&self.text(sql));
        let rows = statement.and_then(|mut it| it.query_map(parameters, read)?.collect());
        rows.map_err(|error| self.error(error))
    }

    /// The number of the row that was inserted last.
    pub(crate) fn last_id(&self) -> i64 {
        self.connection.last_insert_rowid()
    }

    /// The bytes of a large value, in place.
    pub(crate) fn blob(&self, id: i64, read_only: bool) -> rusqlite::Result<Blob<'_>> {
        self.connection.blob_open("main", "large", "value", id, read_only)
    }

    /// Runs a pragma to its end; what its first row says.
    pub(crate) fn pragma(&self, sql: &str) -> rusqlite::Result<Option<i64>> {
        let mut statement = self.connection.prepare(sql)?;
        let mut rows = statement.query([])?;
        let mut first = None;
        while let Some(row) = rows.next()? {
            if first.is_none() {
                first = row.get(0).ok();
            }
        }
        Ok(first)
    }

    /// How many pages the log has, and how many of them are not in the file yet.
    pub(crate) fn log_pages(&self) -> Result<(i64, i64)> {
        let sql = "PRAGMA wal_checkpoint(NOOP)";
        let pages = self.row(sql, [], |row| Ok((row.get::<_, i64>(1)?, row.get::<_, i64>(2)?)))?;
        Ok(pages.map(|(all, done)| (all, all - done)).unwrap_or_default())
    }

    /// How many entries there are, expired ones included, and how large the file is.
    pub(crate) fn figures(&self) -> Result<(u64, u64)> {
        let sql = "SELECT (SELECT count(*) FROM entries),
                   (SELECT page_count FROM pragma_page_count) * (SELECT page_size FROM pragma_page_size)";
        let figures =
            self.row(sql, [], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))?;
        let (keys, bytes) = figures.unwrap_or_default();
        Ok((keys.unsigned_abs(), bytes.unsigned_abs()))
    }

    /// What SQLite says, with the file's name.
    pub(crate) fn error(&self, error: rusqlite::Error) -> kv_core::Error {
        of_sqlite(&self.shared.path, error)
    }

    /// Does all of a step or nothing of it, in the middle of a transaction.
    pub(crate) fn atomically<R>(&self, step: impl FnOnce() -> Result<R>) -> Result<R> {
        self.execute("SAVEPOINT step", [])?;
        let done = step();
        // Some errors end the whole transaction: then there is nothing to go back to.
        if done.is_err() && !self.is_lost() {
            self.versions.set((0, 0));
            self.execute("ROLLBACK TO step", [])?;
        }
        if !self.is_lost() {
            self.execute("RELEASE step", [])?;
        }
        done
    }

    /// Reads all from one state of the file; from that of the snapshot in which it is called, if
    /// there is one.
    pub(crate) fn snapshot<R>(&self, look: impl FnOnce() -> Result<R>) -> Result<R> {
        if !self.connection.is_autocommit() {
            return look();
        }
        self.execute("BEGIN", [])?;
        let seen = look();
        if !self.is_lost() {
            self.execute("COMMIT", [])?;
        }
        seen
    }

    /// A version that no state of any key ever had.
    ///
    /// Numbers are taken from the file in blocks. A block begins at the time in microseconds at
    /// least, so that none comes twice even if a power cut turns the file back by a moment.
    pub(crate) fn next_version(&self) -> Result<i64> {
        let (next, end) = self.versions.get();
        let (next, end) = if next < end { (next, end) } else { self.take_versions()? };
        self.versions.set((next + 1, end));
        Ok(next)
    }

    fn take_versions(&self) -> Result<(i64, i64)> {
        let sql = "UPDATE meta SET versions = max(versions, ?1) + ?2 RETURNING versions";
        let end = self.row(sql, (self.now(), VERSIONS_AT_ONCE), |row| row.get::<_, i64>(0))?;
        let end = end.unwrap_or_default();
        Ok((end - VERSIONS_AT_ONCE, end))
    }

    /// Notes that something became claimable in a queue.
    pub(crate) fn wake(&self, queue: i64) {
        let mut woken = self.woken.borrow_mut();
        if !woken.contains(&queue) {
            woken.push(queue);
        }
    }

    /// Whether commits wait for the disk although the store is not configured so.
    pub(crate) fn is_flushing(&self) -> bool {
        self.flushing.get()
    }

    /// Sets for what commits wait, between two transactions.
    pub(crate) fn set_level(&self, level: &str, flushing: bool) -> rusqlite::Result<()> {
        self.flushing.set(flushing);
        self.connection.pragma_update(None, "synchronous", level)
    }

    /// Begins to write, and learns the time that other processes have seen.
    pub(crate) fn begin(&self) -> rusqlite::Result<()> {
        self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let mut statement = self.connection.prepare_cached("SELECT mark FROM meta")?;
        let mark = statement.query_row([], |row| row.get(0))?;
        self.mark.set(mark);
        self.shared.time.at_least(mark);
        Ok(())
    }

    /// Commits, and tells in which queues something became claimable.
    ///
    /// With `flush`, something is written in any case: an empty commit is not flushed.
    pub(crate) fn commit(&self, flush: bool) -> rusqlite::Result<Vec<i64>> {
        let now = self.now();
        if flush || now.saturating_sub(self.mark.get()) >= MARK_AGE {
            let sql = "UPDATE meta SET mark = max(mark, ?1), flushes = flushes + 1";
            self.connection.prepare_cached(sql)?.execute([now])?;
        }
        self.connection.prepare_cached("COMMIT")?.execute([])?;
        Ok(self.woken.take())
    }

    /// Forgets a transaction that failed.
    pub(crate) fn roll_back(&self) {
        self.versions.set((0, 0));
        self.woken.take();
        if !self.is_lost() {
            let rolled_back = self.connection.execute_batch("ROLLBACK");
            if let Err(error) = rolled_back {
                tracing::error!(%error, "a transaction could not be rolled back");
            }
        }
    }

    /// Whether SQLite has rolled back the whole transaction by itself, as it does when the disk is
    /// full or cannot be read.
    pub(crate) fn is_lost(&self) -> bool {
        self.connection.is_autocommit()
    }

    /// Ends the connection; the last one of all processes empties the log.
    pub(crate) fn close(self) {
        let Self { connection, shared, .. } = self;
        connection.flush_prepared_statement_cache();
        let _alone = shared.closing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err((_, error)) = connection.close() {
            tracing::warn!(%error, "a connection to the file did not close");
        }
    }
}
