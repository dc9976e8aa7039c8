//! Limits that all processes of a store keep together.

use super::Store;
use super::step::unexpected;
use super::transaction::unchanged;
use crate::backend::provided::{ATTEMPTS, conflict};
use crate::{
    Capabilities, CheckedRate, Command, Decision, Error, ErrorKind, Rate, Reply, Result, Write,
};

const VERB: &str = "limiter";

/// A limit under a name, from [`Store::limiter`].
#[derive(Clone, Debug)]
pub struct Limiter {
    store: Store,
    key: String,
    rate: Rate,
}

impl Store {
    /// A limit under a name: all handles with the same name and rate, in all processes, together let
    /// no more happen than the rate. Values and counters of the same name are apart from it.
    ///
    /// Nothing is sent until the limiter is asked. Handles with different rates of one name share
    /// what happened, and each applies its own rate to it.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use kv_core::{Decision, Rate, Store};
    /// use kv_memory::MemoryStore;
    ///
    /// # kv_testkit::runtime()?.block_on(async {
    /// let store = Store::new(MemoryStore::new());
    /// let limiter = store.limiter("example.org", Rate::new(2, Duration::from_secs(3_600)));
    /// assert_eq!(limiter.acquire().await?, Decision::Allowed { remaining: 1 });
    /// assert!(limiter.acquire().await?.is_allowed());
    /// let wait = limiter.acquire().await?.retry_after().expect("two of two have happened");
    /// assert!(wait <= Duration::from_secs(1_800));
    /// # Ok::<(), kv_core::Error>(()) }).unwrap();
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn limiter(&self, key: &str, rate: Rate) -> Limiter {
        Limiter { store: self.clone(), key: key.to_owned(), rate }
    }
}

impl Limiter {
    /// Asks whether it may happen now, and counts it if it may.
    ///
    /// One atomic step by the store's clock: a backend's own in memory, in a file and on Redis, where
    /// it is one round trip, and conditional writes on other backends.
    ///
    /// # Errors
    /// `Config` for a rate that lets nothing happen; `Unsupported` if the backend declares no
    /// conditions and lifetimes or has no clock; `Conflict` if others were faster in each of 128
    /// attempts. An error after which it may count says `MaybeApplied`.
    ///
    /// # Cancel safety
    /// A dropped future may have counted.
    pub async fn acquire(&self) -> Result<Decision> {
        self.acquire_many(1).await
    }

    /// As [`acquire`](Self::acquire), for several events: all of them or none.
    ///
    /// # Errors
    /// As [`acquire`](Self::acquire); `Config` for more events than the rate's burst.
    ///
    /// # Cancel safety
    /// A dropped future may have counted.
    pub async fn acquire_many(&self, events: u32) -> Result<Decision> {
        let about =
            |error: Error| self.store.quoted(error, &self.key).operation(VERB).key(&self.key);
        let rate = self.rate.checked(events).map_err(about)?;
        let store = &self.store;
        store.require(Capabilities::CONDITIONS | Capabilities::TTL, "limits", VERB)?;
        let stored = store.reserved_key("limit", &self.key)?;
        let native = Command::Limit { key: stored.clone(), rate };
        let answer = store.run(vec![native]).await.and_then(|mut replies| match replies.pop() {
            Some(Ok(Reply::Decision(decision))) => Ok(decision),
            Some(Err(error)) => Err(error),
            _ => Err(unexpected()),
        });
        match answer {
            Err(error) if error.kind() == ErrorKind::Unsupported => {
                self.decide(&stored, rate).await.map_err(about)
            }
            answer => answer.map_err(about),
        }
    }

    /// The same by conditional writes.
    async fn decide(&self, stored: &str, rate: CheckedRate) -> Result<Decision> {
        let backend = self.store.backend()?;
        for _ in 0..ATTEMPTS {
            let entry = self.store.entry(stored).await?;
            let now = backend.now().await?;
            let value = entry.as_ref().map(|entry| &*entry.value);
            let (decision, next) = rate.step(value, now);
            let Some((value, lifetime)) = next else { return Ok(decision) };
            let condition = unchanged(entry.map(|entry| entry.version));
            if backend.set(stored, value, Write { lifetime, condition }).await?.is_written() {
                return Ok(decision);
            }
        }
        Err(conflict())
    }
}
