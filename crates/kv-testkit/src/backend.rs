//! What the suite needs to know of a backend.

use std::time::Duration;

use kv_core::{BoxError, KeyValueStore};

/// How the suite makes stores of one backend, and steps their time.
///
/// One value serves one case. It lives until the case has ended, so it may own a server.
pub trait Backend: Send + Sync {
    /// The store under test.
    type Store: KeyValueStore;

    /// An empty store that nobody else uses.
    ///
    /// # Errors
    /// Whatever keeps the store from being made; it fails the case.
    ///
    /// # Cancel safety
    /// The suite drops the future only when the case takes too long.
    fn fresh(&self) -> impl Future<Output = Result<Self::Store, BoxError>> + Send;

    /// Steps the time by which every store made here counts lifetimes, by microseconds or more.
    /// Between the steps that time stands still.
    ///
    /// It does nothing on a backend that declares no
    /// [`TTL`](kv_core::Capabilities::TTL).
    fn advance(&self, by: Duration);

    /// Another handle of the same store, such as a clone; `None` where there is no such thing.
    fn another(&self, store: &Self::Store) -> Option<Self::Store> {
        let _ = store;
        None
    }

    /// The data of the store that [`fresh`](Self::fresh) made last, in a new store, as a new
    /// process finds it; `None` where the data ends with the process.
    ///
    /// All handles of the earlier store are gone by then: the suite has closed them, or only
    /// dropped them, as a process that is killed leaves them. A killed process flushes nothing, so
    /// nothing that was acknowledged may depend on a close. The new store gets a clock whose
    /// `now()` begins again and whose `wall()` goes on, by which the suite tells who keeps
    /// deadlines of the one or of the other: [`ManualClock::restarted`](crate::ManualClock::restarted).
    ///
    /// # Errors
    /// Whatever keeps the data from being opened; it fails the case.
    ///
    /// # Cancel safety
    /// The suite drops the future only when the case takes too long.
    fn reopen(&self) -> impl Future<Output = Result<Option<Self::Store>, BoxError>> + Send {
        async { Ok(None) }
    }

    /// Sets the date back by which the stores made here go, now and after a
    /// [`reopen`](Self::reopen), while the time since their start goes on; `false` where that
    /// cannot be done. See [`ManualClock::set_back`](crate::ManualClock::set_back).
    ///
    /// It is called only where the backend reopens.
    fn set_back(&self, by: Duration) -> bool {
        let _ = by;
        false
    }

    /// How long after its end a key may still be there: no time, by the contract.
    ///
    /// A server that compares whole milliseconds with "greater than", as Redis does, shows a key
    /// for one more; the suite steps past it.
    fn grace(&self) -> Duration {
        Duration::ZERO
    }

    /// Whether the store has a [`close`](KeyValueStore::close) of its own.
    ///
    /// The provided one closes nothing, and leaves it to `kv_core::Store` to refuse later calls:
    /// a backend without one says `false` here, and only that is tried then.
    fn closes(&self) -> bool {
        true
    }
}
