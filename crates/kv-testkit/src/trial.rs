//! One store under test, and the small steps that the cases are made of.

mod steps;

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kv_core::{BoxError, Bytes, Capabilities, Error, ErrorKind, KeyValueStore, Lifetime, Store};

use crate::told::{Log, Told};
use crate::{Backend, Failure};

/// A store of a backend, as a case sees it.
pub struct Trial<'b> {
    store: Arc<dyn KeyValueStore>,
    another: Option<Arc<dyn KeyValueStore>>,
    /// One more, for the case that drops it.
    spare: Mutex<Option<Arc<dyn KeyValueStore>>>,
    maker: &'b dyn Maker,
    log: Arc<Log>,
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
        Self::noted(backend, &Arc::default()).await
    }

    /// A trial on a fresh store whose calls are noted there.
    pub(crate) async fn noted<B: Backend>(backend: &'b B, log: &Arc<Log>) -> Result<Self, Failure> {
        let made = backend.make().await;
        let made = made.map_err(|error| Failure::new(format!("no fresh store: {error}")))?;
        Ok(Self::on(made, backend, Arc::clone(log)))
    }

    fn on(made: Made, maker: &'b dyn Maker, log: Arc<Log>) -> Self {
        let Made { store, another, spare } = made;
        let another = another.map(|store| Told::around(store, &log, "another handle: "));
        let spare = spare.map(|store| Told::around(store, &log, "a spare handle: "));
        let store = Told::around(store, &log, "");
        Self { store, another, spare: Mutex::new(spare), maker, log }
    }

    /// A trial on the same data, opened anew after the store has ended and some time has passed;
    /// `None` if the data ended with the store.
    ///
    /// # Errors
    /// When the store cannot be closed, or its data not be opened.
    ///
    /// # Cancel safety
    /// The store may have ended.
    pub(crate) async fn reopen(
        self,
        end: End,
        meanwhile: Duration,
    ) -> Result<Option<Self>, Failure> {
        let Self { store, another, spare, maker, log } = self;
        if end == End::Closed {
            store.close().await?;
        }
        drop((store, another, spare));
        maker.advance(meanwhile);
        log.note(format!("({end:?}, and opened anew {meanwhile:?} later)"));
        let made = maker.make_again().await;
        let made = made.map_err(|error| Failure::new(format!("reopen, {end:?}: {error}")))?;
        Ok(made.map(|made| Self::on(made, maker, log)))
    }

    /// Sets the store's date back; whether that can be done.
    pub(crate) fn set_back(&self, by: Duration) -> bool {
        self.log.note(format!("(the date is set back by {by:?})"));
        self.maker.set_back(by)
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
        self.maker.closes()
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
        self.advance(ms_of(ms) + self.maker.grace());
    }

    /// Steps the store's time.
    pub fn advance(&self, by: Duration) {
        self.log.note(format!("(time goes on by {by:?})"));
        self.maker.advance(by);
    }
}

/// How a store ends before its data is opened anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// By its close, as at the end of a program.
    Closed,
    /// Without, as when a process is killed.
    Dropped,
}

/// A store and perhaps other handles of it.
struct Made {
    store: Arc<dyn KeyValueStore>,
    another: Option<Arc<dyn KeyValueStore>>,
    spare: Option<Arc<dyn KeyValueStore>>,
}

type Making<'m, T> = Pin<Box<dyn Future<Output = Result<T, BoxError>> + Send + 'm>>;

/// A backend, whatever its stores are.
trait Maker: Send + Sync {
    fn make(&self) -> Making<'_, Made>;
    fn make_again(&self) -> Making<'_, Option<Made>>;
    fn advance(&self, by: Duration);
    fn set_back(&self, by: Duration) -> bool;
    fn closes(&self) -> bool;
    fn grace(&self) -> Duration;
}

impl<B: Backend> Maker for B {
    fn make(&self) -> Making<'_, Made> {
        Box::pin(async { Ok(made(self, self.fresh().await?)) })
    }

    fn make_again(&self) -> Making<'_, Option<Made>> {
        Box::pin(async { Ok(self.reopen().await?.map(|store| made(self, store))) })
    }

    fn advance(&self, by: Duration) {
        Backend::advance(self, by);
    }

    fn set_back(&self, by: Duration) -> bool {
        Backend::set_back(self, by)
    }

    fn closes(&self) -> bool {
        Backend::closes(self)
    }

    fn grace(&self) -> Duration {
        Backend::grace(self)
    }
}

fn made<B: Backend>(backend: &B, store: B::Store) -> Made {
    let another = || backend.another(&store).map(|store| Arc::new(store) as Arc<_>);
    let (another, spare) = (another(), another());
    Made { store: Arc::new(store), another, spare }
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
