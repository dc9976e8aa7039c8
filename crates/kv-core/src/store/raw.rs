//! Bytes beside typed values, and deletes under a condition.

use super::{SetOptions, Store};
use crate::{Bytes, Capabilities, Condition, Error, Outcome, Result, Version};

impl Store {
    /// The stored bytes of a value, whatever format they have.
    ///
    /// ```
    /// use kv_core::Store;
    /// use kv_memory::MemoryStore;
    ///
    /// # kv_testkit::runtime()?.block_on(async {
    /// let store = Store::new(MemoryStore::new());
    /// store.set_bytes("image", &b"\x89PNG"[..]).await?;
    /// assert_eq!(store.get_bytes("image").await?.as_deref(), Some(&b"\x89PNG"[..]));
    /// store.set("n", &42).await?;
    /// assert_eq!(store.get_bytes("n").await?.as_deref(), Some(&b"42"[..]));
    /// # Ok::<(), kv_core::Error>(()) }).unwrap();
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of every verb.
    pub async fn get_bytes(&self, key: &str) -> Result<Option<Bytes>> {
        Ok(self.get_bytes_versioned(key).await?.map(|(bytes, _)| bytes))
    }

    /// The stored bytes and their version, for a [`Condition::Version`] or
    /// [`delete_if`](Self::delete_if).
    ///
    /// # Errors
    /// Those of every verb.
    pub async fn get_bytes_versioned(&self, key: &str) -> Result<Option<(Bytes, Version)>> {
        let (bytes, version) = self.find_bytes(&self.key("get_bytes", key)?).await?;
        Ok(bytes.zip(version))
    }

    /// Stores bytes as they are, with the default time to live; replaces what is there.
    ///
    /// # Errors
    /// Those of every verb.
    ///
    /// # Cancel safety
    /// A dropped future may have stored the bytes, whole.
    pub async fn set_bytes(&self, key: &str, bytes: impl Into<Bytes> + Send) -> Result<()> {
        self.set_bytes_with(key, bytes, SetOptions::new()).await.map(drop)
    }

    /// Stores bytes as the options say. Returns whether they were stored.
    ///
    /// # Errors
    /// `InvalidTtl` for a zero lifetime; then nothing is sent.
    ///
    /// # Cancel safety
    /// A dropped future may have stored the bytes, whole.
    pub async fn set_bytes_with(
        &self,
        key: &str,
        bytes: impl Into<Bytes> + Send,
        options: SetOptions,
    ) -> Result<bool> {
        let stored = self.key("set_bytes", key)?;
        let (bytes, tags) = (bytes.into(), options.tags.clone());
        let write = self.write(options);
        let write = write.map_err(|error| self.told(error).operation("set_bytes").key(key))?;
        let bytes = self.tagged(bytes, &tags).await;
        let bytes = bytes.map_err(|error| error.operation("set_bytes").key(&stored))?;
        let outcome = self.writing(&[&stored], self.backend()?.set(&stored, bytes, write)).await;
        let outcome: Outcome =
            outcome.map_err(|error| error.operation("set_bytes").key(&stored))?;
        Ok(outcome.is_written())
    }

    /// Deletes a key if it is still in the state with this version. Returns whether this call
    /// removed it.
    ///
    /// ```
    /// use kv_core::Store;
    /// use kv_memory::MemoryStore;
    ///
    /// # kv_testkit::runtime()?.block_on(async {
    /// let store = Store::new(MemoryStore::new());
    /// store.set("k", &1).await?;
    /// let (_, version) = store.get_versioned::<i32>("k").await?.expect("it was just set");
    /// store.set("k", &2).await?;
    /// assert!(!store.delete_if("k", version).await?, "it has changed");
    /// # Ok::<(), kv_core::Error>(()) }).unwrap();
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Unsupported` if the backend does not declare conditions.
    ///
    /// # Cancel safety
    /// A dropped future may have deleted the key.
    pub async fn delete_if(&self, key: &str, version: Version) -> Result<bool> {
        self.require(Capabilities::CONDITIONS, "conditions", "delete_if")?;
        let stored = self.key("delete_if", key)?;
        let delete = self.backend()?.delete(&stored, Condition::Version(version));
        let deleted = self.writing(&[&stored], delete).await;
        deleted.map_err(|error| error.operation("delete_if").key(&stored))
    }

    /// As [`find`](Self::find), of a stored key's bytes.
    async fn find_bytes(&self, key: &str) -> Result<(Option<Bytes>, Option<Version>)> {
        let about = |error: Error| error.operation("get_bytes").key(key);
        let Some(entry) = self.entry(key).await.map_err(about)? else { return Ok((None, None)) };
        let (value, version) = self.live(entry).await.map_err(about)?;
        Ok((value, Some(version)))
    }
}
