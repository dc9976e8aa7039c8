//! Values that are computed once for all callers, and kept.
//!
//! ```text
//! get_or_set_with ─ read ─┬─ fresh ───────────────────────────────────────────────► value
//!                         ├─ ending, stale ── flight in the background ───────────► value
//!                         ├─ kept ─────────── flight, for at most the time limit ─► loaded, else kept
//!                         └─ missing ──────── flight ─────────────────────────────► loaded
//! flight: one for each key of the process ─ lease: one for each key of the store ─ load ─ write
//! ```

mod flights;
mod load;
mod loader;
mod many;
mod options;
mod read;
mod remembered;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::AbortHandle;

pub use options::{CacheOptions, CachePolicy};

use self::flights::{Flights, Joined, Landed, Lead, Passenger};
use self::loader::{Load, Slot};
use self::options::sealed::Owned;
use self::remembered::Remembered;
use super::{Store, Undecodable};
use crate::{BoxError, Bytes, Clock, Error, ErrorKind, Result, SystemClock, Version};

const VERB: &str = "get_or_set_with";

/// The most loads of a store that run in tasks. Further loads run in their callers, and further
/// refreshes wait for a later call.
const MOST_TASKS: usize = 256;

/// What all handles of a store share for the values that it caches.
pub(super) struct Cache {
    flights: Flights,
    remembered: Remembered,
    tasks: Arc<Semaphore>,
}

impl Cache {
    pub(super) fn new() -> Self {
        let tasks = Arc::new(Semaphore::new(MOST_TASKS));
        Self { flights: Flights::default(), remembered: Remembered::new(), tasks }
    }

    /// Forgets everything that is remembered.
    pub(super) fn forget_all(&self) {
        self.remembered.forget_all();
    }

    /// Ends the loads in the background.
    pub(super) fn close(&self) {
        self.flights.abort();
    }
}

/// Forgets what the process remembers of keys, at once and again when it is dropped.
struct Forgets<'k> {
    cache: &'k Cache,
    keys: &'k [&'k str],
}

impl<'k> Forgets<'k> {
    fn new(cache: &'k Cache, keys: &'k [&'k str]) -> Self {
        let forgets = Self { cache, keys };
        forgets.forget();
        forgets
    }

    fn forget(&self) {
        self.keys.iter().for_each(|key| self.cache.remembered.forget(key));
    }
}

impl Drop for Forgets<'_> {
    fn drop(&mut self) {
        self.forget();
    }
}

/// Time and chance, as a store judges what it remembers and spreads its loads.
pub(super) struct Conditions {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) chance: Mutex<fastrand::Rng>,
}

impl Conditions {
    pub(super) fn of_system() -> Self {
        let chance = Mutex::new(fastrand::Rng::new());
        Self { clock: Arc::new(SystemClock::new()), chance }
    }

    pub(super) fn of(clock: impl Clock, seed: u64) -> Self {
        let chance = Mutex::new(fastrand::Rng::with_seed(seed));
        Self { clock: Arc::new(clock), chance }
    }

    /// From 0 up to 1.
    fn draw(&self) -> f64 {
        self.chance.lock().unwrap_or_else(PoisonError::into_inner).f64()
    }

    pub(super) fn number(&self) -> u64 {
        self.chance.lock().unwrap_or_else(PoisonError::into_inner).u64(..)
    }
}

/// What a flight needs to know of its key.
#[derive(Clone)]
struct Plan {
    /// The key as the program names it, and as stored.
    key: String,
    stored: String,
    options: CacheOptions,
    /// A state of the key that does not count as a value, since its bytes do not decode.
    bad: Option<Version>,
    /// The part of the period for early loads in which this call loads.
    early: Duration,
    /// The store did not answer, and nothing was remembered.
    is_away: bool,
}

impl Store {
    /// The same store with another clock, for what the process remembers beside the backend, and
    /// another seed, for what is spread by chance: see [`CacheOptions`]. For tests.
    #[must_use]
    pub fn with_time_and_chance(self, clock: impl Clock, seed: u64) -> Self {
        Self { conditions: Arc::new(Conditions::of(clock, seed)), ..self }
    }

