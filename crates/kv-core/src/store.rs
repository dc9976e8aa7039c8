//! What a program uses: typed values on top of any backend.

mod batch;
mod cache;
mod clear;
mod counter;
mod durable;
mod hidden;
mod lease;
mod limiter;
mod lock;
mod many;
mod options;
mod pipeline;
mod progress;
mod raw;
mod scan;
mod step;
mod tags;
mod transaction;
mod watch;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use batch::{Batch, BatchReplies, Ticket};
pub use cache::{CacheOptions, CachePolicy};
pub use limiter::Limiter;
pub use lock::Lock;
pub use options::{SetOptions, Undecodable};
pub use pipeline::Pipeline;
pub use scan::Scan;
pub use step::{Flag, Number, Read, Step, Wrote};

use self::cache::{Cache, Conditions};
use self::hidden::Hiding;
use crate::{
    Capabilities, Condition, Entry, Error, ErrorKind, Expiry, KeyValueStore, Lifetime, Outcome,
    RESERVED, Remaining, Result, Serializer, Stats, Version, Write, is_reserved, validate_key,
};

/// Typed state on any backend: a serializer, a default time to live, and a namespace.
///
/// A clone is cheap and shares the backend. Every future is `Send`. A write encodes its value when
/// it is called, so its future does not borrow the value.
///
/// Keys are `prefix + namespace + key`, together at most 1,024 bytes. A key that contains `!kv:`
/// is the library's own: every verb refuses it, and no scan shows it.
///
/// # Errors
/// Every verb can fail with its backend's `Connection`, `Timeout`, `Auth`, `Backend` and `Closed`,
/// with `InvalidKey` or `TooLarge` for its key, and with `Unsupported` if the backend does not
/// declare a capability that the verb needs. Each verb documents its other errors.
///
/// # Cancel safety
/// Dropping the future of a read does nothing. A dropped write is executed at most once. A verb of
/// several steps documents what it leaves behind.
///
/// # Examples
/// See [`kv_memory::MemoryStore`](https://docs.rs/kv-memory), or the README.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
    /// Prefix and namespace: what comes before every key.
    place: Arc<str>,
    serializer: Serializer,
    default_ttl: Option<Duration>,
    undecodable: Undecodable,
    /// Why no key can be formed, if the namespace is invalid.
    misplaced: Option<&'static str>,
    /// The backend as it is used where keys are secrets.
    hiding: Option<Arc<Hiding>>,
    conditions: Arc<Conditions>,
}

struct Shared {
    backend: Arc<dyn KeyValueStore>,
    capabilities: Capabilities,
    closed: AtomicBool,
    cache: Arc<Cache>,
}

impl Store {
    /// A store on a backend: JSON, no default time to live, the backend's own key prefix.
    pub fn new(backend: impl KeyValueStore) -> Self {
        Self::on(Arc::new(backend))
    }

    fn on(backend: Arc<dyn KeyValueStore>) -> Self {
        let place = Arc::from(backend.key_prefix());
        let capabilities = backend.capabilities();
        let (closed, cache) = (AtomicBool::new(false), Arc::new(Cache::new()));
        let shared = Shared { backend, capabilities, closed, cache };
        Self {
            shared: Arc::new(shared),
            place,
            serializer: Serializer::default(),
            default_ttl: None,
            undecodable: Undecodable::Error,
            misplaced: None,
            hiding: None,
            conditions: Arc::new(Conditions::of_system()),
        }
    }

    /// The same store with another serializer.
    #[must_use]
    pub fn with_serializer(self, serializer: Serializer) -> Self {
        Self { serializer, ..self }
    }

    /// The same store with a lifetime for every write that names none. With a lifetime of zero each
    /// such write fails.
    #[must_use]
    pub fn with_default_ttl(self, ttl: Duration) -> Self {
        Self { default_ttl: Some(ttl), ..self }
    }

    /// The same store with another answer to a stored value that does not decode.
    #[must_use]
    pub fn with_undecodable(self, undecodable: Undecodable) -> Self {
        Self { undecodable, ..self }
    }

