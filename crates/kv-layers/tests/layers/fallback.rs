//! A store with a fallback serves plain calls while its primary is away, and promises no more.

mod switching;
mod walks;
mod writes;

use std::sync::Arc;
use std::time::Duration;

use kv_core::{ErrorKind, KeyValueStore};
use kv_layers::{Fallback, FallbackStore, Layer};
use kv_memory::MemoryStore;
use kv_testkit::{Fault, Faulty, ManualClock, Method};

use crate::support::{Bare, Gate, break_down, poll, put};

const PAUSE: Duration = Duration::from_secs(1);

/// A store with a fallback, and what a test does to it.
pub(crate) struct Rig {
    pub(crate) clock: ManualClock,
    pub(crate) primary: Faulty,
    pub(crate) store: Arc<FallbackStore>,
}

impl Rig {
    pub(crate) fn new(failures: u32) -> Self {
        let (clock, primary) = (ManualClock::new(), Faulty::new(MemoryStore::new()));
        let fallback = Fallback::to(MemoryStore::new).failures(failures).pause(PAUSE);
        let store = fallback.clock(clock.clone()).seeded(7).on(primary.clone()).unwrap();
        Self { clock, primary, store: Arc::new(store) }
    }

    /// One whose primary went away.
    pub(crate) async fn away() -> Self {
        let rig = Self::new(1);
        rig.begin_outage().await;
        rig
    }

    pub(crate) async fn begin_outage(&self) {
        break_down(&self.primary, ErrorKind::Connection);
        self.store.ping().await.unwrap();
        assert!(self.store.is_on_fallback());
    }

    /// The primary can be reached again, and is found to be back.
    pub(crate) async fn end_outage(&self) {
        self.primary.heal();
        self.clock.advance(PAUSE);
        self.store.ping().await.unwrap();
        assert!(!self.store.is_on_fallback());
    }
}

#[test]
fn a_spare_store_without_lifetimes_is_refused_at_the_beginning() {
    let error = Fallback::to(|| Bare).on(MemoryStore::new()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("the spare store has no lifetimes"), "{error}");
    assert!(Fallback::to(MemoryStore::new).on(Bare).is_ok(), "it needs none");
    assert!(Fallback::to(|| Bare).on(Bare).is_ok());
}

#[tokio::test]
async fn closing_in_an_outage_closes_both_stores_for_good() {
    let rig = Rig::away().await;
    assert!(rig.store.close().await.is_err(), "the primary is away, and says so");
    rig.primary.heal();
    rig.clock.advance(PAUSE);
    for _ in 0..2 {
        let error = put(&*rig.store, "k", "v").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Closed);
    }
}

#[tokio::test]
async fn a_closed_store_does_not_begin_an_outage() {
    let rig = Rig::new(1);
    rig.store.close().await.unwrap();
    break_down(&rig.primary, ErrorKind::Connection);
    assert_eq!(rig.store.ping().await.unwrap_err().kind(), ErrorKind::Closed);
    assert!(!rig.store.is_on_fallback());
}

#[tokio::test]
async fn a_call_under_way_when_the_store_is_closed_does_not_begin_an_outage_either() {
    let gate = Gate::shut();
    let primary = Faulty::new(gate.clone().on(MemoryStore::new()));
    primary.inject(Fault::every(Method::Get, ErrorKind::Connection).reply_lost());
    let store = Fallback::to(MemoryStore::new).failures(1).on(primary).unwrap();
    let (mut under_way, mut closing) = (Box::pin(store.get("k")), Box::pin(store.close()));
    assert!(poll(&mut under_way).is_pending() && poll(&mut closing).is_pending());
    gate.open(2);
    assert_eq!(under_way.await.unwrap_err().kind(), ErrorKind::Connection);
    closing.await.unwrap();
    assert!(!store.is_on_fallback());
}