    /// The value under a key, or else the loader's value, stored for the next caller.
    ///
    /// One load runs for all callers: those in this process share it, if their stores are clones;
    /// those of other processes wait for it, if the backend declares
    /// [`SHARED`](crate::Capabilities::SHARED). All get the value that is stored. [`CacheOptions`]
    /// also serve a value while a load replaces it, and when a load fails.
    ///
    /// A loader under an `Expiry` or `Duration` may borrow, and runs in the call of one caller. A
    /// loader under `CacheOptions` runs in a task of the Tokio runtime, at most 256 of them; outside
    /// of a runtime it runs in the call, and then a stale value is not served but loaded. A loader
    /// may not call `get_or_set_with` for its own key: it would wait for itself.
    ///
    /// On a backend without conditions the last value is stored. If a stored value does not decode
    /// and that is a [miss](super::Undecodable::Miss), the loader's value replaces it, unless it has
    /// changed meanwhile.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use kv_core::{CacheOptions, Store};
    /// use kv_memory::MemoryStore;
    ///
    /// # kv_testkit::runtime()?.block_on(async {
    /// let store = Store::new(MemoryStore::new());
    /// let minute = Duration::from_secs(60);
    /// let load = || async { Ok::<_, std::io::Error>(42) };
    /// assert_eq!(store.get_or_set_with("answer", minute, load).await?, 42);
    ///
    /// let fails = || async { Err::<i32, _>(std::io::Error::other("the database is away")) };
    /// assert_eq!(store.get_or_set_with("answer", minute, fails).await?, 42);
    /// let options = CacheOptions::new().ttl(minute).absent_ttl(Duration::from_secs(1));
    /// let none = || async { Ok::<Option<i32>, std::io::Error>(None) };
    /// assert_eq!(store.get_or_set_with("other", options, none).await?, None);
    /// # Ok::<(), kv_core::Error>(()) }).unwrap();
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Loader`, with the loader's error as source, or if the loader panicked; then nothing is
    /// stored. Other errors as for `get` and `set`.
    ///
    /// # Cancel safety
    /// A dropped future may have stored the loader's value, whole. A load in a task goes on. If the
    /// load runs in the dropped call, one of the waiting callers loads in its place.
    pub async fn get_or_set_with<'l, T, O, F, Fut, E>(
        &self,
        key: &str,
        options: O,
        loader: F,
    ) -> Result<T>
    where
        T: Serialize + DeserializeOwned + Send + 'l,
        O: CachePolicy<'l>,
        F: FnOnce() -> Fut + Send + 'l,
        Fut: Future<Output = Result<T, E>> + Send + 'l,
        E: Into<BoxError> + 'l,
    {
        let mut plan = self.plan(key, options.into())?;
        let seen = self.see::<T>(&mut plan).await?;
        let seen = match seen {
            Some(seen) if seen.is_fresh() => return Ok(seen.value),
            other => other,
        };
        // Refuse a wrong lifetime before the loader works.
        let checked = plan.options.check().and_then(|()| self.lifetime(plan.options.expiry));
        checked.map_err(|error| self.about(error, key))?;
        let slot = Slot::new();
        let load = O::own(loader::load(self.serializer.clone(), &slot, loader));
        match (seen, load) {
            (Some(seen), Owned::Yes(load)) if seen.is_served_at_once() && has_runtime() => {
                self.refresh(&plan, load);
                Ok(seen.value)
            }
            (seen, load) => self.loaded(&plan, load, &slot, seen.map(|seen| seen.value)).await,
        }
    }

    /// Awaits a write, before and after which the process forgets what it remembers of the keys.
    pub(super) async fn writing<T>(
        &self,
        keys: &[&str],
        write: impl Future<Output = T> + Send,
    ) -> T {
        let _forgets = Forgets::new(&self.shared.cache, keys);
        write.await
    }

    fn plan(&self, key: &str, options: CacheOptions) -> Result<Plan> {
        let stored = self.key(VERB, key)?;
        let is_early = !options.early.is_zero();
        let early = options.early_part(if is_early { self.conditions.draw() } else { 0.0 });
        Ok(Plan { key: key.to_owned(), stored, options, bad: None, early, is_away: false })
    }

    /// Waits for a load, the own one or another caller's. While there is a kept value, the wait is
    /// bounded, and no failure reaches the caller.
    async fn loaded<T: DeserializeOwned>(
        &self,
        plan: &Plan,
        load: Owned<'_, Bytes>,
        slot: &Slot<T>,
        kept: Option<T>,
    ) -> Result<T> {
        let landed = match self.failure(&plan.stored) {
            Some(error) => Err(error),
            None if kept.is_some() && has_runtime() => {
                let fly = self.fly(plan, load);
                let landed = tokio::time::timeout(plan.options.time_limit, fly).await;
                landed.unwrap_or_else(|_| Err(stopped()))
            }
            None => self.fly(plan, load).await,
        };
        let landed = match (landed, kept) {
            (Err(_), Some(kept)) => return Ok(kept),
            (landed, _) => landed.map_err(|error| self.about(error, &plan.key))?,
        };
        if landed.is_loaded
            && let Some(own) = slot.take()
        {
            return Ok(own);
        }
        let decoded = self.serializer.decode(&landed.bytes);
        match (decoded, self.undecodable, slot.take()) {
            (Err(_), Undecodable::Miss, Some(own)) => Ok(own),
            (decoded, ..) => decoded.map_err(|error| self.about(error, &plan.key)),
        }
    }

    /// Leads the flight of a key, or waits for its end; again if its leader gives up.
    async fn fly(&self, plan: &Plan, load: Owned<'_, Bytes>) -> Result<Landed> {
        let mut load = Some(load);
        loop {
            let passenger = match (self.shared.cache.join(&plan.stored), load.take()) {
                (Joined::Wait(passenger), unused) => {
                    load = unused;
                    passenger
                }
                (Joined::Lead(lead), Some(load)) => match self.start(plan, lead, load) {
                    Started::Task(passenger) => passenger,
                    Started::Call(lead, load) => {
                        let verdict = self.flight(plan, load).await;
                        lead.land(verdict.clone());
                        return verdict;
                    }
                },
                (Joined::Lead(_), None) => {
                    self.backend()?;
                    return Err(stopped());
                }
            };
            if let Some(verdict) = passenger.verdict().await {
                return verdict;
            }
        }
    }

    /// Begins a load in the background, if none is under way and none failed a short time ago.
    fn refresh(&self, plan: &Plan, load: Load<'static>) {
        if self.failure(&plan.stored).is_none()
            && let Joined::Lead(lead) = self.shared.cache.join(&plan.stored)
        {
            // With too many tasks a later call refreshes: nobody waits for a load here.
            drop(self.start(plan, lead, Owned::Yes(load)));
        }
    }

    /// Begins a flight in a task, if its load owns what it uses, and there is a runtime and room.
    fn start<'l>(&self, plan: &Plan, lead: Lead, load: Owned<'l, Bytes>) -> Started<'l> {
        let (load, room) = match (load, self.room()) {
            (Owned::Yes(load), Some(room)) => (load, room),
            (Owned::Yes(load), None) => return Started::Call(lead, load),
            (Owned::No(load), _) => return Started::Call(lead, load),
        };
        let (passenger, owner) = (lead.passenger(), lead.owner());
        let (store, plan) = (self.clone(), plan.clone());
        let task = room.spawn(async move {
            let verdict = store.flight(&plan, load).await;
            lead.land(verdict);
        });
        owner.carried_by(task);
        Started::Task(passenger)
    }

    /// A place for one more task, if there is a runtime and few enough tasks run.
    fn room(&self) -> Option<Room> {
        let runtime = Handle::try_current().ok()?;
        let permit = Arc::clone(&self.shared.cache.tasks).try_acquire_owned().ok()?;
        Some(Room { runtime, permit })
    }

    fn about(&self, error: Error, key: &str) -> Error {
        self.quoted(error, key).operation(VERB).key(key)
    }

    /// The error of a load that failed so short a time ago that none begins.
    fn failure(&self, stored: &str) -> Option<Error> {
        self.shared.cache.remembered.failure(stored, self.conditions.clock.now())
    }
}

/// A place for a task that carries a flight.
struct Room {
    runtime: Handle,
    permit: OwnedSemaphorePermit,
}

impl Room {
    fn spawn(self, flight: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
        let Self { runtime, permit } = self;
        let task = runtime.spawn(async move {
            flight.await;
            drop(permit);
        });
        task.abort_handle()
    }
}

/// Who carries a flight.
enum Started<'l> {
    Task(Passenger),
    Call(Lead, Load<'l>),
}

fn has_runtime() -> bool {
    Handle::try_current().is_ok()
}

/// The error of a caller whose load was stopped.
fn stopped() -> Error {
    Error::new(ErrorKind::Backend, "the load was stopped before it ended")
}
