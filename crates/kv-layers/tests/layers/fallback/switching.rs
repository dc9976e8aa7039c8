//! When the spare store takes over, and when the primary is back.

use std::sync::Arc;

use kv_core::{ErrorKind, KeyValueStore};
use kv_layers::{Fallback, Layer};
use kv_memory::MemoryStore;
use kv_testkit::{Fault, Faulty, ManualClock, Method};
use tracing::Level;

use super::{PAUSE, Rig};
use crate::log::logged;
use crate::support::{Gate, break_down, poll, put, value};

#[tokio::test]
async fn errors_go_to_the_caller_until_there_were_enough_and_the_last_straw_is_served() {
    let rig = Rig::new(3);
    break_down(&rig.primary, ErrorKind::Connection);
    for _ in 0..2 {
        let error = put(&*rig.store, "k", "v").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connection);
        assert!(!rig.store.is_on_fallback());
    }
    put(&*rig.store, "k", "v").await.unwrap();
    assert!(rig.store.is_on_fallback());
    assert_eq!(value(&*rig.store, "k").await.as_deref(), Some("v"));
}

#[tokio::test]
async fn an_answer_in_between_means_that_the_primary_is_there() {
    let rig = Rig::new(2);
    for nth in [1, 3, 5] {
        rig.primary.inject(Fault::nth(Method::Ping, nth, ErrorKind::Timeout));
    }
    for _ in 0..6 {
        drop(rig.store.ping().await);
    }
    assert!(!rig.store.is_on_fallback());
}

#[tokio::test]
async fn only_errors_of_the_connection_mean_that_the_primary_is_away() {
    for (kind, taken_over) in [
        (ErrorKind::Connection, true),
        (ErrorKind::Timeout, true),
        (ErrorKind::Auth, false),
        (ErrorKind::Serialization, false),
        (ErrorKind::OutOfMemory, false),
        (ErrorKind::ReadOnly, false),
        (ErrorKind::Backpressure, false),
        (ErrorKind::Closed, false),
        (ErrorKind::Backend, false),
    ] {
        let rig = Rig::new(1);
        break_down(&rig.primary, kind);
        let kept = put(&*rig.store, "k", "v").await.map_err(|error| error.kind());
        assert_eq!(kept, if taken_over { Ok(()) } else { Err(kind) });
        assert_eq!(rig.store.is_on_fallback(), taken_over, "{kind:?}");
    }
}

#[tokio::test]
async fn in_an_outage_the_primary_is_left_alone_but_for_one_ping_after_each_pause() {
    let rig = Rig::away().await;
    let pings = || rig.primary.calls(Method::Ping);
    let before = pings();
    for round in 1..=3 {
        for _ in 0..10 {
            assert_eq!(value(&*rig.store, "k").await, None);
        }
        assert_eq!((rig.primary.calls(Method::Get), pings()), (0, before + round - 1));
        rig.clock.advance(PAUSE);
        assert_eq!(value(&*rig.store, "k").await, None);
        assert_eq!((rig.primary.calls(Method::Get), pings()), (0, before + round));
    }
}

#[tokio::test]
async fn the_primary_serves_again_once_it_answers() {
    let rig = Rig::new(1);
    put(&*rig.store, "k", "kept").await.unwrap();
    rig.begin_outage().await;
    rig.end_outage().await;
    assert_eq!(value(&*rig.store, "k").await.as_deref(), Some("kept"));
}

#[tokio::test]
async fn an_error_that_is_an_answer_ends_the_outage_and_a_full_layer_does_not() {
    for (kind, is_back) in [(ErrorKind::Auth, true), (ErrorKind::Backpressure, false)] {
        let rig = Rig::away().await;
        rig.primary.heal();
        rig.primary.inject(Fault::every(Method::Ping, kind));
        rig.clock.advance(PAUSE);
        drop(value(&*rig.store, "k").await);
        assert_eq!(!rig.store.is_on_fallback(), is_back, "{kind:?}");
    }
}

/// A store with a fallback whose primary is away, and whose pings wait at a gate from now on.
async fn gated() -> (Gate, ManualClock, Arc<impl KeyValueStore>) {
    let (gate, clock) = (Gate::shut(), ManualClock::new());
    let primary = Faulty::new(gate.clone().on(MemoryStore::new()));
    let fallback = Fallback::to(MemoryStore::new).failures(1).pause(PAUSE).clock(clock.clone());
    let store = Arc::new(fallback.on(primary.clone()).unwrap());
    break_down(&primary, ErrorKind::Connection);
    store.ping().await.unwrap();
    primary.heal();
    clock.advance(PAUSE);
    (gate, clock, store)
}

#[tokio::test]
async fn while_one_caller_tries_the_primary_the_others_are_served_by_the_spare_store() {
    let (gate, _clock, store) = gated().await;
    let mut trial = Box::pin(put(&*store, "a", "1"));
    assert!(poll(&mut trial).is_pending());
    assert!(poll(&mut Box::pin(put(&*store, "b", "2"))).is_ready(), "it need not wait");
    assert_eq!(gate.inside(), 1);
    gate.open(4);
    trial.await.unwrap();
    assert_eq!(value(&*store, "a").await.as_deref(), Some("1"), "the trial's own call came after");
    assert_eq!(value(&*store, "b").await, None, "it was the spare store's");
}

#[tokio::test]
async fn a_trial_that_is_dropped_is_left_to_another_caller() {
    let (gate, clock, store) = gated().await;
    let mut trial = Box::pin(put(&*store, "a", "1"));
    assert!(poll(&mut trial).is_pending());
    drop(trial);
    assert_eq!(gate.inside(), 0);
    assert!(poll(&mut Box::pin(put(&*store, "b", "2"))).is_ready(), "the next trial is later");
    assert_eq!(value(&*store, "b").await.as_deref(), Some("2"));
    clock.advance(PAUSE);
    gate.open(2);
    put(&*store, "c", "3").await.unwrap();
    assert!(gate.inside() == 0 && poll(&mut Box::pin(store.get("c"))).is_pending());
}

#[test]
fn each_change_is_logged_once() {
    let log = logged(Level::INFO, async {
        let rig = Rig::away().await;
        for _ in 0..20 {
            put(&*rig.store, "canary", "canary").await.unwrap();
            rig.clock.advance(PAUSE / 4);
        }
        rig.end_outage().await;
        for _ in 0..5 {
            put(&*rig.store, "canary", "canary").await.unwrap();
        }
    });
    let lines: Vec<&str> = log.lines().collect();
    assert_eq!(lines.len(), 2, "{log}");
    let begun = "using the fallback failures=1 kind=Connection error=\"an injected fault\"";
    assert!(lines[0].contains("WARN") && lines[0].contains(begun), "{log}");
    assert!(lines[1].contains("INFO") && lines[1].contains("the primary is back away=6s"));
    assert!(!log.contains("canary"), "{log}");
}
