//! The same verb for many keys, in as few round trips as the backend can.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::step::{Read, Step};
use super::{SetOptions, Store};
use crate::{Bytes, Command, Expiry, Pace, Reply, Result};

impl Store {
    /// The values of many keys, in the order of the keys. No snapshot: each is read on its own.
    ///
    /// Other tasks of the thread run after each MiB that is decoded, so the future is `Send` only if
    /// `T` is.
    ///
    /// # Errors
    /// `Serialization` if one of them is no `T`, unless those are a
    /// [miss](super::Undecodable::Miss), and `WrongType` for a key that another program gave
    /// another type; the error names the key. [`get_each`](Self::get_each) gives the others all
    /// the same.
    pub async fn get_many<T: DeserializeOwned>(
        &self,
        keys: impl IntoIterator<Item: AsRef<str>> + Send,
    ) -> Result<Vec<Option<T>>> {
        let stored = self.keys_of("get_many", keys)?;
        let keys: Vec<&str> = stored.iter().map(String::as_str).collect();
        let entries = self.backend()?.get_many(&keys).await;
        let entries = entries.map_err(|error| error.operation("get_many"))?;
        let (mut values, mut pace) = (Vec::with_capacity(entries.len()), Pace::default());
        for (entry, key) in entries.into_iter().zip(&stored) {
            let Some(entry) = entry else {
                values.push(None);
                continue;
            };
            values.push(self.decode("get_many", key, &entry.value)?);
            pace.handled(entry.value.len()).await;
        }
        Ok(values)
    }

    /// As [`get_many`](Self::get_many), with a result for each key: one that cannot be read, or is
    /// no `T`, spoils no other.
    ///
    /// ```
    /// # async fn of(store: &kv_core::Store) -> kv_core::Result<()> {
    /// for (key, value) in ["a", "b"].into_iter().zip(store.get_each::<u32>(["a", "b"]).await?) {
    ///     match value {
    ///         Ok(value) => println!("{key}: {value:?}"),
    ///         Err(error) => eprintln!("{error}"),
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// What is wrong with the keys, or kept the call as a whole from its answers. Those of single
    /// keys are in their results, and name the key.
    pub async fn get_each<T: DeserializeOwned>(
        &self,
        keys: impl IntoIterator<Item: AsRef<str>> + Send,
    ) -> Result<Vec<Result<Option<T>>>> {
        let stored = self.keys_of("get_each", keys)?;
        let commands = stored.iter().map(|key| Command::Get { key: key.clone() });
        let replies = self.run(commands.collect()).await?;
        let (mut values, mut pace) = (Vec::with_capacity(replies.len()), Pace::default());
        for (reply, key) in replies.into_iter().zip(&stored) {
            let bytes = reply.as_ref().map_or(0, size);
            let step = Read::<T>::of(self);
            let value = reply.and_then(|reply| step.read(reply, &self.serializer));
            values.push(value.map_err(|error| error.operation("get_each").key(key)));
            pace.handled(bytes).await;
        }
        Ok(values)
    }

    /// Stores many values with one expiry. Each is written whole; all together are no
    /// transaction.
    ///
    /// Encodes all values before the first is sent, and lets other tasks of the thread run after
    /// each MiB. So the future is `Send` only if the iterator over the pairs is. A format encodes a
    /// single value in one go, however large.
    ///
    /// # Errors
    /// `Serialization` for a value that the format cannot hold, `InvalidTtl` for zero; nothing is
    /// sent then.
    ///
    /// # Cancel safety
    /// A dropped future may leave any number of the values written.
    pub async fn set_many<P, K, V, E>(&self, pairs: P, expiry: E) -> Result<()>
    where
        P: IntoIterator<Item = (K, V)>,
        K: AsRef<str>,
        V: Serialize,
        E: Into<Expiry>,
    {
        let expiry = expiry.into();
        let backend = self.backend()?;
        let (mut entries, mut pace) = (Vec::new(), Pace::default());
        for pair in pairs {
            let entry = self.entry_of(pair, expiry)?;
            let bytes = entry.1.len();
            entries.push(entry);
            pace.handled(bytes).await;
        }
        let lifetime = self.lifetime(expiry).map_err(|error| error.operation("set_many"))?;
        let written = backend.set_many(entries, lifetime).await;
        written.map_err(|error| error.operation("set_many"))
    }

    /// A pair as it is stored. What it was made of is gone afterwards, so that a future need not hold
    /// it.
    fn entry_of<K, V>(&self, pair: (K, V), expiry: Expiry) -> Result<(String, Bytes)>
    where
        K: AsRef<str>,
        V: Serialize,
    {
        let (key, value) = pair;
        let options = SetOptions::new().ttl(expiry);
        let (key, value, _) = self.prepare_set(key.as_ref(), &value, options)?;
        Ok((key, value))
    }

    /// Deletes many keys; how many this call removed.
    ///
    /// # Errors
    /// Those of every verb. `MaybeApplied` says that a part may be deleted.
    ///
    /// # Cancel safety
    /// A dropped future may leave any number of the keys deleted.
    pub async fn delete_many(
        &self,
        keys: impl IntoIterator<Item: AsRef<str>> + Send,
    ) -> Result<u64> {
        let stored = self.keys_of("delete_many", keys)?;
        let keys: Vec<&str> = stored.iter().map(String::as_str).collect();
        let deleted = self.backend()?.delete_many(&keys).await;
        deleted.map_err(|error| error.operation("delete_many"))
    }

    fn keys_of<K>(&self, operation: &'static str, keys: K) -> Result<Vec<String>>
    where
        K: IntoIterator<Item: AsRef<str>>,
    {
        keys.into_iter().map(|key| self.key(operation, key.as_ref())).collect()
    }
}

/// About how many bytes are to be decoded.
const fn size(reply: &Reply) -> usize {
    match reply {
        Reply::Entry(Some(entry)) => entry.value.len(),
        _ => 0,
    }
}
