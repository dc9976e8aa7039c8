//! Statistics: how much each namespace is used, and how well its values are found.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use kv_core::queue::QueueSupport;
use kv_core::{
    Achieved, Bytes, Capabilities, Clock, Command, Condition, Durability, Entry, KeyValueStore,
    Lifetime, Outcome, Remaining, Reply, Result, ScanPage, ScanRequest, Stats, SystemClock,
    Watcher, Write, async_trait,
};

/// The most namespaces that are told apart. Keys of others count as [`OTHERS`].
const MOST_NAMESPACES: usize = 256;

/// The name under which keys of further namespaces count.
const OTHERS: &str = "*";

/// Counts hits, misses, loads, bytes and time by namespace: by what stands before the first colon of
/// a key, behind the deployment's prefix. Keys without a colon have the empty namespace; counters and
/// other keys of the library have `!kv`. At most 256 namespaces are told apart, and keys of others
/// count under `*`. Clones count together.
///
/// A call with keys of several namespaces counts in each of them. Queues are not counted.
///
/// ```
/// use kv_core::Store;
/// use kv_layers::Statistics;
/// use kv_memory::MemoryStore;
/// # kv_testkit::runtime()?.block_on(async {
/// let statistics = Statistics::new();
/// let store = Store::from(statistics.on(MemoryStore::new()));
/// let pages = store.namespace("pages");
/// pages.set("a", "text").await?;
/// pages.get::<String>("a").await?;
/// pages.get::<String>("b").await?;
/// let figures = statistics.snapshot()["pages"];
/// assert_eq!((figures.hits, figures.misses, figures.writes), (1, 1, 1));
/// # Ok::<(), kv_core::Error>(()) }).unwrap();
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct Statistics {
    figures: Arc<Mutex<HashMap<String, Usage>>>,
    clock: Arc<dyn Clock>,
}

/// What was counted of one namespace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Usage {
    /// Reads of a value that was there.
    pub hits: u64,
    /// Reads of a value that was not there.
    pub misses: u64,
    /// Values that were loaded for a cache, and stored.
    pub loads: u64,
    /// Other values that were written, and increments.
    pub writes: u64,
    /// Keys that were removed.
    pub deletes: u64,
    /// Calls that failed.
    pub errors: u64,
    /// Bytes of the values that were found.
    pub bytes_read: u64,
    /// Bytes of the values that were to be written.
    pub bytes_written: u64,
    /// Calls, failed ones included.
    pub calls: u64,
    /// The time of these calls together.
    pub time: Duration,
}

impl Usage {
    fn read(&mut self, entry: Option<&Entry>) {
        match entry {
            Some(entry) => {
                self.hits += 1;
                self.bytes_read += size(&entry.value);
            }
            None => self.misses += 1,
        }
    }
}

fn size(value: &Bytes) -> u64 {
    u64::try_from(value.len()).unwrap_or(u64::MAX)
}

impl Statistics {
    /// Nothing counted yet, on the machine's clock.
    pub fn new() -> Self {
        Self { figures: Arc::default(), clock: Arc::new(SystemClock::new()) }
    }

    /// The same with another source of time.
    #[must_use]
    pub fn clock(self, clock: impl Clock) -> Self {
        Self { clock: Arc::new(clock), ..self }
    }

    /// The store with this layer around it.
    pub fn on(&self, store: impl KeyValueStore) -> Box<dyn KeyValueStore> {
        Box::new(Counted { statistics: self.clone(), store: Box::new(store) })
    }

    /// What was counted so far, by namespace.
    pub fn snapshot(&self) -> BTreeMap<String, Usage> {
        self.figures().iter().map(|(name, usage)| (name.clone(), *usage)).collect()
    }

    fn figures(&self) -> MutexGuard<'_, HashMap<String, Usage>> {
        self.figures.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, namespace: &str, count: impl FnOnce(&mut Usage)) {
        let mut figures = self.figures();
        let is_full = figures.len() >= MOST_NAMESPACES && !figures.contains_key(namespace);
        let name = if is_full { OTHERS } else { namespace };
        match figures.get_mut(name) {
            Some(usage) => count(usage),
            None => count(figures.entry(name.to_owned()).or_default()),
        }
    }
}

