//! Typed read-modify-write verbs: each makes one change or none.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{SetOptions, Store};
use crate::provided::{ATTEMPTS, conflict};
use crate::{BoxError, Capabilities, Condition, Error, ErrorKind, Expiry, Lifetime, Result, Write};

impl Store {
    /// Replaces a value by a function's result, and returns the stored value.
    ///
    /// The function gets `None` if there is no value; if it returns `None`, the key is deleted. It
    /// runs once for each of at most 128 attempts, so it should only compute. An existing key keeps
    /// its time to live; a new key gets the default.
    ///
    /// # Errors
    /// `Conflict` if others changed the key during each attempt; `Serialization` as for `get` and
    /// `set`. After such an error nothing has changed.
    pub async fn update<T: Serialize + DeserializeOwned + Send>(
        &self,
        key: &str,
        mut change: impl FnMut(Option<T>) -> Option<T> + Send,
    ) -> Result<Option<T>> {
        self.require(Capabilities::CONDITIONS, "conditions", "update")?;
        for _ in 0..ATTEMPTS {
            let (old, version) = self.get_versioned::<T>(key).await?.unzip();
            let new = change(old);
            if self.replace(key, &new, version).await? {
                return Ok(new);
            }
        }
        Err(self.told(conflict()).operation("update").key(key))
    }

    /// One attempt of an update; `false` if the key has changed since it was read.
    fn replace<'a, T: Serialize>(
        &'a self,
        key: &str,
        new: &Option<T>,
        version: Option<crate::Version>,
    ) -> impl Future<Output = Result<bool>> + Send + 'a + use<'a, T> {
        let stored = self.key("update", key);
        let value = new.as_ref().map(|new| self.serializer.encode(new)).transpose();
        let created = self.lifetime(Expiry::Default);
        async move {
            let (key, backend) = (stored?, self.backend()?);
            let changed = match (value?, version) {
                (None, None) => Ok(true),
                (None, Some(version)) => backend.delete(&key, Condition::Version(version)).await,
                (Some(value), version) => {
                    let write = match version {
                        None => Write { lifetime: created?, condition: Condition::Absent },
                        Some(version) => Write {
                            lifetime: Lifetime::Keep,
                            condition: Condition::Version(version),
                        },
                    };
                    backend.set(&key, value, write).await.map(|outcome| outcome.is_written())
                }
            };
            changed.map_err(|error| error.operation("update").key(&key))
        }
    }

    /// Reads a value and deletes it; exactly one of many concurrent callers gets it.
    ///
    /// The value is decoded before it is deleted, so a value that does not decode stays.
    ///
    /// # Errors
    /// `Serialization` if the bytes do not decode as a `T`, `Conflict` if others changed the key
    /// during each of 128 attempts.
    ///
    /// # Cancel safety
    /// A dropped future may have deleted the value: it is lost.
    pub async fn take<T: DeserializeOwned + Send>(&self, key: &str) -> Result<Option<T>> {
        self.require(Capabilities::CONDITIONS, "take", "take")?;
        let stored = self.key("take", key)?;
        for _ in 0..ATTEMPTS {
            let Some((value, version)) = self.get_versioned::<T>(key).await? else {
                return Ok(None);
            };
            let deleted = self.backend()?.delete(&stored, Condition::Version(version)).await;
            if deleted.map_err(|error| error.operation("take").key(&stored))? {
                return Ok(Some(value));
            }
        }
        Err(self.told(conflict()).operation("take").key(key))
    }

    /// The value under a key, or else the loader's value, stored for the next caller.
    ///
    /// Each caller may run its own loader. If several callers load at the same time, all get the
    /// value that was stored first. On a backend without conditions each caller gets its own value,
    /// and the last value is stored.
    ///
    /// # Errors
    /// `Loader`, with the loader's error as source, and then nothing is stored; other errors as for
    /// `get` and `set`.
    pub async fn get_or_set_with<T, X, F, Fut, E>(&self, key: &str, expiry: X, load: F) -> Result<T>
    where
        T: Serialize + DeserializeOwned + Send,
        X: Into<Expiry> + Send,
        F: FnOnce() -> Fut + Send,
        Fut: Future<Output = Result<T, E>> + Send,
        E: Into<BoxError>,
    {
        let mut options = SetOptions::new().ttl(expiry);
        if let Some(value) = self.get(key).await? {
            return Ok(value);
        }
        // Refuse a wrong key or lifetime before the loader works.
        let writable = self.write(options.clone());
        writable.map_err(|error| error.operation("get_or_set_with").key(key))?;
        let loaded = load().await.map_err(|cause| {
            let error = Error::new(ErrorKind::Loader, "the loader failed");
            let error = self.quoted(error.because(cause), key);
            error.operation("get_or_set_with").key(key)
        })?;
        if self.shared.capabilities.contains(Capabilities::CONDITIONS) {
            options = options.condition(Condition::Absent);
        }
        let stored = self.set_with(key, &loaded, options);
        if stored.await? {
            return Ok(loaded);
        }
        // Another caller's value came first; if it is already gone, our value is as good.
        Ok(self.get(key).await?.unwrap_or(loaded))
    }
}
