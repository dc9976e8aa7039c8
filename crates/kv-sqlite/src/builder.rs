//! How a store is opened.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use kv_core::{Clock, Result, SystemClock};

use crate::SqliteStore;
use crate::file::{Settings, SqliteSync};

/// Settings of a [`SqliteStore`]; from [`SqliteStore::builder`].
///
/// ```
/// use kv_sqlite::{SqliteStore, SqliteSync};
/// use std::time::Duration;
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("state.db");
/// # futures_executor::block_on(async {
/// let store = SqliteStore::builder(&path)
///     .sync(SqliteSync::Full)
///     .timeout(Duration::from_secs(2))
///     .open()
///     .await?;
/// assert_eq!(store.path(), path.canonicalize().unwrap());
/// # Ok::<(), kv_core::Error>(())
/// # }).unwrap();
/// ```
#[must_use]
pub struct SqliteStoreBuilder {
    settings: Settings,
}

impl SqliteStore {
    /// Opens the file with the settings that a builder begins with.
    ///
    /// # Errors
    /// Those of [`SqliteStoreBuilder::open`].
    ///
    /// # Cancel safety
    /// That of [`SqliteStoreBuilder::open`].
    pub async fn open(path: impl Into<PathBuf>) -> Result<Self> {
        Self::builder(path).open().await
    }

    /// Settings for a store in the file at this path.
    pub fn builder(path: impl Into<PathBuf>) -> SqliteStoreBuilder {
        SqliteStoreBuilder::new(path.into())
    }
}

impl SqliteStoreBuilder {
    /// The time within which every call returns, unless another one is given.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);

    /// The shortest time within which a call can be made to return.
    pub const MIN_TIMEOUT: Duration = Duration::from_millis(1);

    pub(crate) fn new(path: PathBuf) -> Self {
        let settings = Settings {
            path,
            sync: SqliteSync::default(),
            timeout: Self::DEFAULT_TIMEOUT,
            clock: Arc::new(SystemClock::new()),
        };
        Self { settings }
    }

    /// When commits are flushed; [`Normal`](SqliteSync::Normal) unless given.
    pub fn sync(mut self, sync: SqliteSync) -> Self {
        self.settings.sync = sync;
        self
    }

    /// The time within which every call returns, at least
    /// [`MIN_TIMEOUT`](Self::MIN_TIMEOUT), to which a shorter one is raised. This is real time,
    /// whatever the clock, and up to a tenth of a second more.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.settings.timeout = timeout.max(Self::MIN_TIMEOUT);
        self
    }

    /// Where lifetimes and leases take their time from; the machine's clocks unless given. All
    /// processes on one file must agree about the date.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.settings.clock = Arc::new(clock);
        self
    }

    /// Opens the file, or makes it where there is none. Its folder must exist.
    ///
    /// # Errors
    /// `Config` for a path that names no file, is a folder, is in a folder that does not exist or
    /// cannot be written, or is on a file system of the network; for a file that is no SQLite
    /// database, another program's, or in a newer format. `ReadOnly` for a file that cannot be
    /// written, `Timeout` where another process holds it, `OutOfMemory` where the disk is full.
    ///
    /// # Cancel safety
    /// A dropped future may have made the file, empty.
    pub async fn open(self) -> Result<SqliteStore> {
        let settings = self.settings;
        SqliteStore::start(settings).await.map_err(|error| error.operation("open"))
    }

    #[cfg(test)]
    pub(crate) fn into_settings(self) -> Settings {
        self.settings
    }
}

impl fmt::Debug for SqliteStoreBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.settings.fmt(f)
    }
}
