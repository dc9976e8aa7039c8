//! A store whose values are stored in another form: the one place that codes every method.

use std::sync::Weak;
use std::time::Duration;

use kv_core::queue::QueueSupport;
use kv_core::{
    Achieved, Bytes, Capabilities, Command, Condition, Durability, Entry, Error, ErrorKind,
    KeyValueStore, Lifetime, Outcome, Remaining, Reply, Result, ScanPage, ScanRequest, Stats,
    Watcher, Write, add_to_counter, async_trait,
};

/// How often an increment is tried before it is a conflict.
const ATTEMPTS: usize = 128;

/// A form of values.
pub(crate) trait Codec: Send + Sync + 'static {
    /// Whether numbers are stored as they are, so that the store can count.
    const KEEPS_NUMBERS: bool;
    /// Why queues are refused.
    const NO_QUEUES: &'static str;

    fn encode(&self, key: &str, value: Bytes) -> Result<Bytes>;

    fn decode(&self, key: &str, stored: Bytes) -> Result<Bytes>;
}

/// A store around which values are coded. Versions are those of the stored bytes.
pub(crate) struct Coded<C> {
    pub(crate) codec: C,
    pub(crate) store: Box<dyn KeyValueStore>,
}

impl<C: Codec> Coded<C> {
    fn entry(&self, key: &str, entry: Option<Entry>) -> Result<Option<Entry>> {
        let Some(Entry { value, version }) = entry else { return Ok(None) };
        let value = self.codec.decode(key, value).map_err(|error| error.key(key))?;
        Ok(Some(Entry { value, version }))
    }

    fn command(&self, command: Command) -> Result<Command> {
        match command {
            Command::Set { key, value, write } => {
                let value = self.codec.encode(&key, value)?;
                Ok(Command::Set { key, value, write })
            }
            command => Ok(command),
        }
    }

    /// Commands that the store can run together.
    async fn together(&self, commands: Vec<Command>) -> Result<Vec<Result<Reply>>> {
        let keys: Vec<String> = commands.iter().map(|command| command.key().to_owned()).collect();
        let commands = commands.into_iter().map(|command| self.command(command));
        let replies = self.store.execute(commands.collect::<Result<_>>()?).await?;
        let decode = |(reply, key): (Result<Reply>, &String)| match reply? {
            Reply::Entry(entry) => Ok(Reply::Entry(self.entry(key, entry)?)),
            reply => Ok(reply),
        };
        Ok(replies.into_iter().zip(&keys).map(decode).collect())
    }

    /// Whether a command has to be made of several calls.
    fn is_apart(command: &Command) -> bool {
        match command {
            Command::Increment { .. } => !C::KEEPS_NUMBERS,
            // What does not decode is not taken.
            Command::Take { .. } => true,
            _ => false,
        }
    }

    async fn apart(&self, command: Command) -> Result<Reply> {
        match command {
            Command::Increment { key, by, lifetime } => {
                Ok(Reply::Number(self.increment(&key, by, lifetime).await?))
            }
            Command::Take { key } => Ok(Reply::Entry(self.take(&key).await?)),
            other => Err(Error::unsupported(other.name())),
        }
    }
}

#[async_trait]
impl<C: Codec> KeyValueStore for Coded<C> {
    async fn get(&self, key: &str) -> Result<Option<Entry>> {
        self.entry(key, self.store.get(key).await?)
    }

    async fn set(&self, key: &str, value: Bytes, write: Write) -> Result<Outcome> {
        self.store.set(key, self.codec.encode(key, value)?, write).await
    }

    async fn set_cached(&self, key: &str, value: Bytes, write: Write) -> Result<Outcome> {
        self.store.set_cached(key, self.codec.encode(key, value)?, write).await
    }

    async fn delete(&self, key: &str, condition: Condition) -> Result<bool> {
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

    fn get_now(&self, key: &str) -> Option<Result<Option<Entry>>> {
        Some(self.store.get_now(key)?.and_then(|entry| self.entry(key, entry)))
    }

    async fn exists(&self, key: &str) -> Result<bool> {
        self.store.exists(key).await
    }

    async fn get_many(&self, keys: &[&str]) -> Result<Vec<Option<Entry>>> {
        let entries = self.store.get_many(keys).await?.into_iter().zip(keys);
        entries.map(|(entry, key)| self.entry(key, entry)).collect()
    }

    async fn set_durable(
        &self,
        key: &str,
        value: Bytes,
        write: Write,
        durability: Durability,
    ) -> Result<(Outcome, Achieved)> {
        self.store.set_durable(key, self.codec.encode(key, value)?, write, durability).await
    }

    async fn set_many(&self, entries: Vec<(String, Bytes)>, lifetime: Lifetime) -> Result<()> {
        let encode = |(key, value): (String, Bytes)| {
            let value = self.codec.encode(&key, value)?;
            Ok((key, value))
        };
        let entries = entries.into_iter().map(encode).collect::<Result<_>>()?;
        self.store.set_many(entries, lifetime).await
    }

    async fn delete_many(&self, keys: &[&str]) -> Result<u64> {
        self.store.delete_many(keys).await
    }

    async fn increment(&self, key: &str, by: i64, lifetime: Lifetime) -> Result<i64> {
        if C::KEEPS_NUMBERS {
            return self.store.increment(key, by, lifetime).await;
        }
        lifetime.as_millis()?;
        for _ in 0..ATTEMPTS {
            let (sum, write) = match self.get(key).await? {
                None => (by, Write { lifetime, condition: Condition::Absent }),
                Some(entry) => {
                    let condition = Condition::Version(entry.version);
                    let write = Write { lifetime: Lifetime::Keep, condition };
                    (add_to_counter(&entry.value, by)?, write)
                }
            };
            if self.set(key, Bytes::from(sum.to_string()), write).await?.is_written() {
                return Ok(sum);
            }
        }
        let message = format!("others changed the key during each of {ATTEMPTS} attempts");
        Err(Error::new(ErrorKind::Conflict, message))
    }

    async fn touch(&self, key: &str, lifetime: Lifetime) -> Result<bool> {
        self.store.touch(key, lifetime).await
    }

    async fn execute(&self, commands: Vec<Command>) -> Result<Vec<Result<Reply>>> {
        let (mut replies, mut batch) = (Vec::with_capacity(commands.len()), Vec::new());
        for command in commands {
            if !Self::is_apart(&command) {
                batch.push(command);
                continue;
            }
            if !batch.is_empty() {
                replies.extend(self.together(std::mem::take(&mut batch)).await?);
            }
            replies.push(self.apart(command).await);
        }
        if !batch.is_empty() || replies.is_empty() {
            replies.extend(self.together(batch).await?);
        }
        Ok(replies)
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
        QueueSupport::Refused(C::NO_QUEUES)
    }
}