    /// A view of this store's keys that begin with the name and a colon. If the name already ends
    /// in a colon, none is added. With an empty name every verb fails.
    #[must_use]
    pub fn namespace(&self, name: &str) -> Self {
        let colon = if name.ends_with(':') { "" } else { ":" };
        let place = Arc::from([&*self.place, name, colon].concat());
        let empty = name.is_empty().then_some("the namespace is empty; expected a name");
        Self { place, misplaced: self.misplaced.or(empty), ..self.clone() }
    }

    /// The value under a key.
    ///
    /// # Errors
    /// `Serialization` if the bytes do not decode as a `T`, unless that is a
    /// [miss](Undecodable::Miss); the stored bytes stay.
    pub async fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>> {
        Ok(self.get_versioned(key).await?.map(|(value, _)| value))
    }

    /// The value under a key, and its version, for a [`Condition::Version`].
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn get_versioned<T: DeserializeOwned>(
        &self,
        key: &str,
    ) -> Result<Option<(T, Version)>> {
        let (value, version) = self.find(key).await?;
        Ok(value.zip(version))
    }

    /// Stores a value with the default time to live; replaces a present value.
    ///
    /// # Errors
    /// `Serialization` if the format cannot hold the value; nothing is sent.
    pub fn set<'a, T: Serialize + ?Sized>(
        &'a self,
        key: &str,
        value: &T,
    ) -> impl Future<Output = Result<()>> + Send + 'a + use<'a, T> {
        let written = self.set_with(key, value, SetOptions::new());
        async move { written.await.map(drop) }
    }

    /// Stores a value as the options say. Returns whether it was stored.
    ///
    /// # Errors
    /// `Serialization` if the format cannot hold the value, `InvalidTtl` for a zero lifetime; then
    /// nothing is sent.
    pub fn set_with<'a, T: Serialize + ?Sized>(
        &'a self,
        key: &str,
        value: &T,
        options: SetOptions,
    ) -> impl Future<Output = Result<bool>> + Send + 'a + use<'a, T> {
        let tags = options.tags.clone();
        let prepared = self.prepare_set(key, value, options);
        async move {
            let (key, value, write) = prepared?;
            let value = self.with_tags(&key, value, &tags).await?;
            let outcome = self.writing(&[&key], self.backend()?.set(&key, value, write)).await;
            let outcome: Outcome = outcome.map_err(|error| error.operation("set").key(&key))?;
            Ok(outcome.is_written())
        }
    }

    /// Stores a value if the key does not exist. Returns whether it was stored.
    ///
    /// # Errors
    /// As [`set_with`](Self::set_with).
    pub fn set_if_absent<'a, T: Serialize + ?Sized, E: Into<Expiry>>(
        &'a self,
        key: &str,
        value: &T,
        expiry: E,
    ) -> impl Future<Output = Result<bool>> + Send + 'a + use<'a, T, E> {
        let options = SetOptions::new().ttl(expiry).condition(Condition::Absent);
        self.set_with(key, value, options)
    }

    /// Deletes a key. Returns whether this call removed it.
    ///
    /// # Errors
    /// Those of every verb.
    pub async fn delete(&self, key: &str) -> Result<bool> {
        let key = self.key("delete", key)?;
        let delete = self.backend()?.delete(&key, Condition::Always);
        let deleted = self.writing(&[&key], delete).await;
        deleted.map_err(|error| error.operation("delete").key(&key))
    }

    /// Whether a key exists.
    ///
    /// # Errors
    /// Those of every verb.
    pub async fn exists(&self, key: &str) -> Result<bool> {
        let key = self.key("exists", key)?;
        let exists = self.backend()?.exists(&key).await;
        exists.map_err(|error| error.operation("exists").key(&key))
    }

    /// How long a key has left, or `None` if the key does not exist.
    ///
    /// # Errors
    /// Those of every verb.
    pub async fn ttl(&self, key: &str) -> Result<Option<Remaining>> {
        let key = self.key("ttl", key)?;
        let ttl = self.backend()?.ttl(&key).await;
        ttl.map_err(|error| error.operation("ttl").key(&key))
    }

    /// Gives an existing key another lifetime. Returns whether the key exists.
    ///
    /// # Errors
    /// `InvalidTtl` for zero.
    pub async fn touch(&self, key: &str, expiry: impl Into<Expiry> + Send) -> Result<bool> {
        let lifetime = self.lifetime(expiry.into()).map_err(|e| e.operation("touch").key(key))?;
        let key = self.key("touch", key)?;
        self.require(Capabilities::TTL, "time to live", "touch")?;
        let touched = self.writing(&[&key], self.backend()?.touch(&key, lifetime)).await;
        touched.map_err(|error| error.operation("touch").key(&key))
    }

    /// Whether the backend answers.
    ///
    /// # Errors
    /// Those of the connection.
    pub async fn ping(&self) -> Result<()> {
        self.backend()?.ping().await.map_err(|error| error.operation("ping"))
    }

    /// Figures of the backend; `None` for a figure that the backend does not count.
    ///
    /// # Errors
    /// Those of the connection.
    pub async fn stats(&self) -> Result<Stats> {
        self.backend()?.stats().await.map_err(|error| error.operation("stats"))
    }

    /// Closes the backend for all clones. Later calls fail with `Closed`; closing again does
    /// nothing.
    ///
    /// # Errors
    /// Those of the connection; the store is closed nevertheless.
    ///
    /// # Cancel safety
    /// The store is closed from the first poll on.
    pub async fn close(&self) -> Result<()> {
        self.shared.closed.store(true, Ordering::Release);
        self.shared.cache.close();
        self.shared.backend.close().await.map_err(|error| error.operation("close"))
    }

    /// Whether the store was closed by one of its handles.
    pub fn is_closed(&self) -> bool {
        self.shared.closed.load(Ordering::Acquire)
    }

    /// How values become bytes.
    pub fn serializer(&self) -> &Serializer {
        &self.serializer
    }

    /// The text before every key: the backend's prefix and the namespace.
    pub fn prefix(&self) -> &str {
        &self.place
    }

    /// The backend, for bytes under whole keys. It does not protect the library's own keys.
    pub fn inner(&self) -> &Arc<dyn KeyValueStore> {
        &self.shared.backend
    }

    /// A stored key of the library, for parts of the library that keep state beside the program's.
    ///
    /// # Errors
    /// As for every key of this store.
    pub fn reserved_key(&self, kind: &str, name: &str) -> Result<String> {
        let prefix = self.shared.backend.key_prefix();
        let namespace = self.place.strip_prefix(prefix).unwrap_or(&self.place);
        self.key(kind_name(kind), name)?;
        let key = [prefix, RESERVED, kind, ":", namespace, name].concat();
        validate_key(&key).map_err(|error| self.told(error).key(&key))?;
        Ok(key)
    }
}

