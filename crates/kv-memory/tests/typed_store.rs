//! `kv_core::Store`, typed and on a real backend.

#![cfg(test)]

use std::collections::BTreeMap;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use kv_core::{Condition, ErrorKind, Expiry, Remaining, Serializer, SetOptions, Store};
use kv_memory::MemoryStore;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Page {
    url: String,
    hits: u32,
}

fn page(hits: u32) -> Page {
    Page { url: "https://example.org".to_owned(), hits }
}

fn store() -> Store {
    Store::new(MemoryStore::new())
}

/// Memory answers at the first poll: no runtime is needed.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("a store in memory never waits"),
    }
}

fn is_send<T: Send>(value: T) -> T {
    value
}

/// What a call answers, and how often it let other tasks of its thread run.
fn yields<T>(future: impl Future<Output = T> + Send) -> (T, usize) {
    let mut future = pin!(future);
    for yields in 0..1_000 {
        let polled = future.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        if let Poll::Ready(output) = polled {
            return (output, yields);
        }
    }
    panic!("it never ends");
}

#[test]
fn other_tasks_run_after_each_mebibyte_of_many_large_values() {
    for serializer in [Serializer::Json, Serializer::MessagePack] {
        let (store, text) = (store().with_serializer(serializer), "x".repeat(1 << 20));
        let keys: Vec<String> = (0..8).map(|number| number.to_string()).collect();
        let pairs = keys.iter().map(|key| (key, text.as_str()));
        let (written, times) = yields(store.set_many(pairs, Expiry::Never));
        assert_eq!((written.is_ok(), times), (true, 8));
        let (read, times) = yields(store.get_many::<String>(&keys));
        assert_eq!((read.unwrap().iter().flatten().count(), times), (8, 8));
        let (read, times) = yields(store.get_each::<String>(&keys));
        assert_eq!((read.unwrap().iter().filter(|one| one.is_ok()).count(), times), (8, 8));
        let small = keys.iter().map(|key| (key, 7));
        assert_eq!(yields(store.set_many(small, Expiry::Never)).1, 0);
    }
}

#[test]
fn a_value_comes_back_typed_in_every_format() {
    for serializer in [Serializer::Json, Serializer::MessagePack] {
        let store = store().with_serializer(serializer);
        now(store.set("p", &page(1))).unwrap();
        assert_eq!(now(store.get("p")).unwrap(), Some(page(1)));
        assert_eq!(now(store.get::<Page>("q")).unwrap(), None);
        now(store.set("s", "text")).unwrap();
        assert_eq!(now(store.get::<String>("s")).unwrap().as_deref(), Some("text"));
    }
}

#[test]
fn a_value_of_another_type_is_an_error_that_names_the_key_and_keeps_it() {
    let store = store();
    now(store.set("s", "secret text")).unwrap();
    let error = now(store.get::<Page>("s")).unwrap_err();
    assert_eq!((error.kind(), error.failed_key()), (ErrorKind::Serialization, Some("s")));
    assert!(!format!("{error}{error:?}").contains("secret"));
    assert!(now(store.take::<Page>("s")).is_err(), "and a take does not lose it");
    assert_eq!(now(store.get::<String>("s")).unwrap().as_deref(), Some("secret text"));
}

#[test]
fn a_write_encodes_at_the_call_and_does_not_borrow_its_value() {
    let store = store();
    let mut value = page(1);
    let write = is_send(store.set("p", &value));
    value.hits = 2;
    now(write).unwrap();
    assert_eq!(now(store.get("p")).unwrap(), Some(page(1)));
    let borrowed = String::from("borrowed");
    let write = store.set("b", &(&borrowed, [borrowed.as_str()]));
    drop(borrowed);
    now(write).unwrap();
    let rc = std::rc::Rc::new(5);
    now(is_send(store.set("rc", &*rc))).unwrap();
}

#[test]
fn the_default_time_to_live_is_for_writes_that_name_none() {
    let store = store().with_default_ttl(Duration::from_secs(60));
    now(store.set("a", &1)).unwrap();
    now(store.set_with("b", &1, SetOptions::new().ttl(Expiry::Never))).unwrap();
    now(store.set_with("a", &2, SetOptions::new().ttl(Expiry::Keep))).unwrap();
    assert!(matches!(now(store.ttl("a")).unwrap(), Some(Remaining::Expires(_))));
    assert_eq!(now(store.ttl("b")).unwrap(), Some(Remaining::Forever));
    assert_eq!(now(store.ttl("c")).unwrap(), None);
    let zero = store.with_default_ttl(Duration::ZERO);
    assert_eq!(now(zero.set("c", &1)).unwrap_err().kind(), ErrorKind::InvalidTtl);
}

