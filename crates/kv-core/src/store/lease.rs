//! A key that one holder at a time has: taken with a lease, renewed, and given back.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::Store;
use crate::{Bytes, Condition, Lifetime, Outcome, Result, Version, Write};

/// How often a release or renewal is tried, if another renewal of the same holder changed the key's
/// version meanwhile.
const ATTEMPTS: u32 = 3;

/// The state of a held key that the holder and its renewal share.
#[derive(Default)]
struct Held {
    /// The version of the key as this holder wrote it last; `None` once it is given back or lost.
    version: Option<Version>,
    is_lost: bool,
}

/// A held key. Dropping it gives the key back in the background, if there is a runtime; else the
/// lease ends by itself.
pub(super) struct Lease {
    store: Store,
    key: String,
    value: Bytes,
    held: Arc<Mutex<Held>>,
    renewal: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for Lease {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lease").field("is_lost", &self.is_lost()).finish_non_exhaustive()
    }
}

fn lock(held: &Mutex<Held>) -> MutexGuard<'_, Held> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Store {
    /// Takes a stored key that nobody holds. The value names this holder and no other.
    pub(super) async fn take_lease(
        &self,
        key: String,
        value: Bytes,
        time: Duration,
    ) -> Result<Option<Lease>> {
        let write = Write { lifetime: Lifetime::In(time), condition: Condition::Absent };
        let outcome = self.backend()?.set(&key, value.clone(), write).await?;
        let Outcome::Written(version) = outcome else { return Ok(None) };
        let held = Arc::new(Mutex::new(Held { version: Some(version), is_lost: false }));
        Ok(Some(Lease { store: self.clone(), key, value, held, renewal: None }))
    }
}

impl Lease {
    /// Renews the lease each third of its time, so many times at most, while this is held. Without a
    /// runtime nothing renews it.
    pub(super) fn renewed(mut self, time: Duration, times: u32) -> Self {
        let Ok(runtime) = Handle::try_current() else { return self };
        let (store, key, value) = (self.store.clone(), self.key.clone(), self.value.clone());
        let held = Arc::clone(&self.held);
        self.renewal = Some(runtime.spawn(async move {
            for _ in 0..times {
                tokio::time::sleep(time / 3).await;
                if !renew(&store, &key, &value, &held, time).await {
                    return;
                }
            }
        }));
        self
    }

    /// Whether somebody else may hold the key, because a renewal came too late.
    pub(super) fn is_lost(&self) -> bool {
        lock(&self.held).is_lost
    }

    /// Sets the lease to this long from now. Returns `false` if the key is lost.
    pub(super) async fn extend(&self, time: Duration) -> Result<bool> {
        extend(&self.store, &self.key, &self.value, &self.held, time).await
    }

    /// Gives the key back. Returns whether this holder had it until now.
    pub(super) async fn release(mut self) -> Result<bool> {
        self.stop();
        let version = lock(&self.held).version.take();
        match version {
            Some(version) => give_back(&self.store, &self.key, &self.value, version).await,
            None => Ok(false),
        }
    }

    fn stop(&mut self) {
        if let Some(renewal) = self.renewal.take() {
            renewal.abort();
        }
    }
}

/// One renewal; `false` if there is nothing left to renew. An error is tried again at the next one.
async fn renew(
    store: &Store,
    key: &str,
    value: &Bytes,
    held: &Mutex<Held>,
    time: Duration,
) -> bool {
    extend(store, key, value, held, time).await.unwrap_or(true)
}

async fn extend(
    store: &Store,
    key: &str,
    value: &Bytes,
    held: &Mutex<Held>,
    time: Duration,
) -> Result<bool> {
    for _ in 0..ATTEMPTS {
        let Some(version) = lock(held).version.clone() else { return Ok(false) };
        let condition = Condition::Version(version);
        let write = Write { lifetime: Lifetime::In(time), condition };
        let outcome = store.backend()?.set(key, value.clone(), write).await?;
        let version = match outcome {
            Outcome::Written(version) => {
                note(held, Some(version));
                return Ok(lock(held).version.is_some());
            }
            Outcome::ConditionFailed => store.backend()?.get(key).await?,
        };
        // Another renewal of this holder may have changed the version.
        note(held, version.filter(|entry| entry.value == *value).map(|entry| entry.version));
    }
    Ok(false)
}

/// Notes the key's version, unless the key was given back meanwhile.
fn note(held: &Mutex<Held>, version: Option<Version>) {
    let mut held = lock(held);
    if held.version.is_some() {
        held.is_lost = version.is_none();
        held.version = version;
    }
}

async fn give_back(store: &Store, key: &str, value: &Bytes, mut version: Version) -> Result<bool> {
    for _ in 0..ATTEMPTS {
        if store.backend()?.delete(key, Condition::Version(version)).await? {
            return Ok(true);
        }
        // A renewal whose answer was not waited for may have changed the version.
        match store.backend()?.get(key).await? {
            Some(entry) if entry.value == *value => version = entry.version,
            _ => return Ok(false),
        }
    }
    Ok(false)
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.stop();
        let Some(version) = lock(&self.held).version.take() else { return };
        if let Ok(runtime) = Handle::try_current() {
            let (store, key, value) = (self.store.clone(), self.key.clone(), self.value.clone());
            // Bounded: two calls of the store, each of which ends within its configured time.
            runtime.spawn(async move { give_back(&store, &key, &value, version).await });
        }
    }
}
