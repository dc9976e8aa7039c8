//! The store with a cache around it: reads are kept, and writes forget.

use std::sync::{Arc, Weak};
use std::time::Duration;

use kv_core::queue::QueueSupport;
use kv_core::{
    Achieved, Bytes, Capabilities, Command, Condition, Durability, Entry, Error, ErrorKind,
    KeyValueStore, Lifetime, Outcome, Remaining, Reply, Result, ScanPage, ScanRequest, Stats,
    Watcher, Write, async_trait,
};

use super::cache::{Asked, Cache};

/// How many keys that are not kept are asked for at once.
const KEYS_AT_ONCE: usize = 500;

pub(super) struct NearStore {
    store: Box<dyn KeyValueStore>,
    cache: Arc<Cache>,
    has_lifetimes: bool,
}

impl NearStore {
    pub(super) fn new(store: Box<dyn KeyValueStore>, cache: Arc<Cache>) -> Self {
        let has_lifetimes = store.capabilities().contains(Capabilities::TTL);
        Self { store, cache, has_lifetimes }
    }

    /// Forgets the keys when the write has ended, however it ends. Nobody who reads after that gets
    /// what was there before: a reply that was under way meanwhile is not kept.
    fn writing<'a>(&'a self, keys: impl IntoIterator<Item = &'a str>) -> Writing<'a> {
        Writing { cache: &self.cache, keys: keys.into_iter().collect() }
    }

    /// Asks for keys, each with the time that it has left, and keeps what can be kept.
    async fn read(&self, keys: &[&str]) -> Result<Vec<Option<Entry>>> {
        let asked: Vec<Option<Asked>> = keys.iter().map(|key| self.cache.ask(key)).collect();
        if !self.has_lifetimes || asked.iter().all(Option::is_none) {
            let entries = self.plain(keys).await?;
            for ((key, asked), entry) in keys.iter().zip(asked).zip(&entries) {
                if let Some(asked) = asked {
                    self.cache.keep(asked, key, entry.as_ref(), Some(Remaining::Forever));
                }
            }
            return Ok(entries);
        }
        let of =
            |key: &&str| [Command::Get { key: (*key).into() }, Command::Ttl { key: (*key).into() }];
        let replies = self.store.execute(keys.iter().flat_map(of).collect()).await?;
        let mut replies = replies.into_iter();
        let mut entries = Vec::with_capacity(keys.len());
        for (key, asked) in keys.iter().zip(asked) {
            let (Some(entry), Some(left)) = (replies.next(), replies.next()) else {
                return Err(Error::new(ErrorKind::Backend, "a command of a batch got no reply"));
            };
            let Reply::Entry(entry) = entry? else { return Err(unexpected()) };
            if let (Some(asked), Ok(Reply::Remaining(left))) = (asked, left) {
                self.cache.keep(asked, key, entry.as_ref(), left);
            }
            entries.push(entry);
        }
        Ok(entries)
    }

    async fn plain(&self, keys: &[&str]) -> Result<Vec<Option<Entry>>> {
        match keys {
            [key] => Ok(vec![self.store.get(key).await?]),
            keys => self.store.get_many(keys).await,
        }
    }
}

/// Keys that are being written.
struct Writing<'a> {
    cache: &'a Cache,
    keys: Vec<&'a str>,
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        self.keys.iter().for_each(|key| self.cache.forget(key));
    }
}

fn unexpected() -> Error {
    Error::new(ErrorKind::Backend, "a command of a batch got the reply to another")
}

