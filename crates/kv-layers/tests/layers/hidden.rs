//! Keys that are secrets: whatever fails, and however, nothing shows them.

use std::error::Error as StdError;
use std::fmt::{self, Debug};
use std::time::Duration;

use kv_core::{
    Bytes, CacheOptions, Capabilities, Condition, Durability, Effect, Entry, Error, ErrorKind,
    Expiry, KeyValueStore, Outcome, Rate, Remaining, Result, ScanPage, ScanRequest, SetOptions,
    Store, Version, Write, async_trait,
};
use kv_layers::{Layer, Metrics, Observe, Retry};
use kv_memory::MemoryStore;
use kv_testkit::{Fault, Faulty, Method};
use tracing::Level;

use crate::log::logged;

/// A secret with something in it that is escaped where a text is quoted.
const SECRET: &str = "s3cr\"et\n-ü";
const SHORT: &str = "s3c";
const WORDS: [&str; 2] = ["s3cr", "et\\n"];

/// A backend all of whose errors show the key in every way that there is.
struct Leaky;

/// A cause that is only to be told by its `Debug`.
struct Inner(String);

impl fmt::Display for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the driver failed")
    }
}

impl Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Inner({:?})", self.0)
    }
}

impl StdError for Inner {}

fn leak(key: &str) -> Error {
    let deepest = Error::new(ErrorKind::Backend, "it is away").because(Inner(key.to_owned()));
    let cause = Error::new(ErrorKind::Backend, format!("no page for {key:?}")).because(deepest);
    Error::new(ErrorKind::Timeout, format!("no {key}")).key(key).because(cause)
}

#[async_trait]
impl KeyValueStore for Leaky {
    async fn get(&self, key: &str) -> Result<Option<Entry>> {
        Err(leak(key))
    }
    async fn set(&self, key: &str, _: Bytes, _: Write) -> Result<Outcome> {
        Err(leak(key).maybe_applied())
    }
    async fn delete(&self, key: &str, _: Condition) -> Result<bool> {
        Err(leak(key).maybe_applied())
    }
    async fn ttl(&self, key: &str) -> Result<Option<Remaining>> {
        Err(leak(key))
    }
    async fn scan(&self, request: ScanRequest<'_>) -> Result<ScanPage> {
        let debug = format!("{request:?}");
        Err(leak(request.pattern.as_str()).because(debug))
    }
    fn capabilities(&self) -> Capabilities {
        let all = Capabilities::CONDITIONS | Capabilities::TTL | Capabilities::COUNTERS;
        all | Capabilities::DURABILITY
    }
    fn key_prefix(&self) -> &str {
        "app:"
    }
    async fn set_durable(
        &self,
        key: &str,
        _: Bytes,
        _: Write,
        _: Durability,
    ) -> Result<(Outcome, kv_core::Achieved)> {
        Err(leak(key))
    }
}

/// All that an error says, in every way to print it.
fn shown(error: &Error) -> String {
    let mut text =
        format!("{error} {error:?} {error:#?} {:?} {}", error.failed_key(), error.message());
    let mut next = error.source();
    while let Some(cause) = next {
        text += &format!(" {cause} {cause:?}");
        next = cause.source();
    }
    text
}

/// Shows nothing of the key, and where it was.
fn clean(verb: &str, error: &Error) {
    let text = shown(error);
    for word in WORDS {
        assert!(!text.contains(word), "{verb} shows {word:?}: {text}");
    }
    assert!(text.contains("<hidden>"), "{verb}: {text}");
}

fn fails<T>(verb: &'static str, result: Result<T>, errors: &mut Vec<(&'static str, Error)>) {
    errors.extend(result.err().map(|error| (verb, error)));
}

