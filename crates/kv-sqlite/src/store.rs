//! The handle, and the contract on it.

#[cfg(test)]
mod tests;

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use kv_core::queue::QueueSupport;
use kv_core::{
    Achieved, Capabilities, Command, Condition, Durability, Entry, KeyValueStore, Lifetime,
    Outcome, Remaining, Reply, Result, ScanPage, ScanRequest, Stats, Write,
};

use crate::file::Settings;
use crate::queue::SqliteQueues;
use crate::scan::Walk;
use crate::sweep::ROWS_AT_ONCE;
use crate::verbs::check_size;
use crate::workers::Workers;

/// The most keys of a batch, and about the most bytes, that travel as one call.
const CHUNK: (usize, usize) = (1_000, 4 << 20);

/// A store in one SQLite file. Clones are handles of the same store.
///
/// Versions are numbers, and no state of any key shares one with another state. When the last
/// handle is dropped, the threads end by themselves, after what is in line is done;
/// [`close`](KeyValueStore::close) waits for that.
///
/// ```
/// use kv_core::{KeyValueStore, Write};
/// use kv_sqlite::SqliteStore;
/// # let folder = tempfile::tempdir().unwrap();
/// # futures_executor::block_on(async {
/// let path = folder.path().join("state.db");
/// let store = SqliteStore::open(&path).await?;
/// store.set("user:1", "Ada".into(), Write::ALWAYS).await?;
/// store.close().await?;
///
/// let again = SqliteStore::open(&path).await?;
/// assert_eq!(again.get("user:1").await?.unwrap().value, "Ada");
/// # Ok::<(), kv_core::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct SqliteStore {
    workers: Arc<Workers>,
    tally: Arc<Tally>,
}

/// What a handle's store has counted.
#[derive(Debug, Default)]
struct Tally {
    hits: AtomicU64,
    misses: AtomicU64,
}

impl SqliteStore {
    pub(crate) async fn start(settings: Settings) -> Result<Self> {
        Ok(Self { workers: Workers::start(settings).await?, tally: Arc::default() })
    }

    /// The file, as an absolute path.
    pub fn path(&self) -> &Path {
        self.workers.path()
    }

    /// Removes the entries that have expired by now; how many. The store does so by itself, from
    /// time to time.
    ///
    /// It costs as much as there are, however many are stored, and other calls go in between.
    ///
    /// # Errors
    /// Those of a write.
    ///
    /// # Cancel safety
    /// A dropped future may have removed any number of them.
    pub async fn sweep(&self) -> Result<u64> {
        let mut swept = 0;
        loop {
            let now = self.workers.write(0, false, |session| session.sweep()).await?;
            swept += now;
            if now < ROWS_AT_ONCE {
                return Ok(swept);
            }
        }
    }

    /// Gives the room of what was removed back to the system; without it, later writes use it.
    ///
    /// It moves what is at the end of the file, in steps between which other calls go.
    ///
    /// # Errors
    /// Those of a write.
    ///
    /// # Cancel safety
    /// A dropped future may have given a part of it back.
    pub async fn compact(&self) -> Result<()> {
        self.sweep().await?;
        while self.workers.write(0, false, |session| session.clear_garbage()).await? {}
        let mut left = i64::MAX;
        loop {
            let before = left;
            left = self.workers.write(0, false, |session| session.shrink()).await?;
            if left == 0 || left >= before {
                return Ok(());
            }
        }
    }

    #[cfg(test)]
    pub(crate) fn workers(&self) -> &Arc<Workers> {
        &self.workers
    }

    fn count(&self, hits: usize, reads: usize) {
        let count = |counter: &AtomicU64, by: usize| {
            counter.fetch_add(u64::try_from(by).unwrap_or(u64::MAX), Ordering::Relaxed);
        };
        count(&self.tally.hits, hits);
        count(&self.tally.misses, reads.saturating_sub(hits));
    }

    async fn set_one(
        &self,
        key: &str,
        value: Bytes,
        write: Write,
        on_disk: bool,
    ) -> Result<Outcome> {
        write.lifetime.as_millis()?;
        check_size(value.len())?;
        let (key, bytes) = (key.to_owned(), key.len() + value.len());
        self.workers.write(bytes, on_disk, move |session| session.set(&key, &value, &write)).await
    }