/// Names the operation for an error about a reserved key.
fn kind_name(kind: &str) -> &'static str {
    match kind {
        "counter" => "counter",
        "fence" | "lock" => "lock",
        "limit" => "limiter",
        "queue" => "queue",
        "tag" => "invalidate",
        _ => "reserved key",
    }
}

/// What the verbs share.
impl Store {
    fn backend(&self) -> Result<&dyn KeyValueStore> {
        if self.is_closed() {
            return Err(self.told(Error::closed()));
        }
        Ok(match &self.hiding {
            Some(hiding) => &**hiding,
            None => &*self.shared.backend,
        })
    }

    async fn entry(&self, key: &str) -> Result<Option<Entry>> {
        let backend = self.backend()?;
        match backend.get_now(key) {
            Some(entry) => entry,
            None => backend.get(key).await,
        }
    }

    /// The key as stored.
    fn key(&self, operation: &'static str, key: &str) -> Result<String> {
        let stored = [&*self.place, key].concat();
        let refused = |message: &'static str| Error::new(ErrorKind::InvalidKey, message);
        let checked = match self.misplaced {
            Some(why) => Err(refused(why)),
            None if key.is_empty() => Err(refused("an empty key; expected 1 to 1024 bytes")),
            None if is_reserved(&stored) => {
                Err(refused("a key with \"!kv:\" in it belongs to the library; expected another"))
            }
            None => validate_key(&stored),
        };
        checked.map_err(|error| self.told(error).operation(operation).key(key))?;
        Ok(stored)
    }