/// The error of every verb about a key, where there is one.
async fn every_verb(store: &Store, key: &str) -> Vec<(&'static str, Error)> {
    let mut errors = Vec::new();
    let long = Duration::from_secs(600);
    let all = &mut errors;
    fails("get", store.get::<u32>(key).await, all);
    fails("get_versioned", store.get_versioned::<u32>(key).await, all);
    fails("set", store.set(key, &1).await, all);
    fails("set_with", store.set_with(key, &1, SetOptions::new().ttl(long)).await, all);
    let durability = Durability::replicas(1).within(Duration::from_millis(1));
    fails("set_durable", store.set_durable(key, &1, SetOptions::new(), durability).await, all);
    fails("set_if_absent", store.set_if_absent(key, &1, Expiry::Never).await, all);
    fails("delete", store.delete(key).await, all);
    fails("exists", store.exists(key).await, all);
    fails("ttl", store.ttl(key).await, all);
    fails("touch", store.touch(key, long).await, all);
    fails("take", store.take::<u32>(key).await, all);
    fails("update", store.update(key, |old: Option<u32>| old.or(Some(1))).await, all);
    let loaded = store.get_or_set_with(key, long, || async { Err::<u32, _>(leak(key)) }).await;
    fails("get_or_set_with", loaded, all);
    further_verbs(store, key, all).await;
    fails("increment", store.increment(key, 1, long).await, all);
    fails("counter", store.counter(key).await, all);
    fails("counter_ttl", store.counter_ttl(key).await, all);
    fails("reset_counter", store.reset_counter(key).await, all);
    fails("reserved_key", store.reserved_key("thing", key), all);
    fails("get_many", store.get_many::<u32>(["other", key]).await, all);
    fails("set_many", store.set_many([("other", 1), (key, 1)], long).await, all);
    fails("delete_many", store.delete_many(["other", key]).await, all);
    fails("keys", store.keys(&format!("{key}*")).await, all);
    let scan = store.scan(&format!("*{key}"));
    all.push(("scan's Debug", Error::new(ErrorKind::Backend, format!("<hidden> {scan:?}"))));
    batches(store, key, all).await;
    errors
}