    /// Runs the commands, all in one transaction.
    async fn run(&self, commands: Vec<Command>) -> Result<Vec<Result<Reply>>> {
        let writes = commands.iter().any(is_write);
        let bytes = commands.iter().map(size).sum();
        let step = move |session: &crate::file::Session| {
            let mut replies = Vec::with_capacity(commands.len());
            for command in &commands {
                let reply = session.command(command);
                let reply = reply.map_err(|it| it.operation(command.name()).key(command.key()));
                if writes && session.is_lost() {
                    // The transaction is gone, and with it what the others wrote.
                    return Err(reply.err().unwrap_or_else(kv_core::Error::closed));
                }
                replies.push(reply);
            }
            Ok(replies)
        };
        if writes {
            self.workers.write(bytes, false, step).await
        } else {
            self.workers.read(step).await
        }
    }
}

/// Whether a command may change something.
fn is_write(command: &Command) -> bool {
    !matches!(command, Command::Get { .. } | Command::Exists { .. } | Command::Ttl { .. })
}

fn size(command: &Command) -> usize {
    let value = match command {
        Command::Set { value, .. } => value.len(),
        _ => 0,
    };
    command.key().len().saturating_add(value)
}

/// Cuts items into pieces that each travel as one call.
fn chunks<T>(items: Vec<T>, size: impl Fn(&T) -> usize) -> Vec<Vec<T>> {
    let (mut chunks, mut chunk, mut bytes) = (Vec::new(), Vec::new(), 0_usize);
    for item in items {
        bytes = bytes.saturating_add(size(&item));
        if !chunk.is_empty() && (chunk.len() >= CHUNK.0 || bytes > CHUNK.1) {
            chunks.push(std::mem::take(&mut chunk));
            bytes = size(&item);
        }
        chunk.push(item);
    }
    if !chunk.is_empty() {
        chunks.push(chunk);
    }
    chunks
}

/// Once a part is done, the whole is no longer "not applied".
fn partly<T>(result: Result<T>, done: usize) -> Result<T> {
    result.map_err(|error| if done == 0 { error } else { error.maybe_applied() })
}

/// Shows the path only: neither keys nor values.
impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").field("path", &self.path()).finish_non_exhaustive()
    }
}

#[async_trait]
impl KeyValueStore for SqliteStore {
    async fn get(&self, key: &str) -> Result<Option<Entry>> {
        let key = key.to_owned();
        let found = self.workers.read(move |session| session.get(&key)).await?;
        self.count(usize::from(found.is_some()), 1);
        Ok(found)
    }

    async fn set(&self, key: &str, value: Bytes, write: Write) -> Result<Outcome> {
        self.set_one(key, value, write, false).await
    }

    async fn delete(&self, key: &str, condition: Condition) -> Result<bool> {
        let key = key.to_owned();
        self.workers.write(key.len(), false, move |session| session.delete(&key, &condition)).await
    }

    async fn ttl(&self, key: &str) -> Result<Option<Remaining>> {
        let key = key.to_owned();
        self.workers.read(move |session| session.ttl(&key)).await
    }

    async fn scan(&self, request: ScanRequest<'_>) -> Result<ScanPage> {
        let walk = Walk::new(&request)?;
        self.workers.read(move |session| walk.page(session)).await
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::TTL
            | Capabilities::CONDITIONS
            | Capabilities::COUNTERS
            | Capabilities::DURABILITY
            | Capabilities::SHARED
    }

    async fn exists(&self, key: &str) -> Result<bool> {
        Ok(self.ttl(key).await?.is_some())
    }

    async fn get_many(&self, keys: &[&str]) -> Result<Vec<Option<Entry>>> {
        self.workers.check_open()?;
        let mut entries = Vec::with_capacity(keys.len());
        for keys in keys.chunks(CHUNK.0) {
            let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
            entries.extend(self.workers.read(move |session| session.get_many(&keys)).await?);
        }
        self.count(entries.iter().flatten().count(), entries.len());
        Ok(entries)
    }

    /// Waits for the flush of the commit, whatever the store's [`SqliteSync`](crate::SqliteSync);
    /// all who wait share one. There are no replicas. The flush is a part of the write: a disk that
    /// hangs ends in `Timeout`, and one that fails in an error, both of which say that the write
    /// may have been applied.
    async fn set_durable(
        &self,
        key: &str,
        value: Bytes,
        write: Write,
        durability: Durability,
    ) -> Result<(Outcome, Achieved)> {
        durability.check(self.workers.timeout())?;
        let on_disk = durability.wants_disk();
        let outcome = self.set_one(key, value, write, on_disk).await?;
        let on_disk = on_disk && outcome.is_written();
        Ok((outcome, Achieved { replicas: 0, on_disk }))
    }

