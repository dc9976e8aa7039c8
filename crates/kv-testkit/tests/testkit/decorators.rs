//! The recorder and the faulty store do what they say.

use std::sync::Arc;

use kv_core::{
    Bytes, Effect, Entry, ErrorKind, KeyValueStore, Lifetime, Outcome, Remaining, Result, ScanPage,
    ScanRequest, Write, async_trait,
};
use kv_testkit::{Fault, Faulty, Method, Recorder, Treatment, forwards};

use crate::five;

/// A decorator that forgets the provided methods.
struct Forgetful(Recorder);

#[async_trait]
impl KeyValueStore for Forgetful {
    async fn get(&self, key: &str) -> Result<Option<Entry>> {
        self.0.get(key).await
    }

    async fn set(&self, key: &str, value: Bytes, write: Write) -> Result<Outcome> {
        self.0.set(key, value, write).await
    }

    async fn delete(&self, key: &str, condition: kv_core::Condition) -> Result<bool> {
        self.0.delete(key, condition).await
    }

    async fn ttl(&self, key: &str) -> Result<Option<Remaining>> {
        self.0.ttl(key).await
    }

    async fn scan(&self, request: ScanRequest<'_>) -> Result<ScanPage> {
        self.0.scan(request).await
    }
}

#[tokio::test]
async fn a_decorator_that_forwards_everything_passes() {
    forwards(Arc::new, &[]).await.unwrap();
    forwards(Faulty::new, &[(Method::GetNow, Treatment::Refused)]).await.unwrap();
}

#[tokio::test]
async fn every_method_that_is_not_forwarded_is_named() {
    let required = [Method::Get, Method::Set, Method::Delete, Method::Ttl, Method::Scan];
    let provided: Vec<Method> =
        Method::ALL.into_iter().filter(|method| !required.contains(method)).collect();
    for forgotten in &provided {
        let others = provided.iter().filter(|method| *method != forgotten);
        let declared: Vec<_> = others.map(|method| (*method, Treatment::Own)).collect();
        let failure = forwards(Forgetful, &declared).await.unwrap_err().to_string();
        assert!(failure.starts_with(forgotten.name()), "{forgotten:?}: {failure}");
    }
}

#[tokio::test]
async fn a_refusal_that_is_declared_and_does_not_happen_is_named() {
    for method in [Method::Set, Method::Execute, Method::GetNow, Method::QueueEngine] {
        let failure = forwards(Arc::new, &[(method, Treatment::Refused)]).await.unwrap_err();
        assert!(failure.to_string().starts_with(method.name()), "{failure}");
    }
}

#[tokio::test]
async fn the_nth_call_from_now_on_fails_and_no_other() {
    let store = Faulty::new(Recorder::new());
    store.ping().await.unwrap();
    store.inject(Fault::nth(Method::Ping, 2, ErrorKind::Timeout));
    let mut kinds = Vec::new();
    for _ in 0..3 {
        kinds.push(store.ping().await.err().map(|error| error.kind()));
    }
    assert_eq!(kinds, [None, Some(ErrorKind::Timeout), None]);
    assert_eq!(store.calls(Method::Ping), 4);
}

#[tokio::test]
async fn a_lost_reply_leaves_the_write_and_says_that_it_may_be_applied() {
    let store = Faulty::new(five::store());
    store.inject(Fault::nth(Method::Increment, 1, ErrorKind::Connection));
    store.inject(Fault::nth(Method::Increment, 2, ErrorKind::Connection).reply_lost());
    let add = || store.increment("n", 1, Lifetime::Never);
    assert_eq!(add().await.unwrap_err().effect(), Effect::NotApplied);
    assert_eq!(add().await.unwrap_err().effect(), Effect::MaybeApplied);
    assert_eq!(add().await.unwrap(), 2, "the first was not applied, the second was");
}

#[tokio::test]
async fn a_lost_reply_to_a_read_says_that_nothing_was_applied() {
    let store = Faulty::new(Recorder::new());
    store.inject(Fault::every(Method::Get, ErrorKind::Timeout).reply_lost());
    assert_eq!(store.get("k").await.unwrap_err().effect(), Effect::NotApplied);
}

#[tokio::test]
async fn an_outage_lasts_until_it_is_healed() {
    let store = Faulty::new(Recorder::new());
    for method in Method::ALL {
        store.inject(Fault::every(method, ErrorKind::Connection));
    }
    for _ in 0..3 {
        assert!(store.get("k").await.is_err() && store.exists("k").await.is_err());
    }
    store.heal();
    assert!(store.get("k").await.is_ok());
}