impl Default for Statistics {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Statistics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Statistics").field("namespaces", &self.figures().len()).finish()
    }
}

struct Counted {
    statistics: Statistics,
    store: Box<dyn KeyValueStore>,
}

impl Counted {
    fn namespace<'k>(&self, key: &'k str) -> &'k str {
        let own = key.strip_prefix(self.store.key_prefix()).unwrap_or(key);
        own.split_once(':').map_or("", |(namespace, _)| namespace)
    }

    /// Runs a call about keys, and counts it and its answer.
    async fn call<T>(
        &self,
        keys: &[&str],
        call: impl Future<Output = Result<T>> + Send,
        count: impl FnOnce(&Self, &T) + Send,
    ) -> Result<T> {
        let clock = &self.statistics.clock;
        let began = clock.now();
        let answer = call.await;
        let time = clock.now().saturating_sub(began);
        let namespaces: BTreeSet<&str> = keys.iter().map(|key| self.namespace(key)).collect();
        for namespace in namespaces {
            self.statistics.count(namespace, |usage| {
                usage.calls += 1;
                usage.time += time;
                usage.errors += u64::from(answer.is_err());
            });
        }
        if let Ok(answer) = &answer {
            count(self, answer);
        }
        answer
    }

    fn one(&self, key: &str, count: impl FnOnce(&mut Usage)) {
        self.statistics.count(self.namespace(key), count);
    }

    fn written(&self, key: &str, bytes: u64) {
        self.one(key, |usage| {
            usage.writes += 1;
            usage.bytes_written += bytes;
        });
    }

    fn reply(&self, key: &str, is_write: bool, bytes: u64, reply: &Result<Reply>) {
        match reply {
            Ok(Reply::Entry(entry)) => self.one(key, |usage| usage.read(entry.as_ref())),
            Ok(Reply::Outcome(outcome)) if outcome.is_written() => self.written(key, bytes),
            Ok(Reply::Number(_)) => self.written(key, bytes),
            Ok(Reply::Flag(true)) if is_write => self.one(key, |usage| usage.deletes += 1),
            Ok(_) => {}
            Err(_) => self.one(key, |usage| usage.errors += 1),
        }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl KeyValueStore for Counted {
    async fn get(&self, key: &str) -> Result<Option<Entry>> {
        let count = |this: &Self, entry: &Option<Entry>| {
            this.one(key, |usage| usage.read(entry.as_ref()));
        };
        self.call(&[key], self.store.get(key), count).await
    }

    async fn set(&self, key: &str, value: Bytes, write: Write) -> Result<Outcome> {
        let bytes = size(&value);
        let count = |this: &Self, outcome: &Outcome| {
            if outcome.is_written() {
                this.written(key, bytes);
            }
        };
        self.call(&[key], self.store.set(key, value, write), count).await
    }

    async fn set_cached(&self, key: &str, value: Bytes, write: Write) -> Result<Outcome> {
        let bytes = size(&value);
        let count = |this: &Self, outcome: &Outcome| {
            this.one(key, |usage| {
                usage.loads += u64::from(outcome.is_written());
                usage.bytes_written += bytes;
            });
        };
        self.call(&[key], self.store.set_cached(key, value, write), count).await
    }

    async fn delete(&self, key: &str, condition: Condition) -> Result<bool> {
        let count = |this: &Self, was_there: &bool| {
            this.one(key, |usage| usage.deletes += u64::from(*was_there));
        };
        self.call(&[key], self.store.delete(key, condition), count).await
    }

    async fn ttl(&self, key: &str) -> Result<Option<Remaining>> {
        self.call(&[key], self.store.ttl(key), |_, _| {}).await
    }

    async fn scan(&self, request: ScanRequest<'_>) -> Result<ScanPage> {
        self.store.scan(request).await
    }

    fn capabilities(&self) -> Capabilities {
        self.store.capabilities()
    }

    fn key_prefix(&self) -> &str {
        self.store.key_prefix()
    }

    fn get_now(&self, key: &str) -> Option<Result<Option<Entry>>> {
        let answer = self.store.get_now(key)?;
        self.one(key, |usage| {
            usage.calls += 1;
            match &answer {
                Ok(entry) => usage.read(entry.as_ref()),
                Err(_) => usage.errors += 1,
            }
        });
        Some(answer)
    }

    async fn exists(&self, key: &str) -> Result<bool> {
        self.call(&[key], self.store.exists(key), |_, _| {}).await
    }

    async fn get_many(&self, keys: &[&str]) -> Result<Vec<Option<Entry>>> {
        let count = |this: &Self, entries: &Vec<Option<Entry>>| {
            for (key, entry) in keys.iter().zip(entries) {
                this.one(key, |usage| usage.read(entry.as_ref()));
            }
        };
        self.call(keys, self.store.get_many(keys), count).await
    }

    async fn set_durable(
        &self,
        key: &str,
        value: Bytes,
        write: Write,
        durability: Durability,
    ) -> Result<(Outcome, Achieved)> {
        let bytes = size(&value);
        let count = |this: &Self, (outcome, _): &(Outcome, Achieved)| {
            if outcome.is_written() {
                this.written(key, bytes);
            }
        };
        self.call(&[key], self.store.set_durable(key, value, write, durability), count).await
    }

    async fn set_many(&self, entries: Vec<(String, Bytes)>, lifetime: Lifetime) -> Result<()> {
        let sizes: Vec<(String, u64)> =
            entries.iter().map(|(key, value)| (key.clone(), size(value))).collect();
        let keys: Vec<&str> = sizes.iter().map(|(key, _)| key.as_str()).collect();
        let count = |this: &Self, (): &()| {
            sizes.iter().for_each(|(key, bytes)| this.written(key, *bytes));
        };
        self.call(&keys, self.store.set_many(entries, lifetime), count).await
    }

    /// Counts the calls only: the answer does not tell which keys were there.
    async fn delete_many(&self, keys: &[&str]) -> Result<u64> {
        self.call(keys, self.store.delete_many(keys), |_, _| {}).await
    }

    async fn increment(&self, key: &str, by: i64, lifetime: Lifetime) -> Result<i64> {
        let count = |this: &Self, _: &i64| this.written(key, 0);
        self.call(&[key], self.store.increment(key, by, lifetime), count).await
    }

    async fn take(&self, key: &str) -> Result<Option<Entry>> {
        let count = |this: &Self, entry: &Option<Entry>| {
            this.one(key, |usage| {
                usage.read(entry.as_ref());
                usage.deletes += u64::from(entry.is_some());
            });
        };
        self.call(&[key], self.store.take(key), count).await
    }

    async fn touch(&self, key: &str, lifetime: Lifetime) -> Result<bool> {
        self.call(&[key], self.store.touch(key, lifetime), |_, _| {}).await
    }

    async fn execute(&self, commands: Vec<Command>) -> Result<Vec<Result<Reply>>> {
        let asked: Vec<(String, bool, u64)> = commands
            .iter()
            .map(|command| {
                let bytes = match command {
                    Command::Set { value, .. } => size(value),
                    _ => 0,
                };
                let deletes = matches!(command, Command::Delete { .. });
                (command.key().to_owned(), deletes, bytes)
            })
            .collect();
        let keys: Vec<&str> = asked.iter().map(|(key, ..)| key.as_str()).collect();
        let count = |this: &Self, replies: &Vec<Result<Reply>>| {
            for ((key, deletes, bytes), reply) in asked.iter().zip(replies) {
                this.reply(key, *deletes, *bytes, reply);
            }
        };
        self.call(&keys, self.store.execute(commands), count).await
    }

    async fn now(&self) -> Result<Duration> {
        self.store.now().await
    }

    fn watch(&self, prefix: &str, watcher: Weak<dyn Watcher>) -> Result<()> {
        self.store.watch(prefix, watcher)
    }

    async fn ping(&self) -> Result<()> {
        self.store.ping().await
    }

    async fn stats(&self) -> Result<Stats> {
        self.store.stats().await
    }

    async fn close(&self) -> Result<()> {
        self.store.close().await
    }

    fn queue_engine(&self) -> QueueSupport {
        self.store.queue_engine()
    }
}
