//! A lock that one holder of all processes has at a time.

use std::time::Duration;

use tokio::runtime::Handle;

use super::Store;
use super::lease::Lease;
use crate::{Capabilities, Error, ErrorKind, Lifetime, Result};

const VERB: &str = "lock";

/// How often a lock is renewed without its holder doing anything: for as long as it is held.
const RENEWALS: u32 = u32::MAX;

/// The first pause before a lock that is held is tried again; each is twice the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// A lock that is held, from [`Store::lock`].
///
/// Within a Tokio runtime the lease is renewed each third of its time while this value lives.
/// Dropping it gives the lock back in the background; without a runtime the lease ends by itself.
#[derive(Debug)]
#[must_use = "dropping it gives the lock back"]
pub struct Lock {
    lease: Lease,
    token: i64,
}

impl Store {
    /// Takes a lock, and waits for it for at most the time of the lease: long enough for a holder
    /// that died. Values and counters of the same name are apart from it.
    ///
    /// The lock excludes others while the lease is renewed in time. A holder that stands still for
    /// longer than its lease loses the lock without noticing at once. So pass the
    /// [token](Lock::token) to what the lock protects, and let it refuse a token that is smaller than
    /// one it has seen.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use kv_core::Store;
    /// use kv_memory::MemoryStore;
    ///
    /// # kv_testkit::runtime()?.block_on(async {
    /// let store = Store::new(MemoryStore::new());
    /// let lease = Duration::from_secs(10);
    /// let lock = store.lock("report", lease).await?;
    /// assert!(store.try_lock("report", lease).await?.is_none());
    /// let token = lock.token();
    /// assert!(lock.unlock().await?, "it was held until now");
    /// let next = store.lock("report", lease).await?;
    /// assert!(next.token() > token);
    /// # Ok::<(), kv_core::Error>(()) }).unwrap();
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Conflict` if another holder has it all the time, at once without a runtime; `InvalidTtl` for
    /// a lease of zero; `Unsupported` if the backend does not declare conditions, lifetimes and
    /// counters.
    ///
    /// # Cancel safety
    /// A dropped future may have taken the lock; its lease ends by itself.
    pub async fn lock(&self, key: &str, lease: Duration) -> Result<Lock> {
        let (mut waited, mut pause) = (Duration::ZERO, FIRST_PAUSE);
        loop {
            if let Some(lock) = self.try_lock(key, lease).await? {
                return Ok(lock);
            }
            if waited >= lease || Handle::try_current().is_err() {
                let error = Error::new(ErrorKind::Conflict, "another holder has the lock");
                return Err(self.told(error).operation(VERB).key(key));
            }
            tokio::time::sleep(pause).await;
            waited = waited.saturating_add(pause);
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Takes a lock if nobody holds it.
    ///
    /// # Errors
    /// Those of [`lock`](Self::lock), except `Conflict`.
    ///
    /// # Cancel safety
    /// A dropped future may have taken the lock; its lease ends by itself.
    pub async fn try_lock(&self, key: &str, lease: Duration) -> Result<Option<Lock>> {
        let needed = Capabilities::CONDITIONS | Capabilities::TTL | Capabilities::COUNTERS;
        self.require(needed, "locks", VERB)?;
        let checked = Lifetime::In(lease).as_millis();
        checked.map_err(|error| self.told(error).operation(VERB).key(key))?;
        let (name, fence) = (self.reserved_key("lock", key)?, self.reserved_key("fence", key)?);
        let taken = self.take_lock(name, &fence, lease).await;
        taken.map_err(|error| self.quoted(error, key).operation(VERB).key(key))
    }

    async fn take_lock(&self, name: String, fence: &str, time: Duration) -> Result<Option<Lock>> {
        if self.backend()?.exists(&name).await? {
            return Ok(None);
        }
        let token = self.next_token(fence).await?;
        let holder = format!("{token}:{:016x}", self.conditions.number());
        let Some(lease) = self.take_lease(name, holder.into(), time).await? else {
            return Ok(None);
        };
        // Whoever took a token since then may have held the lock before this holder. A token that is
        // drawn while the lock is held is larger than each of those.
        if self.last_token(fence).await? == Some(token) {
            return Ok(Some(Lock { lease: lease.renewed(time, RENEWALS), token }));
        }
        let token = self.next_token(fence).await?;
        if !lease.extend(time).await? {
            return Ok(None);
        }
        Ok(Some(Lock { lease: lease.renewed(time, RENEWALS), token }))
    }

    async fn next_token(&self, fence: &str) -> Result<i64> {
        self.backend()?.increment(fence, 1, Lifetime::Never).await
    }

    async fn last_token(&self, fence: &str) -> Result<Option<i64>> {
        let entry = self.entry(fence).await?;
        entry.map(|entry| crate::backend::provided::parse_counter(&entry.value)).transpose()
    }
}

impl Lock {
    /// The fencing token: larger than that of every earlier holder of this lock. A small counter
    /// under the lock's name stays in the store for it.
    pub const fn token(&self) -> i64 {
        self.token
    }

    /// Whether no renewal has found the lock lost. `true` is no promise: see [`token`](Self::token).
    pub fn is_held(&self) -> bool {
        !self.lease.is_lost()
    }

    /// Sets the lease to this long from now. Returns `false` if the lock is lost.
    ///
    /// # Errors
    /// `InvalidTtl` for zero; those of the connection.
    ///
    /// # Cancel safety
    /// A dropped future may have extended the lease.
    pub async fn extend(&self, lease: Duration) -> Result<bool> {
        self.lease.extend(lease).await.map_err(|error| error.operation(VERB))
    }

    /// Gives the lock back. Returns whether it was held until now.
    ///
    /// # Errors
    /// Those of the connection; then the lease ends by itself.
    ///
    /// # Cancel safety
    /// A dropped future may have given the lock back; if not, its lease ends by itself.
    pub async fn unlock(self) -> Result<bool> {
        self.lease.release().await.map_err(|error| error.operation(VERB))
    }
}
