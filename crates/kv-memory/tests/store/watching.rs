//! What a watch tells beyond the suite: sweeps, evictions, and whoever does not read.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use kv_core::{Change, KeyValueStore, Lifetime, Store, Watch, Write};
use kv_memory::MemoryStore;

use crate::support::{manual, ms, put};

/// What was told by now, in order: `!` for a gap, `.` for the end.
fn told(watch: &mut Watch) -> String {
    let mut context = Context::from_waker(Waker::noop());
    let mut told = String::new();
    while let Poll::Ready(change) = pin!(watch.next()).poll(&mut context) {
        match change {
            Some(Change::Key(key)) => told += &key,
            Some(Change::Gap) => told += "!",
            Some(Change::Lost(error)) => panic!("memory is never lost: {error}"),
            None => return told + ".",
        }
    }
    told
}

fn watched(store: &MemoryStore) -> Watch {
    Store::new(store.clone()).watch("").unwrap()
}

#[test]
fn a_change_is_told_before_its_call_returns() {
    let store = MemoryStore::new();
    let mut watch = watched(&store);
    put(&store, "a", "v", Write::ALWAYS);
    assert_eq!(told(&mut watch), "!a");
}

#[test]
fn a_sweep_tells_what_it_removes() {
    let (builder, clock) = manual();
    let store = builder.build();
    for key in ["a", "b"] {
        put(&store, key, "v", Write::ALWAYS.lifetime(Lifetime::In(ms(10))));
    }
    let mut watch = watched(&store);
    clock.advance(ms(11));
    assert_eq!(store.sweep(), 2);
    let mut told = told(&mut watch).into_bytes();
    told.sort_unstable();
    assert_eq!(told, b"!ab");
}

#[test]
fn a_full_store_tells_what_it_evicts() {
    let store = MemoryStore::builder().max_entries(2).build();
    put(&store, "a", "v", Write::ALWAYS);
    put(&store, "b", "v", Write::ALWAYS);
    let mut watch = watched(&store);
    put(&store, "c", "v", Write::ALWAYS);
    let told = told(&mut watch);
    assert!(["!ac", "!ca", "!bc", "!cb"].contains(&told.as_str()), "{told}");
}

#[test]
fn whoever_does_not_read_finds_one_gap_and_not_all_that_happened() {
    let store = MemoryStore::new();
    let mut watch = watched(&store);
    for _ in 0..100_000 {
        put(&store, "k", "v", Write::ALWAYS);
    }
    let told = told(&mut watch);
    assert!(told.starts_with('!') && told.len() <= 1_024, "{} told", told.len());
    put(&store, "z", "v", Write::ALWAYS);
    assert_eq!(self::told(&mut watch), "z");
}

#[test]
fn the_end_of_the_last_handle_ends_the_watch() {
    let store = MemoryStore::new();
    let mut watch = watched(&store);
    drop(store);
    assert_eq!(told(&mut watch), "!.");
}

/// The reader's waker runs in the call that writes, and may come back to the store.
#[test]
fn a_reader_that_is_woken_may_use_the_store_at_once() {
    struct Reader(MemoryStore);

    impl std::task::Wake for Reader {
        fn wake(self: std::sync::Arc<Self>) {
            let mut set = self.0.set("woken", "v".into(), Write::ALWAYS);
            let mut context = Context::from_waker(Waker::noop());
            assert!(set.as_mut().poll(&mut context).is_ready());
        }
    }

    let store = MemoryStore::new();
    let mut watch = watched(&store);
    assert_eq!(told(&mut watch), "!");
    let waker = Waker::from(std::sync::Arc::new(Reader(store.clone())));
    let mut next = pin!(watch.next());
    assert!(next.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    put(&store, "k", "v", Write::ALWAYS);
    assert!(next.as_mut().poll(&mut Context::from_waker(&waker)).is_ready());
}
