//! How a cached value is loaded, kept and served.

use std::time::Duration;

use super::loader::Load;
use crate::{Expiry, Lifetime, MAX_LIFETIME, Result};

/// How long a caller waits for a load while something can be served in its place, by default.
const TIME_LIMIT: Duration = Duration::from_secs(1);

/// How [`Store::get_or_set_with`](crate::Store::get_or_set_with) loads, keeps and serves a value.
///
/// A value passes through three periods, one after the other:
///
/// | Period | Option | What a caller gets |
/// | --- | --- | --- |
/// | fresh | [`ttl`](Self::ttl) | the value |
/// | stale | [`stale`](Self::stale) | the value at once, while one load runs in the background |
/// | kept | [`fail_safe`](Self::fail_safe) | the loaded value; the kept one if the loader or the store fails or takes long |
///
/// The store keeps the value for the three periods together, and a value's age follows from the time
/// that it has left. So the stored bytes are the plain value, and every other reader can read them.
/// A value that something else wrote is judged by the time that it has left, too: write it with
/// [`kept_for`](Self::kept_for).
///
/// ```
/// use std::time::Duration;
///
/// use kv_core::{CacheOptions, Store};
/// use kv_memory::MemoryStore;
///
/// # kv_testkit::runtime()?.block_on(async {
/// let store = Store::new(MemoryStore::new());
/// let options = CacheOptions::new()
///     .ttl(Duration::from_secs(60))
///     .stale(Duration::from_secs(300))
///     .fail_safe(Duration::from_secs(3_600));
/// let load = || async { Ok::<_, std::io::Error>("from the database".to_owned()) };
/// let page: String = store.get_or_set_with("page", options, load).await?;
/// assert_eq!(page, "from the database");
/// assert_eq!(store.get("page").await?, Some(page), "other readers see the plain value");
/// # Ok::<(), kv_core::Error>(()) }).unwrap();
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct CacheOptions {
    pub(super) expiry: Expiry,
    pub(super) absent: Option<Expiry>,
    pub(super) stale: Duration,
    pub(super) fail_safe: Duration,
    pub(super) early: Duration,
    pub(super) time_limit: Duration,
    pub(super) errors: Duration,
    pub(super) tags: Vec<String>,
}

impl CacheOptions {
    /// The store's default time to live, and nothing else.
    pub const fn new() -> Self {
        Self {
            expiry: Expiry::Default,
            absent: None,
            stale: Duration::ZERO,
            fail_safe: Duration::ZERO,
            early: Duration::ZERO,
            time_limit: TIME_LIMIT,
            errors: Duration::ZERO,
            tags: Vec::new(),
        }
    }

    /// How long the value is fresh. Bounds how old a value is that a caller gets while loads succeed.
    #[must_use]
    pub fn ttl(self, expiry: impl Into<Expiry>) -> Self {
        Self { expiry: expiry.into(), ..self }
    }

    /// How long a value that is no longer fresh is served at once while one load replaces it in the
    /// background. Prevents that callers wait when a value ends.
    #[must_use]
    pub const fn stale(mut self, duration: Duration) -> Self {
        self.stale = duration;
        self
    }

    /// How long, after that, a value is kept for the case that the loader or the store fails, or
    /// takes longer than the [time limit](Self::time_limit). Prevents that an outage of either
    /// becomes one of the service.
    ///
    /// The process also remembers the values that it served last, in at most 16 MiB, so that it can
    /// serve them while the store does not answer. A call through this `Store` or a clone that
    /// writes a key forgets what is remembered of the key.
    #[must_use]
    pub const fn fail_safe(mut self, duration: Duration) -> Self {
        self.fail_safe = duration;
        self
    }

    /// The last part of the fresh period in which a caller may start a load in the background. Each
    /// call draws the moment anew, so that not all processes load at once. Prevents that a value in
    /// use becomes stale.
    #[must_use]
    pub const fn early(mut self, duration: Duration) -> Self {
        self.early = duration;
        self
    }

    /// How long a caller waits for a load while a value of the `fail_safe` period can be served in
    /// its place: one second by default. The load goes on in the background. Prevents that a slow
    /// loader makes the service slow.
    #[must_use]
    pub const fn time_limit(mut self, duration: Duration) -> Self {
        self.time_limit = duration;
        self
    }

    /// How long "there is none" is fresh: a loaded value that is written as null, such as `None`.
    /// By default, as long as every other value. Prevents that requests for what does not exist
    /// reach the loader each time, and that what comes into being is seen late.
    #[must_use]
    pub fn absent_ttl(self, expiry: impl Into<Expiry>) -> Self {
        Self { absent: Some(expiry.into()), ..self }
    }

