//! What is kept, for how long, and what makes it go.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard, Weak};
use std::time::Duration;

use ahash::RandomState;
use kv_core::{Clock, Entry, Error, ErrorKind, Remaining, Result, Watcher, Watchers, is_reserved};

use super::NearCache;
use super::figures::Counts;
use super::shard::{Bounds, MAX_SHARDS, Shard, Ticket};

/// A small cache has one shard for this many entries, so that each shard has some to choose from.
const MIN_ENTRIES_A_SHARD: usize = 64;

/// How far the coarse clock may lag. It lags by a tick, a few milliseconds; this leaves room for a
/// machine whose ticking processor is held up. Reading the exact clock costs more than the rest of a
/// hit.
const MARGIN: Duration = Duration::from_secs(10);

pub(super) struct Cache {
    shards: Box<[RwLock<Shard>]>,
    hasher: RandomState,
    bounds: Bounds,
    max_age: Duration,
    prefix: String,
    clock: Arc<dyn Clock>,
    /// Whether every change is told now.
    is_told: AtomicBool,
    is_closed: AtomicBool,
    watchers: Watchers,
    counts: Arc<Counts>,
}

/// A key that may be kept, if nobody changes it until the reply is there.
#[derive(Clone, Copy)]
pub(super) struct Asked {
    hash: u64,
    ticket: Ticket,
    at: Duration,
}

impl Cache {
    pub(super) fn new(settings: &NearCache, key_prefix: &str) -> Self {
        let shards = (settings.entries / MIN_ENTRIES_A_SHARD).clamp(1, MAX_SHARDS);
        // The largest power of two that is not above it, for a mask.
        let shards: usize = 1 << shards.ilog2();
        let bounds = Bounds { entries: settings.entries / shards, bytes: settings.bytes / shards };
        Self {
            shards: (0..shards).map(|_| RwLock::default()).collect(),
            hasher: RandomState::new(),
            bounds,
            max_age: settings.max_age,
            prefix: [key_prefix, &settings.prefix].concat(),
            clock: Arc::clone(&settings.clock),
            is_told: AtomicBool::new(false),
            is_closed: AtomicBool::new(false),
            watchers: Watchers::default(),
            counts: Arc::clone(&settings.figures),
        }
    }

    /// What the keys have in common that may be kept.
    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    #[inline]
    fn hash(&self, key: &str) -> u64 {
        self.hasher.hash_one(key)
    }

    /// The shard of a key, by bits that its table does not use.
    #[inline]
    fn shard(&self, hash: u64) -> usize {
        usize::try_from(hash >> 40).unwrap_or_default() & (self.shards.len() - 1)
    }

    fn write(&self, hash: u64) -> RwLockWriteGuard<'_, Shard> {
        lock(&self.shards[self.shard(hash)])
    }

    /// Whether a moment has not come yet.
    #[inline]
    fn is_before(&self, moment: Duration) -> bool {
        let is_far = |now: Duration| now.saturating_add(MARGIN) < moment;
        self.clock.coarse().is_some_and(is_far) || self.clock.now() < moment
    }

    /// What is kept of a key.
    #[inline]
    pub(super) fn get(&self, key: &str) -> Option<Option<Entry>> {
        let hash = self.hash(key);
        let at = self.shard(hash);
        let shard = self.shards[at].read().unwrap_or_else(PoisonError::into_inner);
        let entry = shard.get(hash, key, |until| self.is_before(until))?;
        drop(shard);
        self.counts.hit(at);
        Some(entry)
    }

    /// Notes that a key is about to be asked for; `None` if it is not to be kept.
    pub(super) fn ask(&self, key: &str) -> Option<Asked> {
        self.counts.miss();
        if !key.starts_with(&self.prefix) || is_reserved(key) {
            return None;
        }
        let (hash, at) = (self.hash(key), self.clock.now());
        let shard = self.shards[self.shard(hash)].read().unwrap_or_else(PoisonError::into_inner);
        let ticket = shard.ticket(hash);
        drop(shard);
        // After the ticket: whoever says that changes are lost says so first, and makes the tickets
        // invalid then.
        self.is_told.load(Ordering::SeqCst).then_some(Asked { hash, ticket, at })
    }

    /// Keeps the reply to what was asked for.
    pub(super) fn keep(
        &self,
        asked: Asked,
        key: &str,
        entry: Option<&Entry>,
        remaining: Option<Remaining>,
    ) {
        let left = match (entry, remaining) {
            // The key went between the two commands.
            (Some(_), None) => return,
            (Some(_), Some(Remaining::Expires(left))) => left.min(self.max_age),
            (Some(_), Some(Remaining::Forever)) | (None, _) => self.max_age,
        };
        let Asked { hash, ticket, at } = asked;
        let kept = (entry.map(Entry::detached), at.saturating_add(left));
        let evicted = self.write(hash).fill(ticket, (hash, key), kept, self.bounds);
        self.counts.evicted(evicted);
    }

    /// Forgets a key, and every reply about it that is under way.
    pub(super) fn forget(&self, key: &str) {
        let hash = self.hash(key);
        if self.write(hash).change(hash) {
            self.counts.invalidated();
        }
    }

    fn forget_all(&self) {
        self.shards.iter().for_each(|shard| lock(shard).change_all());
    }

    /// Keeps nothing from now on.
    pub(super) fn close(&self) {
        self.is_closed.store(true, Ordering::SeqCst);
        self.is_told.store(false, Ordering::SeqCst);
        self.forget_all();
    }

    /// Lets somebody else watch the keys that this cache is told of: the cache forgets a key before
    /// the other is told.
    ///
    /// # Errors
    /// `Closed`.
    pub(super) fn share(&self, prefix: &str, watcher: &Weak<dyn Watcher>) -> Result<()> {
        self.watchers.add(prefix, Weak::clone(watcher));
        let Some(watcher) = watcher.upgrade() else { return Ok(()) };
        if self.is_told.load(Ordering::SeqCst) {
            watcher.gap();
        }
        // It may have been told in the other order.
        if self.is_closed.load(Ordering::SeqCst) {
            return Err(Error::closed());
        }
        if !self.is_told.load(Ordering::SeqCst) {
            let message = "the store does not tell changes now";
            watcher.lost(Error::new(ErrorKind::Connection, message));
        }
        Ok(())
    }
}

fn lock(shard: &RwLock<Shard>) -> RwLockWriteGuard<'_, Shard> {
    shard.write().unwrap_or_else(PoisonError::into_inner)
}

impl Watcher for Cache {
    fn changed(&self, key: &str) {
        self.forget(key);
        self.watchers.changed(key);
    }

    fn gap(&self) {
        self.forget_all();
        self.counts.gap();
        if !self.is_closed.load(Ordering::SeqCst) {
            self.is_told.store(true, Ordering::SeqCst);
        }
        self.watchers.gap();
    }

    fn lost(&self, error: Error) {
        if error.kind() == ErrorKind::Closed {
            self.close();
        } else {
            self.is_told.store(false, Ordering::SeqCst);
            self.forget_all();
        }
        let (kind, message) = (error.kind(), error.to_string());
        self.watchers.lost(|| Error::new(kind, message.clone()));
    }
}
