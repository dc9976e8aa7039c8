//! Stores whose keys are secrets: no error and no `Debug` shows one.
//!
//! A backend is given whole keys, and so may name them in its errors. What it says passes through
//! [`Hiding`] before anybody sees it: the key of the error is replaced, and a text that shows the
//! key is replaced or left out.

use std::error::Error as StdError;
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;

use super::Store;
use crate::key::HIDDEN;
use crate::queue::QueueSupport;
use crate::{
    Achieved, Capabilities, Command, Condition, Durability, Entry, Error, KeyValueStore, Lifetime,
    Outcome, Pattern, RESERVED, Remaining, Reply, Result, ScanPage, ScanRequest, Stats, Watcher,
    Write, async_trait,
};

/// A shorter secret is looked for in a text with what stands before it in the key: by itself it is
/// part of many words.
const SHORT: usize = 4;

/// How many causes of an error are looked at. What is behind them is left out.
const MOST_CAUSES: usize = 32;

impl Store {
    /// The same store, whose keys are secrets, such as the ids of sessions: errors, `Debug` and
    /// whatever else the library says show the namespace, and `<hidden>` for what follows it.
    /// Clones, batches and walks of it, and the namespaces within it, hide their keys too.
    ///
    /// Neither a part nor a digest of a key is shown: whoever can guess a key could recognise it by
    /// them. [`failed_key`](Error::failed_key) is the text that is shown. A cause whose text
    /// contains the key is replaced by a note; one that does not can be told apart as ever.
    ///
    /// The mark is this handle's: the same keys through an unmarked store, or through
    /// [`inner`](Self::inner), are shown. A backend that logs keys by itself is not kept from it;
    /// those of this library log none. The names of queues and the ids of jobs are no keys.
    ///
    /// ```
    /// # use kv_core::Store;
    /// # fn check(store: Store) {
    /// let sessions = store.namespace("sessions").with_hidden_keys();
    /// // set "sessions:<hidden>": no reply within 5 s (may have been applied)
    /// # drop(sessions);
    /// # }
    /// ```
    #[must_use]
    pub fn with_hidden_keys(self) -> Self {
        let hiding = self.hiding.clone().unwrap_or_else(|| {
            Arc::new(Hiding { inner: Arc::clone(self.inner()), place: Arc::clone(&self.place) })
        });
        Self { hiding: Some(hiding), ..self }
    }

    /// An error of this store's own, which shows no key if none may be shown. Every error passes
    /// here before a key is added to it: the first key counts.
    pub(super) fn told(&self, error: Error) -> Error {
        match &self.hiding {
            Some(hiding) => error.key(&hiding.shown()),
            None => error,
        }
    }

    /// The error of a program's own code about a key, with or without what stands before it; the
    /// error may show it either way.
    pub(super) fn quoted(&self, error: Error, key: &str) -> Error {
        let Some(hiding) = &self.hiding else { return error };
        let own = key.strip_prefix(&*self.place).unwrap_or(key);
        let stored = [&*self.place, own].concat();
        let own = if own.len() < SHORT { "" } else { own };
        hidden(error, &[hiding.secret(&stored), own]).key(&hiding.shown())
    }

    /// The pattern of this store's keys that match a glob.
    pub(super) fn own_pattern(&self, glob: &str) -> Result<Pattern> {
        let pattern = Pattern::within(self.prefix(), glob).map_err(|error| self.told(error))?;
        Ok(match &self.hiding {
            Some(hiding) => pattern.hidden_behind(&hiding.place),
            None => pattern,
        })
    }
}

/// A backend whose errors show no key.
pub(super) struct Hiding {
    inner: Arc<dyn KeyValueStore>,
    /// Prefix and namespace of the store that was marked: what comes before every secret.
    place: Arc<str>,
}

impl Hiding {
    /// What is shown for every key.
    pub(super) fn shown(&self) -> String {
        [&*self.place, HIDDEN].concat()
    }

    /// The part of a key that is secret.
    fn secret<'k>(&self, key: &'k str) -> &'k str {
        let prefix = self.inner.key_prefix();
        let own = key.strip_prefix(prefix).unwrap_or(key);
        let namespace = self.place.strip_prefix(prefix).unwrap_or(&self.place);
        let kind = own.strip_prefix(RESERVED).and_then(|own| own.split_once(':'));
        let own = kind.map_or(own, |(_, own)| own);
        let secret = own.strip_prefix(namespace).unwrap_or(own);
        if secret.len() < SHORT { key } else { secret }
    }

    /// An error about one key.
    fn of(&self, error: Error, key: &str) -> Error {
        let secret = [self.secret(key)];
        hidden(error, &secret).key(&self.shown())
    }

    /// An error about any of these keys.
    fn of_any<'k>(&self, error: Error, keys: impl IntoIterator<Item = &'k str>) -> Error {
        let secrets: Vec<_> = keys.into_iter().map(|key| self.secret(key)).collect();
        hidden(error, &secrets).key(&self.shown())
    }

    async fn one<T>(&self, key: &str, call: impl Future<Output = Result<T>> + Send) -> Result<T> {
        call.await.map_err(|error| self.of(error, key))
    }
}

