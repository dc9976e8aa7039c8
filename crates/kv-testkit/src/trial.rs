//! One store under test, and the small steps that the cases are made of.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kv_core::{
    Bytes, Capabilities, Cursor, Error, ErrorKind, KeyValueStore, Lifetime, Outcome, Pattern,
    Remaining, ScanRequest, Store, Version, Write,
};

use crate::failure::ensure;
use crate::{Backend, Failure};

/// The most pages of a walk before it counts as endless.
const MAX_PAGES: usize = 100_000;

/// One fresh store of a backend, as a case sees it.
pub struct Trial<'b> {
    store: Arc<dyn KeyValueStore>,
    another: Option<Arc<dyn KeyValueStore>>,
    /// One more, for the case that drops it.
    spare: Mutex<Option<Arc<dyn KeyValueStore>>>,
    closes: bool,
    grace: Duration,
    advance: Box<dyn Fn(Duration) + Send + Sync + 'b>,
}

impl<'b> Trial<'b> {
    /// A trial on a fresh store.
    ///
    /// # Errors
    /// When the backend cannot make one.
    ///
    /// # Cancel safety
    /// That of [`Backend::fresh`].
    pub async fn new<B: Backend>(backend: &'b B) -> Result<Self, Failure> {
        let made = backend.fresh().await;
        let store = made.map_err(|error| Failure::new(format!("no fresh store: {error}")))?;
        let another = || backend.another(&store).map(|store| Arc::new(store) as Arc<_>);
        let (another, spare) = (another(), Mutex::new(another()));
        Ok(Self {
            store: Arc::new(store),
            another,
            spare,
            closes: backend.closes(),
            grace: backend.grace(),
            advance: Box::new(move |by| backend.advance(by)),
        })
    }

    /// The store.
    pub fn store(&self) -> &Arc<dyn KeyValueStore> {
        &self.store
    }

    /// Another handle of the store, if the backend gives one.
    pub fn another(&self) -> Option<&Arc<dyn KeyValueStore>> {
        self.another.as_ref()
    }

    /// A handle that nobody else has, once.
    pub(crate) fn take_spare(&self) -> Option<Arc<dyn KeyValueStore>> {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Whether the store closes by itself.
    pub fn closes(&self) -> bool {
        self.closes
    }

    /// A typed store on it.
    pub fn typed(&self) -> Store {
        Store::new(Arc::clone(&self.store))
    }

    /// What the store declares.
    pub fn capabilities(&self) -> Capabilities {
        self.store.capabilities()
    }

    /// Whether the store declares all of these.
    pub fn declares(&self, needed: Capabilities) -> bool {
        self.capabilities().contains(needed)
    }

    /// Steps the time to the end of what has this many milliseconds left, and past the backend's
    /// grace.
    pub(crate) fn outlive(&self, ms: u64) {
        self.advance(ms_of(ms) + self.grace);
    }

    /// Steps the store's time.
    pub fn advance(&self, by: Duration) {
        (self.advance)(by);
    }

    /// Stores a value that never expires.
    pub(crate) async fn put(&self, key: &str, value: &str) -> Result<Version, Failure> {
        self.write(key, value, Write::ALWAYS).await
    }

    /// Stores a value for some milliseconds.
    pub(crate) async fn put_for(
        &self,
        key: &str,
        value: &str,
        ms: u64,
    ) -> Result<Version, Failure> {
        self.write(key, value, Write::ALWAYS.lifetime(millis(ms))).await
    }

    /// Stores a value as told; the condition must hold.
    pub(crate) async fn write(
        &self,
        key: &str,
        value: &str,
        write: Write,
    ) -> Result<Version, Failure> {
        match self.try_write(key, value, write).await? {
            Outcome::Written(version) => Ok(version),
            Outcome::ConditionFailed => {
                Err(Failure::new(format!("set {key:?}: the condition holds, but was not met")))
            }
        }
    }

    pub(crate) async fn try_write(
        &self,
        key: &str,
        value: &str,
        write: Write,
    ) -> kv_core::Result<Outcome> {
        self.store.set(key, bytes(value), write).await
    }

    /// The value under a key.
    pub(crate) async fn value(&self, key: &str) -> Result<Option<Bytes>, Failure> {
        Ok(self.store.get(key).await?.map(|entry| entry.value))
    }

    /// The version under a key that exists.
    pub(crate) async fn version(&self, key: &str) -> Result<Version, Failure> {
        let entry = self.store.get(key).await?;
        let missing = || Failure::new(format!("get {key:?}: the key was set, but is missing"));
        Ok(entry.ok_or_else(missing)?.version)
    }

    /// Fails unless the key holds the value; `None` for a missing key.
    pub(crate) async fn holds(&self, key: &str, value: Option<&str>) -> Result<(), Failure> {
        let (found, expected) = (self.value(key).await?, value.map(bytes));
        ensure!(found == expected, "get {key:?}: got {found:?}, expected {expected:?}");
        Ok(())
    }

    /// Fails unless the key has so many milliseconds left; `None` for one that never expires.
    pub(crate) async fn expires_in(&self, key: &str, ms: Option<u64>) -> Result<(), Failure> {
        let expected = ms.map_or(Remaining::Forever, |ms| Remaining::Expires(ms_of(ms)));
        let found = self.store.ttl(key).await?;
        ensure!(found == Some(expected), "ttl {key:?}: got {found:?}, expected {expected:?}");
        Ok(())
    }

    /// Every key that a walk shows, repeats included.
    pub(crate) async fn walk(&self, pattern: &str, limit: usize) -> Result<Vec<String>, Failure> {
        let pattern = Pattern::new(pattern)?;
        let (mut keys, mut cursor) = (Vec::new(), None::<Cursor>);
        for _ in 0..MAX_PAGES {
            let request = ScanRequest { pattern: &pattern, cursor: cursor.as_ref(), limit };
            let page = self.store.scan(request).await?;
            keys.extend(page.keys);
            cursor = page.next;
            if cursor.is_none() {
                return Ok(keys);
            }
        }
        Err(Failure::new(format!("scan: no end after {MAX_PAGES} pages")))
    }

    /// The keys that a walk shows, sorted, each once.
    pub(crate) async fn scanned(&self, pattern: &str) -> Result<Vec<String>, Failure> {
        let mut keys = self.walk(pattern, 100).await?;
        keys.sort();
        keys.dedup();
        Ok(keys)
    }
}

impl fmt::Debug for Trial<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trial").field("capabilities", &self.capabilities()).finish_non_exhaustive()
    }
}

pub(crate) fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

pub(crate) const fn ms_of(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

pub(crate) const fn millis(ms: u64) -> Lifetime {
    Lifetime::In(ms_of(ms))
}

/// Fails unless the call was refused with one of these kinds.
#[track_caller]
pub(crate) fn refused<T>(
    what: &str,
    result: kv_core::Result<T>,
    kinds: &[ErrorKind],
) -> Result<Error, Failure> {
    match result {
        Ok(_) => Err(Failure::new(format!("{what}: succeeded, expected an error of {kinds:?}"))),
        Err(error) if kinds.contains(&error.kind()) => Ok(error),
        Err(error) => {
            let kind = error.kind();
            Err(Failure::new(format!("{what}: an error of {kind:?}, expected {kinds:?}: {error}")))
        }
    }
}
