//! The store's handle, and its implementation of the contract.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use kv_core::queue::QueueSupport;
use kv_core::{
    Capabilities, CheckedRate, Command, Condition, Decision, Entry, Error, KeyValueStore, Lifetime,
    Outcome, Remaining, Reply, Result, ScanPage, ScanRequest, Stats, Watcher, Write,
};

use crate::queue::MemoryQueues;
use crate::sweeper::Sweeper;
use crate::table::Table;
use crate::time::Time;
use crate::verbs::partly;

/// A store in this process's memory. Clones are handles of the same store.
///
/// Every call is done at its first poll and needs no runtime; a future that was never polled did
/// nothing. Versions are numbers; two states of a key never have the same version. Lifetimes run on
/// the monotonic time of the store's clock.
///
/// Dropping the last handle frees the records and ends the sweeping thread.
///
/// ```
/// use kv_core::{KeyValueStore, Write};
/// use kv_memory::MemoryStore;
/// # futures_executor::block_on(async {
/// let store = MemoryStore::new();
/// store.set("user:1", "Ada".into(), Write::ALWAYS).await?;
/// let entry = store.clone().get("user:1").await?.unwrap();
/// assert_eq!(entry.value, "Ada");
/// # Ok::<(), kv_core::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct MemoryStore {
    /// Here too, and not behind the rest, for the sake of reads.
    table: Arc<Table>,
    rest: Arc<Rest>,
}

/// What the handles share beside the table. It ends with the last of them.
struct Rest {
    table: Arc<Table>,
    sweeper: Sweeper,
    queues: Arc<MemoryQueues>,
}

impl Drop for Rest {
    fn drop(&mut self) {
        self.close();
    }
}

impl Rest {
    fn close(&self) {
        // First, so that a sweep that is running ends.
        self.table.close();
        self.sweeper.stop();
        self.queues.close();
    }
}

impl MemoryStore {
    pub(crate) fn assemble(
        max_entries: Option<usize>,
        cleanup_interval: Duration,
        time: Time,
        seed: Option<u64>,
    ) -> Self {
        let queues = Arc::new(MemoryQueues::new(Arc::clone(time.clock())));
        let table = Arc::new(Table::new(max_entries, seed, time));
        let sweeper = Sweeper::new(cleanup_interval);
        let rest = Rest { table: Arc::clone(&table), sweeper, queues };
        Self { table, rest: Arc::new(rest) }
    }

    /// Frees the keys that have expired by now, and returns how many. A background thread does this
    /// from time to time.
    ///
    /// The cost depends on the number of expired keys, not of stored keys. Other calls can run in
    /// between. A closed store has no keys.
    pub fn sweep(&self) -> usize {
        self.table.sweep()
    }

    /// Starts the sweeps once there is something to sweep.
    fn expect_expiry(&self, lifetime: Lifetime) {
        if matches!(lifetime, Lifetime::In(_)) {
            self.rest.sweeper.start(&self.table);
        }
    }

    fn set_now(&self, key: &str, value: Bytes, write: &Write) -> Result<Outcome> {
        let outcome = self.table.set(key, value, write)?;
        self.expect_expiry(write.lifetime);
        Ok(outcome)
    }

    fn increment_now(&self, key: &str, by: i64, lifetime: Lifetime) -> Result<i64> {
        let sum = self.table.increment(key, by, lifetime)?;
        self.expect_expiry(lifetime);
        Ok(sum)
    }

    fn touch_now(&self, key: &str, lifetime: Lifetime) -> Result<bool> {
        let exists = self.table.touch(key, lifetime)?;
        self.expect_expiry(lifetime);
        Ok(exists)
    }

    fn limit_now(&self, key: &str, rate: &CheckedRate) -> Result<Decision> {
        let (decision, lifetime) = self.table.limit(key, rate)?;
        self.expect_expiry(lifetime);
        Ok(decision)
    }

    fn run(&self, command: Command) -> Result<Reply> {
        let table = &*self.table;
        Ok(match command {
            Command::Get { key } => Reply::Entry(table.get(&key)?),
            Command::Set { key, value, write } => {
                Reply::Outcome(self.set_now(&key, value, &write)?)
            }
            Command::Delete { key, condition } => Reply::Flag(table.delete(&key, &condition)?),
            Command::Exists { key } => Reply::Flag(table.ttl(&key)?.is_some()),
            Command::Ttl { key } => Reply::Remaining(table.ttl(&key)?),
            Command::Touch { key, lifetime } => Reply::Flag(self.touch_now(&key, lifetime)?),
            Command::Take { key } => Reply::Entry(table.take(&key)?),
            Command::Increment { key, by, lifetime } => {
                Reply::Number(self.increment_now(&key, by, lifetime)?)
            }
            Command::Limit { key, rate } => Reply::Decision(self.limit_now(&key, &rate)?),
            _ => return Err(Error::unsupported("this command")),
        })
    }
}

