//! What the process remembers beside the store: the values that it served last, for the time when
//! the store does not answer, and the errors of loaders.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::{Bytes, Error};

/// So many parts, each under a lock of its own.
const PARTS: usize = 16;
/// The most keys of a part.
const MOST_KEYS: usize = 256;
/// The most bytes of the keys and values of a part.
const MOST_BYTES: usize = 1 << 20;

/// A value that was served.
#[derive(Clone)]
pub(super) struct Served {
    pub(super) value: Bytes,
    /// Until when the value is there, by the process's clock; `None` for ever.
    pub(super) until: Option<Duration>,
}

impl Served {
    fn is_over(&self, now: Duration) -> bool {
        self.until.is_some_and(|until| until <= now)
    }
}

/// Values and errors by stored key.
pub(super) struct Remembered {
    /// Whether anything was ever remembered: a store without a fail-safe pays nothing.
    in_use: AtomicBool,
    hasher: RandomState,
    parts: [Mutex<Part>; PARTS],
}

#[derive(Default)]
struct Part {
    served: HashMap<String, Served>,
    bytes: usize,
    errors: HashMap<String, (Error, Duration)>,
    /// How many writes of the process there were: what was read before one is not remembered.
    writes: u64,
}

/// The moment at which a read began.
#[derive(Clone, Copy)]
pub(super) struct Began(u64);

impl Remembered {
    pub(super) fn new() -> Self {
        let parts = std::array::from_fn(|_| Mutex::default());
        Self { in_use: AtomicBool::new(false), hasher: RandomState::new(), parts }
    }

    fn part(&self, key: &str) -> MutexGuard<'_, Part> {
        let hash = usize::try_from(self.hasher.hash_one(key) % PARTS as u64).unwrap_or(0);
        self.parts[hash].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Names the moment before a read.
    pub(super) fn begin(&self, key: &str) -> Began {
        self.in_use.store(true, Ordering::Release);
        Began(self.part(key).writes)
    }

    pub(super) fn begin_if(&self, condition: bool, key: &str) -> Option<Began> {
        condition.then(|| self.begin(key))
    }

    /// Forgets a value that the store no longer has.
    pub(super) fn drop_served(&self, key: &str) {
        self.part(key).remove(key);
    }

    /// Remembers a value, unless the process wrote since the read began.
    pub(super) fn serve(&self, key: &str, began: Began, served: &Served, now: Duration) {
        let mut part = self.part(key);
        if part.writes == began.0 {
            part.insert(key, served, now);
        }
    }

    pub(super) fn served(&self, key: &str, now: Duration) -> Option<Served> {
        let part = self.part(key);
        part.served.get(key).filter(|served| !served.is_over(now)).cloned()
    }

    /// Forgets a key that the process writes.
    pub(super) fn forget(&self, key: &str) {
        if self.in_use.load(Ordering::Acquire) {
            let mut part = self.part(key);
            part.writes += 1;
            part.remove(key);
            part.errors.remove(key);
        }
    }

    /// Forgets every key.
    pub(super) fn forget_all(&self) {
        for part in &self.parts {
            let mut part = part.lock().unwrap_or_else(PoisonError::into_inner);
            *part = Part { writes: part.writes + 1, ..Part::default() };
        }
    }

    /// Remembers that a load failed.
    pub(super) fn fail(&self, key: &str, error: &Error, until: Duration, now: Duration) {
        self.in_use.store(true, Ordering::Release);
        let mut part = self.part(key);
        if part.errors.len() >= MOST_KEYS {
            part.errors.retain(|_, (_, until)| *until > now);
        }
        if part.errors.len() < MOST_KEYS {
            part.errors.insert(key.to_owned(), (error.clone(), until));
        }
    }

    /// The error of a load that failed a short time ago.
    pub(super) fn failure(&self, key: &str, now: Duration) -> Option<Error> {
        let part = self.part(key);
        let (error, until) = part.errors.get(key)?;
        (*until > now).then(|| error.clone())
    }
}

impl Part {
    fn remove(&mut self, key: &str) {
        if let Some(old) = self.served.remove(key) {
            self.bytes -= key.len() + old.value.len();
        }
    }

    fn insert(&mut self, key: &str, served: &Served, now: Duration) {
        if let Some(old) = self.served.get_mut(key)
            && old.value == served.value
        {
            old.until = served.until;
            return;
        }
        self.remove(key);
        let size = key.len() + served.value.len();
        self.make_room(size, now);
        if self.bytes + size <= MOST_BYTES {
            // A copy, since the bytes may be a small part of a reply that would be kept whole.
            let value = Bytes::copy_from_slice(&served.value);
            self.served.insert(key.to_owned(), Served { value, until: served.until });
            self.bytes += size;
        }
    }

    /// Removes what ends first, as far as needed.
    fn make_room(&mut self, size: usize, now: Duration) {
        if size > MOST_BYTES {
            return;
        }
        while self.served.len() >= MOST_KEYS || self.bytes + size > MOST_BYTES {
            let first = self.served.iter().min_by_key(|(_, served)| {
                served.until.unwrap_or(Duration::MAX).saturating_sub(now)
            });
            let Some(key) = first.map(|(key, _)| key.clone()) else { return };
            self.remove(&key);
        }
    }
}