    async fn set_many(&self, entries: Vec<(String, Bytes)>, lifetime: Lifetime) -> Result<()> {
        self.workers.check_open()?;
        lifetime.as_millis()?;
        for (key, value) in &entries {
            check_size(value.len()).map_err(|error| error.key(key))?;
        }
        let size = |(key, value): &(String, Bytes)| key.len().saturating_add(value.len());
        for (done, chunk) in chunks(entries, size).into_iter().enumerate() {
            let (bytes, write) = (chunk.iter().map(size).sum(), Write::ALWAYS.lifetime(lifetime));
            let step = move |session: &crate::file::Session| {
                session.atomically(|| {
                    chunk.iter().try_for_each(|(key, value)| {
                        session.set(key, value, &write).map(drop).map_err(|error| error.key(key))
                    })
                })
            };
            partly(self.workers.write(bytes, false, step).await, done)?;
        }
        Ok(())
    }

    async fn delete_many(&self, keys: &[&str]) -> Result<u64> {
        self.workers.check_open()?;
        let mut deleted = 0;
        for (done, keys) in keys.chunks(CHUNK.0).enumerate() {
            let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
            let bytes = keys.iter().map(String::len).sum();
            let step = move |session: &crate::file::Session| {
                session.atomically(|| {
                    keys.iter().try_fold(0, |sum, key| {
                        Ok(sum + u64::from(session.delete(key, &Condition::Always)?))
                    })
                })
            };
            deleted += partly(self.workers.write(bytes, false, step).await, done)?;
        }
        Ok(deleted)
    }

    async fn increment(&self, key: &str, by: i64, lifetime: Lifetime) -> Result<i64> {
        lifetime.as_millis()?;
        let key = key.to_owned();
        let step = move |session: &crate::file::Session| session.increment(&key, by, lifetime);
        self.workers.write(0, false, step).await
    }

    async fn take(&self, key: &str) -> Result<Option<Entry>> {
        let key = key.to_owned();
        let taken = self.workers.write(0, false, move |session| session.take(&key)).await?;
        self.count(usize::from(taken.is_some()), 1);
        Ok(taken)
    }

    async fn touch(&self, key: &str, lifetime: Lifetime) -> Result<bool> {
        lifetime.as_millis()?;
        let key = key.to_owned();
        self.workers.write(0, false, move |session| session.touch(&key, lifetime)).await
    }

    /// Runs the commands in order, up to 1,000 or about 4 MiB of them in one transaction.
    async fn execute(&self, commands: Vec<Command>) -> Result<Vec<Result<Reply>>> {
        self.workers.check_open()?;
        let mut replies = Vec::with_capacity(commands.len());
        for chunk in chunks(commands, size) {
            let count = chunk.len();
            match self.run(chunk).await {
                Ok(some) => replies.extend(some),
                // Of the others something can be said.
                Err(error) => replies.extend((0..count).map(|_| Err(error.clone()))),
            }
        }
        Ok(replies)
    }

    async fn now(&self) -> Result<Duration> {
        self.workers.check_open()?;
        Ok(self.workers.date())
    }

    async fn ping(&self) -> Result<()> {
        self.workers.read(|session| session.row("SELECT 1 FROM meta", [], |_| Ok(()))).await?;
        Ok(())
    }

    /// Counts the keys, at a cost that grows with them; `bytes` is the size of the file. Hits and
    /// misses are this store's since it was opened.
    async fn stats(&self) -> Result<Stats> {
        let (keys, bytes) = self.workers.read(|session| session.figures()).await?;
        let counted = |counter: &AtomicU64| Some(counter.load(Ordering::Relaxed));
        let mut stats = Stats::default();
        (stats.keys, stats.bytes) = (Some(keys), Some(bytes));
        (stats.hits, stats.misses) = (counted(&self.tally.hits), counted(&self.tally.misses));
        Ok(stats)
    }

    /// Waits until what is in line is done and the threads have ended.
    ///
    /// # Cancel safety
    /// The store is closed all the same.
    async fn close(&self) -> Result<()> {
        self.workers.close().await
    }

    fn queue_engine(&self) -> QueueSupport {
        QueueSupport::Native(Arc::new(SqliteQueues(Arc::clone(&self.workers))))
    }
}