    fn require(
        &self,
        needed: Capabilities,
        what: &'static str,
        operation: &'static str,
    ) -> Result<()> {
        if self.shared.capabilities.contains(needed) {
            return Ok(());
        }
        Err(self.told(self.shared.capabilities.unsupported(what)).operation(operation))
    }

    fn lifetime(&self, expiry: Expiry) -> Result<Lifetime> {
        let lifetime = match expiry {
            Expiry::Default => self.default_ttl.map_or(Lifetime::Never, Lifetime::In),
            Expiry::Never => Lifetime::Never,
            Expiry::Keep => Lifetime::Keep,
            Expiry::In(duration) => Lifetime::In(duration),
        };
        lifetime.as_millis().map_err(|error| self.told(error))?;
        if lifetime != Lifetime::Never && !self.shared.capabilities.contains(Capabilities::TTL) {
            return Err(self.told(Error::unsupported("time to live")));
        }
        Ok(lifetime)
    }

    fn write(&self, options: SetOptions) -> Result<Write> {
        let SetOptions { expiry, condition, .. } = options;
        if condition != Condition::Always
            && !self.shared.capabilities.contains(Capabilities::CONDITIONS)
        {
            return Err(self.told(self.shared.capabilities.unsupported("conditions")));
        }
        Ok(Write { lifetime: self.lifetime(expiry)?, condition })
    }

    /// Makes all checks of a set that are possible before it is sent.
    fn prepare_set<T: Serialize + ?Sized>(
        &self,
        key: &str,
        value: &T,
        options: SetOptions,
    ) -> Result<(String, bytes::Bytes, Write)> {
        let stored = self.key("set", key)?;
        let about = |error: Error| self.quoted(error, key).operation("set").key(key);
        let write = self.write(options).map_err(about)?;
        let value = self.serializer.encode(value).map_err(about)?;
        Ok((stored, value, write))
    }

    /// The value under a key, and the version of what is there: that may be a version alone, where
    /// what does not decode is a miss.
    async fn find<T: DeserializeOwned>(&self, key: &str) -> Result<(Option<T>, Option<Version>)> {
        let key = self.key("get", key)?;
        let entry = self.entry(&key).await.map_err(|error| error.operation("get").key(&key))?;
        let Some(entry) = entry else { return Ok((None, None)) };
        match self.live(entry).await.map_err(|error| error.operation("get").key(&key))? {
            (Some(value), version) => Ok((self.decode("get", &key, &value)?, Some(version))),
            (None, version) => Ok((None, Some(version))),
        }
    }

    /// `None` where what does not decode is a miss.
    fn decode<T: DeserializeOwned>(
        &self,
        operation: &'static str,
        key: &str,
        bytes: &[u8],
    ) -> Result<Option<T>> {
        let value = self.undecodable.apply(self.serializer.decode(bytes));
        value.map_err(|error| self.quoted(error, key).operation(operation).key(key))
    }
}

impl From<Box<dyn KeyValueStore>> for Store {
    fn from(backend: Box<dyn KeyValueStore>) -> Self {
        Self::on(Arc::from(backend))
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.hiding.as_ref().map(|hiding| hiding.shown());
        f.debug_struct("Store")
            .field("prefix", &shown.as_deref().unwrap_or(&self.place))
            .field("serializer", &self.serializer)
            .field("default_ttl", &self.default_ttl)
            .finish_non_exhaustive()
    }
}
