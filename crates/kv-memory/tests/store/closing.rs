//! What ends with a store, and how.

use std::future::Future;
use std::pin::pin;
use std::sync::Mutex;
use std::sync::mpsc::{Sender, TryRecvError, channel};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::support::{block_on, living, ms, put};
use kv_core::{
    Bytes, Clock, Command, Condition, Effect, ErrorKind, KeyValueStore, Lifetime, Pattern, Result,
    ScanRequest, Write,
};
use kv_memory::MemoryStore;

/// How long a test waits for another thread before it fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// Tells whenever somebody asks for the time, and stands at a second after its first answer.
#[derive(Debug)]
struct Watched(Mutex<(Sender<()>, bool)>);

impl Clock for Watched {
    fn now(&self) -> Duration {
        let mut state = self.0.lock().unwrap();
        let _ = state.0.send(());
        let asked_before = std::mem::replace(&mut state.1, true);
        if asked_before { Duration::from_secs(1) } else { Duration::ZERO }
    }

    fn wall(&self) -> Duration {
        Duration::ZERO
    }
}

/// A value that tells when its memory is freed.
struct Told(Sender<()>);

impl AsRef<[u8]> for Told {
    fn as_ref(&self) -> &[u8] {
        b"told"
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

/// A value that keeps its own store alive, and tells whether it was dropped in a panic.
struct Holder {
    _store: MemoryStore,
    _after: Panicking,
}

struct Panicking(Sender<bool>);

impl Drop for Panicking {
    fn drop(&mut self) {
        let _ = self.0.send(std::thread::panicking());
    }
}

impl AsRef<[u8]> for Holder {
    fn as_ref(&self) -> &[u8] {
        b"holder"
    }
}

async fn every_call(store: &MemoryStore) -> Vec<(&'static str, Result<()>)> {
    let pattern = Pattern::new("*").unwrap();
    let request = ScanRequest { pattern: &pattern, cursor: None, limit: 10 };
    let never = Lifetime::Never;
    vec![
        ("get", store.get("k").await.map(drop)),
        ("get_now", store.get_now("k").unwrap().map(drop)),
        ("set", store.set("k", Bytes::new(), Write::ALWAYS).await.map(drop)),
        ("delete", store.delete("k", Condition::Always).await.map(drop)),
        ("ttl", store.ttl("k").await.map(drop)),
        ("scan", store.scan(request).await.map(drop)),
        ("exists", store.exists("k").await.map(drop)),
        ("get_many", store.get_many(&[]).await.map(drop)),
        ("set_many", store.set_many(Vec::new(), never).await),
        ("delete_many", store.delete_many(&[]).await.map(drop)),
        ("increment", store.increment("n", 1, never).await.map(drop)),
        ("take", store.take("k").await.map(drop)),
        ("touch", store.touch("k", never).await.map(drop)),
        ("execute", store.execute(vec![Command::Get { key: "k".into() }]).await.map(drop)),
        ("now", store.now().await.map(drop)),
        ("ping", store.ping().await),
        ("stats", store.stats().await.map(drop)),
    ]
}

#[test]
fn every_call_on_every_clone_of_a_closed_store_is_refused() {
    let store = MemoryStore::new();
    let clone = store.clone();
    put(&store, "k", "v", living(60_000));
    assert!(block_on(every_call(&clone)).into_iter().all(|(_, result)| result.is_ok()));
    block_on(store.close()).unwrap();
    block_on(clone.close()).unwrap();
    for (name, result) in block_on(every_call(&clone)) {
        let error = result.expect_err(name);
        assert_eq!((error.kind(), error.effect()), (ErrorKind::Closed, Effect::NotApplied));
    }
    assert_eq!(clone.sweep(), 0);
}

#[test]
fn closing_frees_the_values_while_handles_remain() {
    let (sender, freed) = channel();
    let store = MemoryStore::new();
    let value = Bytes::from_owner(Told(sender));
    block_on(store.set("k", value, Write::ALWAYS)).unwrap();
    assert!(freed.try_recv().is_err());
    block_on(store.close()).unwrap();
    freed.try_recv().expect("freed by close");
}

#[test]
fn every_future_is_ready_at_its_first_poll_without_a_runtime() {
    let store = MemoryStore::new();
    let mut context = Context::from_waker(Waker::noop());
    let all = pin!(every_call(&store));
    let Poll::Ready(results) = all.poll(&mut context) else { panic!("something waited") };
    assert!(results.into_iter().all(|(_, result)| result.is_ok()));
}

#[test]
fn a_future_that_was_never_polled_did_nothing() {
    let store = MemoryStore::new();
    drop(store.set("k", Bytes::new(), Write::ALWAYS));
    assert!(!block_on(store.exists("k")).unwrap());
}

#[test]
fn the_background_thread_frees_what_has_expired_and_ends_with_the_last_handle() {
    let (asked, clock) = channel();
    let (freed, told) = channel();
    let watched = Watched(Mutex::new((asked, false)));
    let store = MemoryStore::builder().clock(watched).cleanup_interval(ms(1)).build();
    let clone = store.clone();
    block_on(store.set("k", Bytes::from_owner(Told(freed)), living(10))).unwrap();
    told.recv_timeout(PATIENCE).expect("freed by a sweep");
    drop(store);
    clock.try_iter().for_each(drop);
    clock.recv_timeout(PATIENCE).expect("the sweeps go on for the clone");
    drop(clone);
    // The thread shared the clock: only its end drops the sender.
    clock.try_iter().for_each(drop);
    assert_eq!(clock.try_recv(), Err(TryRecvError::Disconnected));
}

#[test]
fn a_closed_store_has_no_thread_and_starts_none() {
    let store = MemoryStore::new();
    put(&store, "k", "v", living(60_000));
    block_on(store.close()).unwrap();
    let outcome = block_on(store.set("k", "v".into(), living(60_000)));
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Closed);
}

#[test]
fn the_last_handle_can_be_dropped_by_the_sweep_itself() {
    let (asked, clock) = channel();
    let watched = Watched(Mutex::new((asked, false)));
    let store = MemoryStore::builder().clock(watched).cleanup_interval(ms(1)).build();
    let (panicking, told) = channel();
    let holder = Holder { _store: store.clone(), _after: Panicking(panicking) };
    block_on(store.set("k", Bytes::from_owner(holder), living(10))).unwrap();
    drop(store);
    assert_eq!(told.recv_timeout(PATIENCE), Ok(false));
    while clock.recv_timeout(PATIENCE).is_ok() {}
    assert_eq!(clock.try_recv(), Err(TryRecvError::Disconnected));
}
