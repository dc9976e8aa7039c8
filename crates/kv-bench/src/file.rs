//! Folders for files that a scenario writes, and bare SQLite set up as the backend sets it up.

use std::path::{Path, PathBuf};

use rusqlite::Connection;
use tempfile::TempDir;

use crate::Result;

/// A folder on the disk of the workspace, so that a flush is one; removed when dropped.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Result<Self> {
        let bench = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/bench");
        std::fs::create_dir_all(&bench)?;
        Ok(Self(tempfile::tempdir_in(bench)?))
    }

    /// A path in it.
    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

/// A connection to a file in WAL mode, with the writer's cache of the backend.
pub(crate) fn bare(path: &Path, synchronous: &str) -> Result<Connection> {
    let connection = Connection::open(path)?;
    connection.execute_batch(&format!(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = {synchronous};
         PRAGMA cache_size = -32768; PRAGMA wal_autocheckpoint = 2000;"
    ))?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}
