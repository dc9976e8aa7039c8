//! Stores that tell changes wrongly, each in one way.

use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use kv_core::{
    BoxError, Bytes, Capabilities, Condition, Entry, Error, KeyValueStore, Outcome, Pattern,
    RESERVED, Remaining, Result, ScanPage, ScanRequest, Stats, Watcher, Watchers, Write,
    async_trait,
};
use kv_testkit::{Backend, ManualClock};

use super::case;
use super::verbs::Broken;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slip {
    BeginsWithoutAGap,
    TellsNoDeletes,
    TellsNoNewLifetimes,
    IgnoresThePrefix,
    ReadsThePrefixAsAPattern,
    TellsTheLibrarysKeys,
    TellsTheLastWatchAlone,
    TellsOfOneHandle,
    GoesOnAfterClose,
    TellsNoExpiry,
}

use Slip::*;

pub(super) const PLANTED: &[(Slip, &str)] = &[
    (BeginsWithoutAGap, "a_watch_begins_with_a_gap"),
    (TellsNoDeletes, "every_way_to_change_a_key_is_told"),
    (TellsNoNewLifetimes, "every_way_to_change_a_key_is_told"),
    (IgnoresThePrefix, "a_watch_tells_the_keys_of_its_prefix_alone"),
    (ReadsThePrefixAsAPattern, "a_watch_tells_the_keys_of_its_prefix_alone"),
    (TellsTheLibrarysKeys, "the_librarys_own_keys_are_not_told"),
    (TellsTheLastWatchAlone, "every_watch_is_told_what_every_handle_did"),
    (TellsOfOneHandle, "every_watch_is_told_what_every_handle_did"),
    (GoesOnAfterClose, "a_closed_store_ends_its_watches"),
    (TellsNoExpiry, "a_key_that_expired_is_told_when_it_is_removed"),
];

type Listed = (String, Weak<dyn Watcher>);

/// A store of five methods that tells its changes. It tells the library's keys by itself.
#[derive(Clone)]
struct Watched {
    slip: Option<Slip>,
    store: Arc<Broken>,
    watchers: Arc<Watchers>,
    /// The same, for what [`Watchers`] does not do wrong.
    listed: Arc<Mutex<Vec<Listed>>>,
    is_another: bool,
}

impl Watched {
    fn is(&self, slip: Slip) -> bool {
        self.slip == Some(slip)
    }

    fn changed(&self, key: &str) {
        if self.is_another && self.is(TellsOfOneHandle) {
            return;
        }
        self.watchers.changed(key);
        for (prefix, watcher) in &*self.listed.lock().unwrap() {
            let is_wanted = match self.slip {
                Some(IgnoresThePrefix) => true,
                Some(ReadsThePrefixAsAPattern) => {
                    Pattern::new(&format!("{prefix}*")).unwrap().matches(key)
                }
                Some(TellsTheLastWatchAlone) => key.starts_with(prefix) && !key.contains(RESERVED),
                _ => key.contains(RESERVED),
            };
            let watcher = watcher.upgrade().filter(|_| is_wanted && key.len() >= prefix.len());
            watcher.into_iter().for_each(|watcher| watcher.changed(key));
        }
    }
}

#[async_trait]
impl KeyValueStore for Watched {
    async fn get(&self, key: &str) -> Result<Option<Entry>> {
        let entry = self.store.get(key).await?;
        // This store frees an expired key when somebody looks at it.
        if entry.is_none() && !self.is(TellsNoExpiry) {
            self.changed(key);
        }
        Ok(entry)
    }

    async fn set(&self, key: &str, value: Bytes, write: Write) -> Result<Outcome> {
        let kept = self.store.get(key).await?.is_some_and(|entry| entry.value == value);
        let outcome = self.store.set(key, value, write).await?;
        // The provided `touch` writes what is there, with another lifetime.
        if outcome.is_written() && !(kept && self.is(TellsNoNewLifetimes)) {
            self.changed(key);
        }
        Ok(outcome)
    }

    async fn delete(&self, key: &str, condition: Condition) -> Result<bool> {
        let deleted = self.store.delete(key, condition).await?;
        if deleted && !self.is(TellsNoDeletes) {
            self.changed(key);
        }
        Ok(deleted)
    }

    async fn ttl(&self, key: &str) -> Result<Option<Remaining>> {
        self.store.ttl(key).await
    }

    async fn scan(&self, request: ScanRequest<'_>) -> Result<ScanPage> {
        self.store.scan(request).await
    }

    fn capabilities(&self) -> Capabilities {
        self.store.capabilities() | Capabilities::WATCH
    }

    fn watch(&self, prefix: &str, watcher: Weak<dyn Watcher>) -> Result<()> {
        let listed = (prefix.to_owned(), Weak::clone(&watcher));
        match self.slip {
            Some(IgnoresThePrefix | ReadsThePrefixAsAPattern | TellsTheLibrarysKeys) => {
                self.listed.lock().unwrap().push(listed);
            }
            Some(TellsTheLastWatchAlone) => *self.listed.lock().unwrap() = vec![listed],
            _ => {}
        }
        if !self.is(TellsTheLastWatchAlone) {
            self.watchers.add(prefix, Weak::clone(&watcher));
        }
        if !self.is(BeginsWithoutAGap) {
            watcher.upgrade().unwrap().gap();
        }
        Ok(())
    }

    async fn stats(&self) -> Result<Stats> {
        self.store.stats().await
    }

    async fn close(&self) -> Result<()> {
        if !self.is(GoesOnAfterClose) {
            self.watchers.lost(Error::closed);
        }
        self.store.close().await
    }
}

struct Plant(Option<Slip>, ManualClock);

impl Plant {
    fn new(slip: Option<Slip>) -> Self {
        Self(slip, ManualClock::new())
    }
}

impl Backend for Plant {
    type Store = Watched;

    async fn fresh(&self) -> Result<Watched, BoxError> {
        let store = Arc::new(Broken::new(None, self.1.clone()));
        let (watchers, listed) = (Arc::default(), Arc::default());
        Ok(Watched { slip: self.0, store, watchers, listed, is_another: false })
    }

    fn advance(&self, by: Duration) {
        self.1.advance(by);
    }

    fn another(&self, store: &Watched) -> Option<Watched> {
        Some(Watched { is_another: true, ..store.clone() })
    }
}

mod without_a_slip {
    kv_testkit::conformance!(super::Plant::new(None));
}

#[test]
fn every_change_that_is_told_wrongly_is_caught() {
    let missed: Vec<_> = PLANTED.iter().filter(|(slip, name)| !is_caught(*slip, name)).collect();
    assert!(missed.is_empty(), "not caught: {missed:?}");
}

/// On a paused clock, so that nobody waits for what is never told.
fn is_caught(slip: Slip, name: &str) -> bool {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().start_paused(true).build().unwrap();
    runtime.block_on(case(name).run(&Plant::new(Some(slip)))).is_err()
}