/// What a command may change.
fn changes(command: &Command) -> bool {
    !matches!(command, Command::Get { .. } | Command::Exists { .. } | Command::Ttl { .. })
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl KeyValueStore for NearStore {
    async fn get(&self, key: &str) -> Result<Option<Entry>> {
        if let Some(entry) = self.cache.get(key) {
            return Ok(entry);
        }
        Ok(self.read(&[key]).await?.pop().flatten())
    }

    async fn set(&self, key: &str, value: Bytes, write: Write) -> Result<Outcome> {
        let _writing = self.writing([key]);
        self.store.set(key, value, write).await
    }

    async fn set_cached(&self, key: &str, value: Bytes, write: Write) -> Result<Outcome> {
        let _writing = self.writing([key]);
        self.store.set_cached(key, value, write).await
    }

    async fn delete(&self, key: &str, condition: Condition) -> Result<bool> {
        let _writing = self.writing([key]);
        self.store.delete(key, condition).await
    }

    async fn ttl(&self, key: &str) -> Result<Option<Remaining>> {
        self.store.ttl(key).await
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

    #[inline]
    fn get_now(&self, key: &str) -> Option<Result<Option<Entry>>> {
        self.cache.get(key).map(Ok)
    }

    async fn exists(&self, key: &str) -> Result<bool> {
        self.store.exists(key).await
    }

    async fn get_many(&self, keys: &[&str]) -> Result<Vec<Option<Entry>>> {
        let mut entries: Vec<_> = keys.iter().map(|key| self.cache.get(key)).collect();
        let is_missed = |(_, entry): &(usize, &Option<Option<Entry>>)| entry.is_none();
        let missed = entries.iter().enumerate().filter(is_missed);
        let missed: Vec<usize> = missed.map(|(at, _)| at).collect();
        for part in missed.chunks(KEYS_AT_ONCE) {
            let asked: Vec<&str> = part.iter().map(|at| keys[*at]).collect();
            for (at, entry) in part.iter().zip(self.read(&asked).await?) {
                entries[*at] = Some(entry);
            }
        }
        Ok(entries.into_iter().map(Option::flatten).collect())
    }

    async fn set_durable(
        &self,
        key: &str,
        value: Bytes,
        write: Write,
        durability: Durability,
    ) -> Result<(Outcome, Achieved)> {
        let _writing = self.writing([key]);
        self.store.set_durable(key, value, write, durability).await
    }

    async fn set_many(&self, entries: Vec<(String, Bytes)>, lifetime: Lifetime) -> Result<()> {
        let keys: Vec<String> = entries.iter().map(|(key, _)| key.clone()).collect();
        let _writing = self.writing(keys.iter().map(String::as_str));
        self.store.set_many(entries, lifetime).await
    }

    async fn delete_many(&self, keys: &[&str]) -> Result<u64> {
        let _writing = self.writing(keys.iter().copied());
        self.store.delete_many(keys).await
    }

    async fn increment(&self, key: &str, by: i64, lifetime: Lifetime) -> Result<i64> {
        let _writing = self.writing([key]);
        self.store.increment(key, by, lifetime).await
    }

    async fn take(&self, key: &str) -> Result<Option<Entry>> {
        let _writing = self.writing([key]);
        self.store.take(key).await
    }

    async fn touch(&self, key: &str, lifetime: Lifetime) -> Result<bool> {
        let _writing = self.writing([key]);
        self.store.touch(key, lifetime).await
    }

    /// All of it goes to the store: commands run in order, and a read may follow a write.
    async fn execute(&self, commands: Vec<Command>) -> Result<Vec<Result<Reply>>> {
        let keys: Vec<String> = commands
            .iter()
            .filter(|command| changes(command))
            .map(|command| command.key().to_owned())
            .collect();
        let _writing = self.writing(keys.iter().map(String::as_str));
        self.store.execute(commands).await
    }

    async fn now(&self) -> Result<Duration> {
        self.store.now().await
    }

    fn watch(&self, prefix: &str, watcher: Weak<dyn Watcher>) -> Result<()> {
        if !prefix.starts_with(self.cache.prefix()) {
            return self.store.watch(prefix, watcher);
        }
        self.cache.share(prefix, &watcher)
    }

    async fn ping(&self) -> Result<()> {
        self.store.ping().await
    }

    /// Without hits and misses: the store knows only of the reads that come to it.
    async fn stats(&self) -> Result<Stats> {
        let mut stats = self.store.stats().await?;
        (stats.hits, stats.misses) = (None, None);
        Ok(stats)
    }

    async fn close(&self) -> Result<()> {
        self.cache.close();
        self.store.close().await
    }

    /// That of the store: a native engine keeps nothing under plain keys, and the library's own keys
    /// are not kept here.
    fn queue_engine(&self) -> QueueSupport {
        self.store.queue_engine()
    }
}
