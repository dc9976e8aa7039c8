//! Typed read-modify-write verbs: each is one change or none.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{SetOptions, Store};
use crate::provided::{ATTEMPTS, conflict};
use crate::{BoxError, Capabilities, Condition, Error, ErrorKind, Expiry, Result, Version, Write};

/// The condition under which a key is still in the state that was read.
fn unchanged(version: Option<Version>) -> Condition {
    version.map_or(Condition::Absent, Condition::Version)
}

impl Store {
    /// Replaces a value by what a function makes of it, and returns what is stored then.
    ///
    /// The function gets `None` where there is no value, and deletes by returning `None`. It runs
    /// once for each attempt, of which there are at most 128, so it should only compute. An
    /// existing key keeps its time to live; a new one gets the default. A value that does not
    /// decode and is a [miss](super::Undecodable::Miss) is `None` to the function; it is replaced
    /// as if the key was new, and stays where the function returns `None`.
    ///
    /// # Errors
    /// `Conflict` if others changed the key during each attempt; `Serialization` as `get` and
    /// `set`; nothing is changed then.
    ///
    /// # Cancel safety
    /// A dropped future may have stored the new value, whole.
    pub async fn update<T: Serialize + DeserializeOwned + Send>(
        &self,
        key: &str,
        mut change: impl FnMut(Option<T>) -> Option<T> + Send,
    ) -> Result<Option<T>> {
        self.require(Capabilities::CONDITIONS, "conditions", "update")?;
        for _ in 0..ATTEMPTS {
            let (old, version) = self.find::<T>(key).await?;
            let lifetime = if old.is_some() { Expiry::Keep } else { Expiry::Default };
            let new = change(old);
            if self.replace(key, &new, version, lifetime).await? {
                return Ok(new);
            }
        }
        Err(conflict().operation("update").key(key))
    }

    /// One attempt of an update; `false` if the key is no longer in the state that was read. To
    /// have kept a lifetime, there was a value.
    fn replace<'a, T: Serialize>(
        &'a self,
        key: &str,
        new: &Option<T>,
        version: Option<Version>,
        expiry: Expiry,
    ) -> impl Future<Output = Result<bool>> + Send + 'a + use<'a, T> {
        let stored = self.key("update", key);
        let value = new.as_ref().map(|new| self.serializer.encode(new)).transpose();
        let lifetime = self.lifetime(expiry);
        let was_there = expiry == Expiry::Keep;
        async move {
            let (key, backend) = (stored?, self.backend()?);
            let changed = match (value?, version) {
                (None, Some(version)) if was_there => {
                    backend.delete(&key, Condition::Version(version)).await
                }
                (None, _) => Ok(true),
                (Some(value), version) => {
                    let write = Write { lifetime: lifetime?, condition: unchanged(version) };
                    backend.set(&key, value, write).await.map(|outcome| outcome.is_written())
                }
            };
            changed.map_err(|error| error.operation("update").key(&key))
        }
    }

    /// Reads a value and deletes it; exactly one of many concurrent callers gets it.
    ///
    /// It is decoded before it is deleted, so that one that does not decode stays, also where it is
    /// a [miss](super::Undecodable::Miss).
    ///
    /// # Errors
    /// `Serialization` for bytes that are no `T`, `Conflict` if others changed the key during
    /// each of 128 attempts.
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
        Err(conflict().operation("take").key(key))
    }

    /// The value under a key, or else what the loader gives, stored for the next caller.
    ///
    /// Where others load at the same time, the first value that is stored counts, and all get it;
    /// on a backend without conditions, each gets its own, and the last is stored. Each caller may
    /// run its own loader. A stored value that does not decode and is a
    /// [miss](super::Undecodable::Miss) is replaced, unless it was changed meanwhile.
    ///
    /// # Errors
    /// `Loader` with the loader's error as source, and nothing is stored; others as `get` and
    /// `set`.
    ///
    /// # Cancel safety
    /// A dropped future may have stored what the loader gave, whole.
    pub async fn get_or_set_with<T, X, F, Fut, E>(&self, key: &str, expiry: X, load: F) -> Result<T>
    where
        T: Serialize + DeserializeOwned + Send,
        X: Into<Expiry> + Send,
        F: FnOnce() -> Fut + Send,
        Fut: Future<Output = Result<T, E>> + Send,
        E: Into<BoxError>,
    {
        let options = SetOptions::new().ttl(expiry);
        let (found, version) = self.find(key).await?;
        if let Some(value) = found {
            return Ok(value);
        }
        let about = |error: Error| error.operation("get_or_set_with").key(key);
        // What would be refused is refused before the work is done.
        let mut write = self.write(options).map_err(about)?;
        let loaded = load().await.map_err(|cause| {
            about(Error::new(ErrorKind::Loader, "the loader failed").because(cause))
        })?;
        if self.shared.capabilities.contains(Capabilities::CONDITIONS) {
            write.condition = unchanged(version);
        }
        let stored = self.key("get_or_set_with", key)?;
        let value = self.serializer.encode(&loaded).map_err(about)?;
        let outcome = self.backend()?.set_cached(&stored, value, write).await;
        if outcome.map_err(about)?.is_written() {
            return Ok(loaded);
        }
        // Somebody else's value came first; if it is gone again already, ours is as good.
        Ok(self.get(key).await?.unwrap_or(loaded))
    }
}