async fn further_verbs(store: &Store, key: &str, errors: &mut Vec<(&'static str, Error)>) {
    let long = Duration::from_secs(600);
    let version = Version::from_number(1);
    fails("get_bytes", store.get_bytes(key).await, errors);
    fails("set_bytes", store.set_bytes(key, "1").await, errors);
    let tagged = SetOptions::new().tag("tag");
    fails("set with tags", store.set_with(key, &1, tagged).await, errors);
    fails("delete_if", store.delete_if(key, version).await, errors);
    fails("touch_counter", store.touch_counter(key, long).await, errors);
    fails("try_lock", store.try_lock(key, long).await, errors);
    fails("limiter", store.limiter(key, Rate::per_second(1)).acquire().await, errors);
    let (text, owned) = (key.to_owned(), leak(key).to_string());
    let load = move || async move { Err::<u32, _>(Error::new(ErrorKind::Backend, owned)) };
    let options = CacheOptions::new().ttl(long).stale(long).fail_safe(long);
    fails("get_or_set_with options", store.get_or_set_with(key, options, load).await, errors);
    let load = |_| async { Err::<Vec<(String, u32)>, _>(leak(&text)) };
    fails("get_or_set_many", store.get_or_set_many([key], long, load).await, errors);
}

/// Batches and pipelines, whose single answers fail.
async fn batches(store: &Store, key: &str, errors: &mut Vec<(&'static str, Error)>) {
    let long = Duration::from_secs(600);
    let pipeline = store.pipeline().get::<u32>("other").get::<u32>(key).set(key, &1);
    errors.push(("pipeline's Debug", about(&pipeline)));
    fails("pipeline", pipeline.touch(key, long).increment(key, 1, long).execute().await, errors);
    let mut batch = store.batch();
    let (get, set) = (batch.get::<u32>(key), batch.set(key, &1));
    let (delete, exists) = (batch.delete(key), batch.exists(key));
    let (touch, increment) = (batch.touch(key, long), batch.increment(key, 1, long));
    errors.push(("batch's Debug", about(&batch)));
    match batch.execute().await {
        Err(error) => errors.push(("batch", error)),
        Ok(mut replies) => {
            errors.push(("replies' Debug", about(&replies)));
            fails("batch get", replies.take(get), errors);
            fails("batch set", replies.take(set), errors);
            fails("batch delete", replies.take(delete), errors);
            fails("batch exists", replies.take(exists), errors);
            fails("batch touch", replies.take(touch), errors);
            fails("batch increment", replies.take(increment), errors);
        }
    }
}

/// A `Debug` as a text to be looked at.
fn about(shown: &dyn Debug) -> Error {
    Error::new(ErrorKind::Backend, format!("<hidden> {shown:?} {shown:#?}"))
}

/// The stores whose keys are hidden: by themselves, and by a namespace within.
fn marked(store: &Store) -> [Store; 3] {
    let sessions = store.namespace("sessions").with_hidden_keys();
    [store.clone().with_hidden_keys(), sessions.namespace("of").with_hidden_keys(), sessions]
}

#[tokio::test]
async fn no_verb_shows_a_hidden_key_of_a_backend_that_shows_it_everywhere() {
    for store in marked(&Store::new(Leaky)) {
        let errors = every_verb(&store, SECRET).await;
        assert!(errors.len() >= 32, "{} verbs failed", errors.len());
        errors.iter().for_each(|(verb, error)| clean(verb, error));
    }
}

#[tokio::test]
async fn no_refusal_of_the_store_itself_shows_a_hidden_key() {
    let long = format!("{SECRET}{}", "x".repeat(1_100));
    let reserved = format!("{SECRET}!kv:");
    let closed = Store::new(MemoryStore::new());
    closed.close().await.unwrap();
    for key in [SECRET, &long, &reserved] {
        for store in marked(&closed) {
            every_verb(&store, key).await.iter().for_each(|(verb, error)| clean(verb, error));
        }
    }
}

#[tokio::test]
async fn a_short_key_is_hidden_and_does_not_hide_every_word() {
    let store = Store::new(Leaky).namespace("sessions").with_hidden_keys();
    for (verb, error) in every_verb(&store, SHORT).await {
        let text = shown(&error);
        assert!(!text.contains("sessions:s3c"), "{verb}: {text}");
    }
    let error = store.get::<u32>("t").await.unwrap_err();
    assert_eq!((error.kind(), error.effect()), (ErrorKind::Timeout, Effect::NotApplied));
}

#[test]
fn every_kind_of_failure_of_every_method_is_told_and_logged_without_the_key() {
    let kinds = [ErrorKind::Connection, ErrorKind::Timeout, ErrorKind::WrongType, ErrorKind::Auth];
    let text = logged(Level::TRACE, async {
        for method in Method::ALL {
            for kind in kinds {
                let faulty = Faulty::new(MemoryStore::new());
                let pause = Duration::from_micros(1);
                let retried = Retry::new().attempts(2).pauses(pause, pause).on(faulty.clone());
                let store = Store::new(Observe::to(Metrics::new()).on(retried));
                faulty.inject(Fault::every(method, kind));
                for store in marked(&store) {
                    let errors = every_verb(&store, SECRET).await;
                    errors.iter().for_each(|(verb, error)| clean(verb, error));
                }
            }
        }
    });
    assert!(text.contains("failed") && text.contains("operation=\"get\""), "nothing was logged");
    WORDS.iter().for_each(|word| assert!(!text.contains(word), "a log shows {word:?}"));
}

#[tokio::test]
async fn what_says_nothing_of_the_key_is_kept_and_the_namespace_is_named() {
    let faulty = Faulty::new(MemoryStore::new());
    faulty.inject(Fault::every(Method::Set, ErrorKind::Timeout).reply_lost());
    let store = Store::new(faulty).namespace("sessions").with_hidden_keys();
    let error = store.set(SECRET, &1).await.unwrap_err();
    let told = "set \"sessions:<hidden>\": an injected fault (may have been applied)";
    assert_eq!(error.to_string(), told);
    assert_eq!(error.failed_key(), Some("sessions:<hidden>"));
    let load = || async { Err::<u32, _>(std::io::Error::other("the database is away")) };
    let error = store.get_or_set_with("another", Expiry::Never, load).await.unwrap_err();
    assert!(error.source().unwrap().is::<std::io::Error>(), "a cause is kept as it is");
    assert!(!format!("{store:?}{:?}", store.namespace(SECRET)).contains("s3cr"));
}

#[tokio::test]
async fn an_unmarked_store_names_its_keys_as_ever_beside_a_marked_one() {
    let store = Store::new(Leaky);
    let marked = store.namespace("sessions").with_hidden_keys();
    drop(marked);
    let error = store.namespace("sessions").get::<u32>("k").await.unwrap_err();
    assert_eq!(error.failed_key(), Some("app:sessions:k"));
}