    /// How long this process remembers that a load failed, and does not load again: not at all by
    /// default. Callers get the kept value or the error. Prevents that callers keep a failing source
    /// busy.
    #[must_use]
    pub const fn remember_errors(mut self, duration: Duration) -> Self {
        self.errors = duration;
        self
    }

    /// A tag of the stored value, at most 16:
    /// [`Store::invalidate`](crate::Store::invalidate) ends all values of a tag at once.
    #[must_use]
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tags.push(tag.into());
        self
    }

    /// The time to live of the stored value: the three periods together. For programs that write a
    /// value which is read by `get_or_set_with`.
    ///
    /// ```
    /// use std::time::Duration;
    /// use kv_core::{CacheOptions, Expiry};
    /// let minute = Duration::from_secs(60);
    /// let options = CacheOptions::new().ttl(minute).stale(minute).fail_safe(minute);
    /// assert_eq!(options.kept_for(), Expiry::In(3 * minute));
    /// ```
    pub fn kept_for(&self) -> Expiry {
        match self.expiry {
            Expiry::In(fresh) if !fresh.is_zero() => Expiry::In(fresh.saturating_add(self.spare())),
            other => other,
        }
    }

    /// Stale and fail-safe together.
    pub(super) fn spare(&self) -> Duration {
        self.stale.saturating_add(self.fail_safe).min(MAX_LIFETIME)
    }

    /// Whether a value is served as long as it exists.
    pub(super) fn is_plain(&self) -> bool {
        self.spare().is_zero() && self.early.is_zero()
    }

    /// The lifetime in the store of a value that is fresh for a lifetime.
    pub(super) fn kept(&self, fresh: Lifetime) -> Lifetime {
        match fresh {
            Lifetime::In(fresh) => Lifetime::In(fresh.saturating_add(self.spare())),
            other => other,
        }
    }
}

impl Default for CacheOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl From<Expiry> for CacheOptions {
    fn from(expiry: Expiry) -> Self {
        Self::new().ttl(expiry)
    }
}

impl From<Duration> for CacheOptions {
    fn from(ttl: Duration) -> Self {
        Self::new().ttl(ttl)
    }
}

/// What says how a value is cached, with a loader that lives for `'l`.
///
/// A loader under an [`Expiry`] or a [`Duration`] runs within the call, so it may borrow. One under
/// [`CacheOptions`] may go on in the background, so it owns what it uses: `'l` is `'static`.
pub trait CachePolicy<'l>: Into<CacheOptions> + Send + sealed::Sealed<'l> {}

impl CachePolicy<'_> for Expiry {}
impl CachePolicy<'_> for Duration {}
impl CachePolicy<'static> for CacheOptions {}

pub(super) mod sealed {
    use super::{CacheOptions, Duration, Expiry, Load};

    /// A load, by whether it can go on without its caller.
    pub enum Owned<'l, R> {
        Yes(Load<'static, R>),
        No(Load<'l, R>),
    }

    pub trait Sealed<'l> {
        fn own<R>(load: Load<'l, R>) -> Owned<'l, R>;
    }

    impl<'l> Sealed<'l> for Expiry {
        fn own<R>(load: Load<'l, R>) -> Owned<'l, R> {
            Owned::No(load)
        }
    }

    impl<'l> Sealed<'l> for Duration {
        fn own<R>(load: Load<'l, R>) -> Owned<'l, R> {
            Owned::No(load)
        }
    }

    impl Sealed<'static> for CacheOptions {
        fn own<R>(load: Load<'static, R>) -> Owned<'static, R> {
            Owned::Yes(load)
        }
    }
}

/// How old a value is, by the options that it is read with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Age {
    Fresh,
    /// Fresh, and in the period for early loads.
    Ending,
    Stale,
    Kept,
}

impl CacheOptions {
    /// The age of a value that has this long left in the store. Of the period for early loads, the
    /// part in which this call loads is given.
    pub(super) fn age(&self, left: Option<Duration>, early: Duration) -> Age {
        let Some(left) = left else { return Age::Fresh };
        match left.checked_sub(self.spare()) {
            Some(fresh) if fresh > early => Age::Fresh,
            Some(fresh) if !fresh.is_zero() => Age::Ending,
            _ if left > self.fail_safe => Age::Stale,
            _ => Age::Kept,
        }
    }

    /// The part of the period for early loads in which a call loads, by chance from 0 to 1.
    pub(super) fn early_part(&self, chance: f64) -> Duration {
        self.early.min(MAX_LIFETIME).mul_f64(chance)
    }

    /// Refuses a time to live of zero for "there is none".
    pub(super) fn check(&self) -> Result<()> {
        if let Some(Expiry::In(duration)) = self.absent {
            Lifetime::In(duration).as_millis()?;
        }
        Ok(())
    }
}