#[test]
fn conditions_decide_whether_a_value_is_stored() {
    let store = store();
    assert!(now(store.set_if_absent("k", &1, Expiry::Never)).unwrap());
    assert!(!now(store.set_if_absent("k", &2, Expiry::Never)).unwrap());
    let (_, version) = now(store.get_versioned::<i32>("k")).unwrap().unwrap();
    let options = SetOptions::new().condition(Condition::Version(version));
    assert!(now(store.set_with("k", &3, options.clone())).unwrap());
    assert!(!now(store.set_with("k", &4, options)).unwrap());
    assert_eq!(now(store.take::<i32>("k")).unwrap(), Some(3));
    assert_eq!(now(store.take::<i32>("k")).unwrap(), None);
}

#[test]
fn an_update_creates_changes_keeps_the_lifetime_and_deletes() {
    let store = store();
    let add = |old: Option<i32>| Some(old.unwrap_or(0) + 1);
    assert_eq!(now(store.update("n", add)).unwrap(), Some(1));
    now(store.touch("n", Duration::from_secs(60))).unwrap();
    assert_eq!(now(store.update("n", add)).unwrap(), Some(2));
    assert!(now(store.ttl("n")).unwrap().unwrap().duration().is_some());
    assert_eq!(now(store.update::<i32>("n", |_| None)).unwrap(), None);
    assert!(!now(store.exists("n")).unwrap());
}

#[test]
fn an_update_that_always_loses_ends_in_a_conflict() {
    let store = store();
    let mut rival = 0;
    let lose = |old: Option<i32>| {
        rival += 1;
        now(store.set("n", &rival)).unwrap();
        old.or(Some(0))
    };
    let error = now(store.update("n", lose)).unwrap_err();
    assert_eq!((error.kind(), rival), (ErrorKind::Conflict, 128));
    assert!(error.is_retryable());
}

#[test]
fn a_loader_runs_once_and_its_error_is_kept_as_the_source() {
    let store = store();
    let failed = now(store.get_or_set_with("c", Duration::from_secs(9), || async {
        Err::<Page, _>(std::io::Error::other("recipe missing"))
    }));
    let error = failed.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Loader);
    assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "recipe missing");
    let load = || async { Ok::<_, kv_core::Error>(page(7)) };
    assert_eq!(now(store.get_or_set_with("c", Expiry::Never, load)).unwrap(), page(7));
    let refused = now(store.get_or_set_with("d", Duration::ZERO, || async {
        assert!(store.serializer().name().is_empty(), "the loader runs for a refused write");
        Ok::<_, kv_core::Error>(page(9))
    }));
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::InvalidTtl);
    let never = || async { Ok::<_, kv_core::Error>(page(8)) };
    assert_eq!(now(store.get_or_set_with("c", Expiry::Never, never)).unwrap(), page(7));
}

#[test]
fn counters_live_apart_from_values_in_every_format() {
    for serializer in [Serializer::Json, Serializer::MessagePack] {
        let store = store().with_serializer(serializer).namespace("rate");
        assert_eq!(now(store.counter("api")).unwrap(), None);
        assert_eq!(now(store.increment("api", 41, Expiry::Never)).unwrap(), 41);
        assert_eq!(now(store.increment("api", 1, Duration::from_secs(1))).unwrap(), 42);
        assert_eq!(now(store.counter("api")).unwrap(), Some(42));
        assert_eq!(now(store.counter_ttl("api")).unwrap(), Some(Remaining::Forever));
        assert_eq!(now(store.get::<i64>("api")).unwrap(), None);
        assert!(!now(store.exists("api")).unwrap() && now(store.keys("*")).unwrap().is_empty());
        assert!(now(store.reset_counter("api")).unwrap());
    }
}

#[test]
fn a_namespace_holds_its_own_and_no_pattern_leaves_it() {
    let store = store();
    let (a, odd) = (store.namespace("a"), store.namespace("[a]*"));
    now(a.set("k", &1)).unwrap();
    now(odd.set("k", &2)).unwrap();
    now(store.set("other", &3)).unwrap();
    now(store.set("a:", &4)).unwrap();
    assert_eq!(now(a.keys("*")).unwrap(), ["k"], "and no empty key");
    assert!(now(store.delete("a:")).unwrap());
    assert_eq!(now(odd.keys("*")).unwrap(), ["k"]);
    assert_eq!(now(odd.get::<i32>("k")).unwrap(), Some(2));
    assert_eq!(now(a.namespace("b:").keys("*")).unwrap().len(), 0);
    assert_eq!(now(store.keys("*")).unwrap(), ["[a]*:k", "a:k", "other"]);
    assert_eq!((a.prefix(), a.namespace("b:").prefix()), ("a:", "a:b:"));
}