/// An error without its key, and without the texts that show one of the secrets.
fn hidden(error: Error, secrets: &[&str]) -> Error {
    let quoted: Vec<String> = secrets.iter().map(|it| it.escape_debug().to_string()).collect();
    let words = || secrets.iter().copied().chain(quoted.iter().map(String::as_str));
    let shows = |text: &str| words().any(|word| !word.is_empty() && text.contains(word));
    let (mut next, mut shows_cause) = (error.source(), false);
    for _ in 0..MOST_CAUSES {
        let Some(cause) = next else { break };
        shows_cause |= shows(&cause.to_string()) || shows(&format!("{cause:?}"));
        next = cause.source();
    }
    let shows_cause = shows_cause || next.is_some();
    error.without_key(shows, shows_cause.then_some("a cause that shows a hidden key is left out"))
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl KeyValueStore for Hiding {
    async fn get(&self, key: &str) -> Result<Option<Entry>> {
        self.one(key, self.inner.get(key)).await
    }

    async fn set(&self, key: &str, value: Bytes, write: Write) -> Result<Outcome> {
        self.one(key, self.inner.set(key, value, write)).await
    }

    async fn set_cached(&self, key: &str, value: Bytes, write: Write) -> Result<Outcome> {
        self.one(key, self.inner.set_cached(key, value, write)).await
    }

    async fn delete(&self, key: &str, condition: Condition) -> Result<bool> {
        self.one(key, self.inner.delete(key, condition)).await
    }

    async fn ttl(&self, key: &str) -> Result<Option<Remaining>> {
        self.one(key, self.inner.ttl(key)).await
    }

    async fn scan(&self, request: ScanRequest<'_>) -> Result<ScanPage> {
        let (pattern, secret) = (request.pattern.as_str(), request.pattern.secret());
        let secret = if secret.len() < SHORT { pattern } else { secret };
        let page = self.inner.scan(request).await;
        page.map_err(|error| hidden(error, &[secret]).key(&self.shown()))
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn key_prefix(&self) -> &str {
        self.inner.key_prefix()
    }

    fn get_now(&self, key: &str) -> Option<Result<Option<Entry>>> {
        Some(self.inner.get_now(key)?.map_err(|error| self.of(error, key)))
    }

    async fn exists(&self, key: &str) -> Result<bool> {
        self.one(key, self.inner.exists(key)).await
    }

    async fn get_many(&self, keys: &[&str]) -> Result<Vec<Option<Entry>>> {
        let entries = self.inner.get_many(keys).await;
        entries.map_err(|error| self.of_any(error, keys.iter().copied()))
    }

    async fn set_durable(
        &self,
        key: &str,
        value: Bytes,
        write: Write,
        durability: Durability,
    ) -> Result<(Outcome, Achieved)> {
        self.one(key, self.inner.set_durable(key, value, write, durability)).await
    }

    async fn set_many(&self, entries: Vec<(String, Bytes)>, lifetime: Lifetime) -> Result<()> {
        let keys: Vec<_> = entries.iter().map(|(key, _)| key.clone()).collect();
        let written = self.inner.set_many(entries, lifetime).await;
        written.map_err(|error| self.of_any(error, keys.iter().map(String::as_str)))
    }

    async fn delete_many(&self, keys: &[&str]) -> Result<u64> {
        let deleted = self.inner.delete_many(keys).await;
        deleted.map_err(|error| self.of_any(error, keys.iter().copied()))
    }

    async fn increment(&self, key: &str, by: i64, lifetime: Lifetime) -> Result<i64> {
        self.one(key, self.inner.increment(key, by, lifetime)).await
    }

    async fn take(&self, key: &str) -> Result<Option<Entry>> {
        self.one(key, self.inner.take(key)).await
    }

    async fn touch(&self, key: &str, lifetime: Lifetime) -> Result<bool> {
        self.one(key, self.inner.touch(key, lifetime)).await
    }

    async fn execute(&self, commands: Vec<Command>) -> Result<Vec<Result<Reply>>> {
        let keys: Vec<_> = commands.iter().map(|command| command.key().to_owned()).collect();
        let replies = self.inner.execute(commands).await;
        let replies =
            replies.map_err(|error| self.of_any(error, keys.iter().map(String::as_str)))?;
        // A backend that answers more than it was asked is found out later.
        let keys = keys.iter().map(String::as_str).chain(std::iter::repeat(""));
        let hide = |(reply, key): (Result<Reply>, &str)| reply.map_err(|error| self.of(error, key));
        Ok(replies.into_iter().zip(keys).map(hide).collect())
    }

    async fn now(&self) -> Result<Duration> {
        self.inner.now().await
    }

    /// Errors of a watch are about the connection, not about a key.
    fn watch(&self, prefix: &str, watcher: Weak<dyn Watcher>) -> Result<()> {
        let watched = self.inner.watch(prefix, watcher);
        watched.map_err(|error| self.of(error, prefix))
    }

    async fn ping(&self) -> Result<()> {
        self.inner.ping().await
    }

    async fn stats(&self) -> Result<Stats> {
        self.inner.stats().await
    }

    async fn close(&self) -> Result<()> {
        self.inner.close().await
    }

    fn queue_engine(&self) -> QueueSupport {
        self.inner.queue_engine()
    }
}
