//! The same verb for many keys, in as few round trips as the backend can.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::step::{Read, Step};
use super::{SetOptions, Store};
use crate::{Command, Expiry, Result};

impl Store {
    /// The values of many keys, in the order of the keys. No snapshot: each is read on its own.
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
        let live = self.live_all(entries).await.map_err(|error| error.operation("get_many"))?;
        let values = live.into_iter().zip(&stored).map(|(live, key)| match live {
            Some((Some(value), _)) => self.decode("get_many", key, &value),
            Some((None, _)) | None => Ok(None),
        });
        values.collect()
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
        let values = replies.into_iter().zip(&stored).map(|(reply, key)| {
            let step = Read::<T>::of(self);
            let value = reply.and_then(|reply| step.read(reply, &self.serializer));
            value.map_err(|error| error.operation("get_each").key(key))
        });
        Ok(values.collect())
    }

    /// Stores many values with one expiry. Each is written whole; all together are no
    /// transaction.
    ///
    /// # Errors
    /// `Serialization` for a value that the format cannot hold, `InvalidTtl` for zero; nothing is
    /// sent then.
    ///
    /// # Cancel safety
    /// A dropped future may leave any number of the values written.
    pub fn set_many<'a, P, K, V, E>(
        &'a self,
        pairs: P,
        expiry: E,
    ) -> impl Future<Output = Result<()>> + Send + 'a + use<'a, P, K, V, E>
    where
        P: IntoIterator<Item = (K, V)>,
        K: AsRef<str>,
        V: Serialize,
        E: Into<Expiry>,
    {
        let expiry = expiry.into();
        let lifetime = self.lifetime(expiry).map_err(|error| error.operation("set_many"));
        let entries: Result<Vec<_>> = pairs
            .into_iter()
            .map(|(key, value)| {
                let options = SetOptions::new().ttl(expiry);
                let (key, value, _) = self.prepare_set(key.as_ref(), &value, options)?;
                Ok((key, value))
            })
            .collect();
        async move {
            let (entries, lifetime) = (entries?, lifetime?);
            let keys: Vec<_> = entries.iter().map(|(key, _)| key.clone()).collect();
            let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
            let set = self.backend()?.set_many(entries, lifetime);
            let written = self.writing(&keys, set).await;
            written.map_err(|error| error.operation("set_many"))
        }
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
        let deleted = self.writing(&keys, self.backend()?.delete_many(&keys)).await;
        deleted.map_err(|error| error.operation("delete_many"))
    }

    fn keys_of<K>(&self, operation: &'static str, keys: K) -> Result<Vec<String>>
    where
        K: IntoIterator<Item: AsRef<str>>,
    {
        keys.into_iter().map(|key| self.key(operation, key.as_ref())).collect()
    }
}
