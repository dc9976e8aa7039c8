//! Stored values that this version of a program cannot decode.

use std::convert::Infallible;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use kv_core::{ErrorKind, Expiry, Remaining, Store, Undecodable};
use kv_memory::MemoryStore;
use serde::{Deserialize, Serialize};

use crate::support::{block_on, manual, ms};

/// What the program has now; before, it had a text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Now {
    version: u32,
}

const OLD: &str = "of version 1";

fn now(version: u32) -> Now {
    Now { version }
}

/// A store that takes an old value for a miss, with an old value in it.
fn store() -> Store {
    let store = Store::new(MemoryStore::new());
    block_on(store.set("k", OLD)).unwrap();
    store.with_undecodable(Undecodable::Miss)
}

fn load(store: &Store, version: u32) -> Now {
    let load = || async move { Ok::<_, Infallible>(now(version)) };
    block_on(store.get_or_set_with("k", Expiry::Default, load)).unwrap()
}

/// Memory answers at the first poll: a test within a call needs no second executor.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("a store in memory never waits"),
    }
}

#[test]
fn unless_it_is_told_otherwise_a_store_fails_and_names_the_key() {
    let store = store().with_undecodable(Undecodable::default());
    let load = || async { Ok::<_, Infallible>(now(2)) };
    for error in [
        block_on(store.get::<Now>("k")).unwrap_err(),
        block_on(store.get_or_set_with("k", Expiry::Default, load)).unwrap_err(),
        block_on(store.update("k", |_: Option<Now>| None)).unwrap_err(),
        block_on(store.take::<Now>("k")).unwrap_err(),
        block_on(store.get_many::<Now>(["none", "k"])).unwrap_err(),
    ] {
        assert_eq!((error.kind(), error.failed_key()), (ErrorKind::Serialization, Some("k")));
    }
    assert_eq!(block_on(store.get::<String>("k")).unwrap().as_deref(), Some(OLD));
}

#[test]
fn a_miss_is_read_as_nothing_and_stays() {
    let store = store();
    assert_eq!(block_on(store.get::<Now>("k")).unwrap(), None);
    assert!(block_on(store.get_versioned::<Now>("k")).unwrap().is_none());
    assert_eq!(block_on(store.take::<Now>("k")).unwrap(), None);
    block_on(store.set("new", &now(2))).unwrap();
    let many = block_on(store.get_many::<Now>(["k", "new", "none"])).unwrap();
    assert_eq!(many, [None, Some(now(2)), None]);
    let pipeline = store.pipeline().get::<Now>("k").get::<Now>("new");
    assert_eq!(block_on(pipeline.execute()).unwrap(), (None, Some(now(2))));
    assert_eq!(block_on(store.update("k", |old: Option<Now>| old)).unwrap(), None);
    assert_eq!(block_on(store.get::<String>("k")).unwrap().as_deref(), Some(OLD));
}

#[test]
fn a_miss_is_loaded_anew_and_replaced_once() {
    let store = store();
    assert_eq!((load(&store, 2), load(&store, 3)), (now(2), now(2)));
    assert_eq!(block_on(store.get("k")).unwrap(), Some(now(2)));
}

#[test]
fn what_others_wrote_while_a_miss_was_loaded_is_kept_and_returned() {
    let store = store();
    let load = || async {
        store.set("k", &now(7)).await.unwrap();
        Ok::<_, Infallible>(now(2))
    };
    let loaded = block_on(store.get_or_set_with("k", Expiry::Default, load)).unwrap();
    assert_eq!((loaded, block_on(store.get("k")).unwrap()), (now(7), Some(now(7))));
}

#[test]
fn what_others_deleted_while_a_miss_was_loaded_stays_deleted() {
    let store = store();
    let load = || async {
        store.delete("k").await.unwrap();
        Ok::<_, Infallible>(now(2))
    };
    let loaded = block_on(store.get_or_set_with("k", Expiry::Default, load)).unwrap();
    assert_eq!((loaded, block_on(store.get::<Now>("k")).unwrap()), (now(2), None));
}

#[test]
fn an_update_replaces_a_miss_as_if_the_key_was_new() {
    let (builder, _clock) = manual();
    let store = Store::new(builder.build()).with_undecodable(Undecodable::Miss);
    let store = store.with_default_ttl(ms(5_000));
    block_on(store.set_if_absent("k", OLD, Duration::from_secs(3_600))).unwrap();
    let (mut calls, other) = (Vec::new(), store.clone());
    let updated = block_on(store.update("k", |old: Option<Now>| {
        if calls.is_empty() {
            at_once(other.set("k", "written by an old program meanwhile")).unwrap();
        }
        calls.push(old);
        Some(now(2))
    }));
    assert_eq!((updated.unwrap(), calls), (Some(now(2)), vec![None, None]));
    assert_eq!(block_on(store.ttl("k")).unwrap(), Some(Remaining::Expires(ms(5_000))));
}

#[test]
fn many_loaders_of_one_miss_all_get_the_value_that_is_stored() {
    let store = store();
    let loaded: Vec<Now> = std::thread::scope(|scope| {
        let one = |n| {
            let store = store.clone();
            scope.spawn(move || load(&store, n))
        };
        let loaders: Vec<_> = (0..8).map(one).collect();
        loaders.into_iter().map(|loader| loader.join().unwrap()).collect()
    });
    let stored: Option<Now> = block_on(store.get("k")).unwrap();
    assert!(loaded.iter().all(|one| Some(one) == stored.as_ref()), "{loaded:?} {stored:?}");
}

#[test]
fn one_bad_value_of_many_spoils_no_other() {
    let store = store().with_undecodable(Undecodable::Error);
    block_on(store.set("new", &now(2))).unwrap();
    let mut each = block_on(store.get_each::<Now>(["new", "k", "none"])).unwrap();
    let bad = each.remove(1).unwrap_err();
    assert_eq!((bad.kind(), bad.failed_key()), (ErrorKind::Serialization, Some("k")));
    assert!(!format!("{bad} {bad:?}").contains(OLD));
    let good: Vec<_> = each.into_iter().map(Result::unwrap).collect();
    assert_eq!(good, [Some(now(2)), None]);
    let miss = store.with_undecodable(Undecodable::Miss);
    let each = block_on(miss.get_each::<Now>(["k"])).unwrap();
    assert_eq!(*each[0].as_ref().unwrap(), None);
}

#[test]
fn a_cache_that_is_loaded_makes_room_for_what_is_not_one() {
    let (builder, _clock) = manual();
    let store = Store::new(builder.max_entries(4).build()).with_undecodable(Undecodable::Miss);
    block_on(store.set_if_absent("lock", &1, Expiry::Never)).unwrap();
    block_on(store.increment("count", 1, Expiry::Never)).unwrap();
    block_on(store.set_if_absent("k", OLD, Expiry::Never)).unwrap();
    assert_eq!(load(&store, 2), now(2));
    for key in 0..100 {
        let load = || async { Ok::<_, Infallible>(1) };
        block_on(store.get_or_set_with(&key.to_string(), Expiry::Never, load)).unwrap();
    }
    assert!(!block_on(store.exists("k")).unwrap(), "it was replaced by what was loaded");
    assert!(block_on(store.exists("lock")).unwrap());
    assert_eq!(block_on(store.counter("count")).unwrap(), Some(1));
}