/// Shows the size only: neither keys nor values.
impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = self.table.tally.records.load(Ordering::Relaxed);
        f.debug_struct("MemoryStore").field("keys", &keys).finish_non_exhaustive()
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl KeyValueStore for MemoryStore {
    // Written out, so that the key is hashed, and its bytes are fetched, before the future is
    // allocated. Nothing that another call could see happens before the first poll.
    fn get<'s, 'k, 'async_trait>(
        &'s self,
        key: &'k str,
    ) -> Pin<Box<dyn Future<Output = Result<Option<Entry>>> + Send + 'async_trait>>
    where
        Self: 'async_trait,
        's: 'async_trait,
        'k: 'async_trait,
    {
        let table = &*self.table;
        let place = table.place(key);
        Box::pin(poll_fn(move |_| Poll::Ready(table.get_at(place, key))))
    }

    // Written out as `get` is.
    fn set<'s, 'k, 'async_trait>(
        &'s self,
        key: &'k str,
        value: Bytes,
        write: Write,
    ) -> Pin<Box<dyn Future<Output = Result<Outcome>> + Send + 'async_trait>>
    where
        Self: 'async_trait,
        's: 'async_trait,
        'k: 'async_trait,
    {
        let place = self.table.place(key);
        Box::pin(async move {
            let outcome = self.table.set_at(place, key, value, &write)?;
            self.expect_expiry(write.lifetime);
            Ok(outcome)
        })
    }

    async fn set_cached(&self, key: &str, value: Bytes, write: Write) -> Result<Outcome> {
        let outcome = self.table.set_cached(key, value, &write)?;
        self.expect_expiry(write.lifetime);
        Ok(outcome)
    }

    // Written out as `get` is.
    fn delete<'s, 'k, 'async_trait>(
        &'s self,
        key: &'k str,
        condition: Condition,
    ) -> Pin<Box<dyn Future<Output = Result<bool>> + Send + 'async_trait>>
    where
        Self: 'async_trait,
        's: 'async_trait,
        'k: 'async_trait,
    {
        Box::pin(async move { self.table.delete(key, &condition) })
    }

    async fn ttl(&self, key: &str) -> Result<Option<Remaining>> {
        self.table.ttl(key)
    }

    async fn scan(&self, request: ScanRequest<'_>) -> Result<ScanPage> {
        self.table.scan(&request)
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::TTL | Capabilities::CONDITIONS | Capabilities::COUNTERS | Capabilities::WATCH
    }

    fn get_now(&self, key: &str) -> Option<Result<Option<Entry>>> {
        Some(self.table.get(key))
    }

    async fn exists(&self, key: &str) -> Result<bool> {
        Ok(self.table.ttl(key)?.is_some())
    }

    async fn get_many(&self, keys: &[&str]) -> Result<Vec<Option<Entry>>> {
        self.table.check_open()?;
        keys.iter().map(|key| self.table.get(key)).collect()
    }

    async fn set_many(&self, entries: Vec<(String, Bytes)>, lifetime: Lifetime) -> Result<()> {
        self.table.check_open()?;
        let write = Write::ALWAYS.lifetime(lifetime);
        for (done, (key, value)) in entries.into_iter().enumerate() {
            let outcome = self.set_now(&key, value, &write);
            outcome.map_err(|error| partly(error.key(&key), done))?;
        }
        Ok(())
    }

    async fn delete_many(&self, keys: &[&str]) -> Result<u64> {
        self.table.check_open()?;
        let mut deleted = 0;
        for (done, key) in keys.iter().enumerate() {
            let removed = self.table.delete(key, &Condition::Always);
            deleted += u64::from(removed.map_err(|error| partly(error.key(key), done))?);
        }
        Ok(deleted)
    }

    // Written out as `get` is.
    fn increment<'s, 'k, 'async_trait>(
        &'s self,
        key: &'k str,
        by: i64,
        lifetime: Lifetime,
    ) -> Pin<Box<dyn Future<Output = Result<i64>> + Send + 'async_trait>>
    where
        Self: 'async_trait,
        's: 'async_trait,
        'k: 'async_trait,
    {
        Box::pin(async move { self.increment_now(key, by, lifetime) })
    }

    async fn take(&self, key: &str) -> Result<Option<Entry>> {
        self.table.take(key)
    }

    async fn touch(&self, key: &str, lifetime: Lifetime) -> Result<bool> {
        self.touch_now(key, lifetime)
    }

    async fn execute(&self, commands: Vec<Command>) -> Result<Vec<Result<Reply>>> {
        self.table.check_open()?;
        Ok(commands.into_iter().map(|command| self.run(command)).collect())
    }

    async fn now(&self) -> Result<Duration> {
        self.table.check_open()?;
        Ok(self.table.time.clock().wall())
    }

    fn watch(&self, prefix: &str, watcher: Weak<dyn Watcher>) -> Result<()> {
        self.table.watchers.add(prefix, Weak::clone(&watcher));
        // Afterwards: a close in between has told it.
        self.table.check_open()?;
        watcher.upgrade().into_iter().for_each(|watcher| watcher.gap());
        Ok(())
    }

    async fn ping(&self) -> Result<()> {
        self.table.check_open()
    }

    async fn stats(&self) -> Result<Stats> {
        self.table.stats()
    }

    async fn close(&self) -> Result<()> {
        self.rest.close();
        Ok(())
    }

    fn queue_engine(&self) -> QueueSupport {
        QueueSupport::Native(Arc::clone(&self.rest.queues) as _)
    }
}
