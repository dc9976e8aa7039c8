//! A store whose time the test steps, and a loader that the test watches.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use kv_core::{CacheOptions, Result, Store};
use kv_memory::MemoryStore;
use kv_testkit::{Faulty, ManualClock};
use tokio::sync::Semaphore;

pub(crate) const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Fresh for 10 seconds, then stale for 20, then kept for 30.
pub(crate) const fn periods() -> CacheOptions {
    CacheOptions::new().stale(secs(20)).fail_safe(secs(30))
}

/// A store in memory that fails when it is told to, its clock, and a loader.
pub(crate) struct Rig {
    pub(crate) store: Store,
    pub(crate) faulty: Faulty,
    pub(crate) clock: ManualClock,
    pub(crate) loader: Loader,
}

impl Rig {
    pub(crate) fn new() -> Self {
        Self::seeded(1)
    }

    pub(crate) fn seeded(seed: u64) -> Self {
        let clock = ManualClock::new();
        let faulty = Faulty::new(MemoryStore::builder().clock(clock.clone()).build());
        let store = Store::new(faulty.clone()).with_time_and_chance(clock.clone(), seed);
        Self { store, faulty, clock, loader: Loader::default() }
    }

    /// A call under options with a fresh period of 10 seconds.
    pub(crate) async fn get(&self, options: CacheOptions) -> Result<u32> {
        let loader = self.loader.clone();
        let load = move || async move { loader.load().await };
        self.store.get_or_set_with("k", options.ttl(secs(10)), load).await
    }

    /// Lets tasks go on until the loads of the background have ended.
    pub(crate) async fn settle(&self) {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    }
}

/// A loader whose values are 1, 2, 3 …
#[derive(Clone)]
pub(crate) struct Loader {
    begun: Arc<AtomicU32>,
    /// What comes instead of a value.
    fault: Arc<AtomicU32>,
    passes: Arc<Semaphore>,
}

impl Default for Loader {
    fn default() -> Self {
        let passes = Arc::new(Semaphore::new(Semaphore::MAX_PERMITS));
        Self { begun: Arc::default(), fault: Arc::default(), passes }
    }
}

impl Loader {
    pub(crate) async fn load(&self) -> io::Result<u32> {
        let number = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
        let pass = self.passes.acquire().await.map_err(io::Error::other)?;
        pass.forget();
        match self.fault.load(Ordering::SeqCst) {
            0 => Ok(number),
            1 => Err(io::Error::other(format!("failed load {number}"))),
            _ => panic!("a planted panic"),
        }
    }

    /// How many loads have begun.
    pub(crate) fn loads(&self) -> u32 {
        self.begun.load(Ordering::SeqCst)
    }

    pub(crate) fn works(&self) {
        self.fault.store(0, Ordering::SeqCst);
    }

    pub(crate) fn fails(&self) {
        self.fault.store(1, Ordering::SeqCst);
    }

    pub(crate) fn panics(&self) {
        self.fault.store(2, Ordering::SeqCst);
    }

    /// Holds loads until they are [let go](Self::go_on).
    pub(crate) fn holds(&self) {
        self.passes.forget_permits(Semaphore::MAX_PERMITS);
    }

    pub(crate) fn go_on(&self) {
        self.passes.add_permits(1_000);
    }
}

/// What a loader gives that is expected not to run, or to panic.
pub(crate) fn panics<T>() -> io::Result<T> {
    panic!("a planted panic")
}