#[test]
fn keys_that_are_empty_too_long_or_the_librarys_are_refused_by_every_verb() {
    let store = store();
    let long = "k".repeat(1_025);
    for (key, kind) in [
        ("", ErrorKind::InvalidKey),
        ("!kv:counter:x", ErrorKind::InvalidKey),
        ("a:!kv:b", ErrorKind::InvalidKey),
        (&long, ErrorKind::TooLarge),
    ] {
        let kinds = [
            now(store.get::<u8>(key)).unwrap_err(),
            now(store.set(key, &1)).unwrap_err(),
            now(store.delete(key)).unwrap_err(),
            now(store.exists(key)).unwrap_err(),
            now(store.increment(key, 1, Expiry::Never)).unwrap_err(),
            now(store.get_many::<u8>([key])).unwrap_err(),
            now(store.pipeline().get::<u8>(key).execute()).unwrap_err(),
        ]
        .map(|error| error.kind());
        assert_eq!(kinds, [kind; 7], "{key:?}");
    }
    assert!(now(store.namespace("").get::<u8>("k")).is_err());
}

#[test]
fn many_keys_go_in_one_call() {
    let store = store();
    let pairs: BTreeMap<String, u32> = (0..5).map(|n| (format!("k{n}"), n)).collect();
    now(is_send(store.set_many(&pairs, Duration::from_secs(60)))).unwrap();
    now(is_send(store.set_many(pairs.iter(), Expiry::Keep))).unwrap();
    let values = now(store.get_many::<u32>(["k4", "nope", "k0"])).unwrap();
    assert_eq!(values, [Some(4), None, Some(0)]);
    assert_eq!(now(store.delete_many(["k0", "k0", "k1", "nope"])).unwrap(), 2);
    assert_eq!(now(store.keys("k?")).unwrap(), ["k2", "k3", "k4"]);
}

#[test]
fn a_pipeline_answers_with_a_typed_tuple() {
    let store = store();
    now(store.set("b", &page(3))).unwrap();
    let pipeline = store.pipeline().set("a", &1).get::<Page>("b").exists("c").delete("b");
    let ((), found, hit, deleted) = now(is_send(pipeline.execute())).unwrap();
    assert_eq!((found, hit, deleted), (Some(page(3)), false, true));
    let absent = SetOptions::new().condition(Condition::Absent);
    let (stored, sum) =
        now(store.pipeline().set_with("a", &2, absent).increment("n", 5, Expiry::Never).execute())
            .unwrap();
    assert_eq!((stored, sum), (false, 5));
}

#[test]
fn a_pipeline_with_a_bad_verb_sends_nothing() {
    let store = store();
    let error = now(store.pipeline().set("a", &1).set("b", &f64::NAN).execute()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Serialization);
    assert!(!now(store.exists("a")).unwrap());
}

#[test]
fn a_batch_gives_each_verb_its_own_answer() {
    let store = store();
    now(store.set("text", "no number")).unwrap();
    let mut batch = store.batch();
    let (set, wrong) = (batch.set("a", &1), batch.get::<u32>("text"));
    let tickets: Vec<_> = (0..100).map(|_| batch.increment("n", 1, Expiry::Never)).collect();
    assert_eq!(batch.len(), 102);
    let mut replies = now(is_send(batch.execute())).unwrap();
    replies.take(set).unwrap();
    assert_eq!(replies.take(wrong).unwrap_err().kind(), ErrorKind::Serialization);
    let sums: Vec<i64> = tickets.into_iter().map(|one| replies.take(one).unwrap()).collect();
    assert_eq!(sums, (1..=100).collect::<Vec<_>>());
}

#[test]
fn a_ticket_of_another_batch_is_an_error() {
    let store = store();
    let (mut one, mut other) = (store.batch(), store.batch());
    let (_mine, theirs) = (one.set("a", &1), other.set("b", &1));
    assert!(now(one.execute()).unwrap().take(theirs).is_err());
    assert!(now(store.batch().execute()).is_ok(), "an empty batch is nothing to do");
}

#[test]
fn after_a_close_every_handle_says_closed() {
    let store = store();
    let (clone, namespace) = (store.clone(), store.namespace("n"));
    now(store.close()).unwrap();
    now(clone.close()).unwrap();
    let closed = |error: kv_core::Error| error.kind() == ErrorKind::Closed;
    assert!(now(clone.get::<u8>("k")).is_err_and(closed));
    assert!(now(namespace.set("k", &1)).is_err_and(closed));
    assert!(now(clone.keys("*")).is_err_and(closed) && now(clone.ping()).is_err_and(closed));
}
