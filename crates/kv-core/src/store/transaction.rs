//! Typed read-modify-write verbs: each makes one change or none.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Store;
use crate::backend::provided::{ATTEMPTS, conflict};
use crate::{Capabilities, Condition, Expiry, Lifetime, Result, Version, Write};

/// The condition under which a key is still in the state that was read.
pub(super) fn unchanged(version: Option<Version>) -> Condition {
    version.map_or(Condition::Absent, Condition::Version)
}

impl Store {
    /// Replaces a value by a function's result, and returns the stored value.
    ///
    /// The function gets `None` if there is no value; if it returns `None`, the key is deleted. It
    /// runs once for each of at most 128 attempts, so it should only compute. An existing key keeps
    /// its time to live; a new key gets the default. If a value does not decode and that is a
    /// [miss](super::Undecodable::Miss), the function gets `None`; its result replaces the value as
    /// if the key was new, and the value stays if the result is `None`.
    ///
    /// # Errors
    /// `Conflict` if others changed the key during each attempt; `Serialization` as for `get` and
    /// `set`. After such an error nothing has changed.
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
        Err(self.told(conflict()).operation("update").key(key))
    }

    /// One attempt of an update; `false` if the key has changed since it was read.
    fn replace<'a, T: Serialize>(
        &'a self,
        key: &str,
        new: &Option<T>,
        version: Option<Version>,
        expiry: Expiry,
    ) -> impl Future<Output = Result<bool>> + Send + 'a + use<'a, T> {
        let stored = self.key("update", key);
        let value = new.as_ref().map(|new| self.serializer.encode(new)).transpose();
        let value = value.map(|value| value.map(|value| super::tags::wrap(value, &[])));
        let has_lifetimes = self.shared.capabilities.contains(Capabilities::TTL);
        let lifetime = match expiry {
            // Without lifetimes there is none to keep.
            Expiry::Keep if !has_lifetimes => Ok(Lifetime::Never),
            expiry => self.lifetime(expiry),
        };
        let was_there = expiry == Expiry::Keep;
        async move {
            let (key, backend) = (stored?, self.backend()?);
            let changed = match (value?, version) {
                (None, Some(version)) if was_there => {
                    let delete = backend.delete(&key, Condition::Version(version));
                    self.writing(&[&key], delete).await
                }
                (None, _) => Ok(true),
                (Some(value), version) => {
                    let write = Write { lifetime: lifetime?, condition: unchanged(version) };
                    let outcome = self.writing(&[&key], backend.set(&key, value, write)).await;
                    outcome.map(|outcome| outcome.is_written())
                }
            };
            changed.map_err(|error| error.operation("update").key(&key))
        }
    }

    /// Reads a value and deletes it; exactly one of many concurrent callers gets it.
    ///
    /// The value is decoded before it is deleted, so a value that does not decode stays, even if
    /// that is a [miss](super::Undecodable::Miss).
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
            let delete = self.backend()?.delete(&stored, Condition::Version(version));
            let deleted = self.writing(&[&stored], delete).await;
            if deleted.map_err(|error| error.operation("take").key(&stored))? {
                return Ok(Some(value));
            }
        }
        Err(self.told(conflict()).operation("take").key(key))
    }
}
