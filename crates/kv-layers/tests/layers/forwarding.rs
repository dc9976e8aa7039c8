//! Each layer forwards every method, or refuses it as it says.

use kv_core::{
    Bytes, Condition, Entry, KeyValueStore, Outcome, Remaining, Result, ScanPage, ScanRequest,
    Write, async_trait,
};
use kv_layers::{
    Fallback, Layer, Layers, Limit, Metrics, NearCache, Observe, ReadOnly, Retry, Timeout,
};
use kv_testkit::Treatment::{Own, Refused};
use kv_testkit::{Method, Recorder, forwards};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// What a store with a fallback refuses.
const REFUSED: [(Method, kv_testkit::Treatment); 6] = [
    (Method::GetNow, Refused),
    (Method::SetDurable, Refused),
    (Method::Increment, Refused),
    (Method::Take, Refused),
    (Method::Watch, Refused),
    (Method::QueueEngine, Refused),
];

#[tokio::test]
async fn a_transparent_layer_forwards_every_method() {
    forwards(|store| Observe::to(Metrics::new()).on(store), &[]).await.unwrap();
    forwards(|store| Limit::to(1).on(store), &[]).await.unwrap();
    forwards(|store| Retry::new().on(store), &[]).await.unwrap();
    forwards(|store| Timeout::after(SECOND).on(store), &[]).await.unwrap();
    forwards(|store| kv_layers::Statistics::new().on(store), &[]).await.unwrap();
}

/// What comes from the cache, and what the cache tells itself; its own tests show it.
#[tokio::test]
async fn a_near_cache_forwards_every_method_but_reads_of_values() {
    let exceptions = [
        (Method::Get, Own),
        (Method::GetMany, Own),
        (Method::GetNow, Refused),
        (Method::Watch, Own),
    ];
    forwards(|store| NearCache::new().on(store).unwrap(), &exceptions).await.unwrap();
}

/// What a layer that refuses writes does in its own way; its own tests show it.
const READ_ONLY: [(Method, kv_testkit::Treatment); 10] = [
    (Method::Set, Own),
    (Method::Delete, Own),
    (Method::SetDurable, Own),
    (Method::SetMany, Own),
    (Method::DeleteMany, Own),
    (Method::Increment, Own),
    (Method::Take, Own),
    (Method::Touch, Own),
    (Method::Execute, Own),
    (Method::QueueEngine, Refused),
];

#[tokio::test]
async fn a_read_only_store_forwards_every_read() {
    forwards(ReadOnly::on, &READ_ONLY).await.unwrap();
}

#[cfg(feature = "compress")]
#[tokio::test]
async fn a_compressing_store_forwards_every_method_but_take_and_queues() {
    let exceptions = [(Method::Take, Own), (Method::QueueEngine, Refused)];
    forwards(|store| kv_layers::Compress::above(1).on(store), &exceptions).await.unwrap();
}

#[cfg(feature = "encrypt")]
#[tokio::test]
async fn an_encrypting_store_forwards_every_method_but_numbers_take_and_queues() {
    let exceptions =
        [(Method::Increment, Own), (Method::Take, Own), (Method::QueueEngine, Refused)];
    let encrypt = || kv_layers::Encrypt::with(kv_layers::EncryptionKey::from_bytes([7; 32]));
    forwards(|store| encrypt().on(store), &exceptions).await.unwrap();
}

#[tokio::test]
async fn a_fallback_forwards_every_method_or_refuses_it() {
    let fallback = || Fallback::to(Recorder::new);
    forwards(|store| fallback().on(store).unwrap(), &REFUSED).await.unwrap();
}

#[tokio::test]
async fn the_whole_stack_forwards_every_method_or_refuses_it() {
    let layers = || {
        let layers = Layers::new().observe(Observe::to(Metrics::new())).limit(Limit::to(1));
        layers.retry(Retry::new()).timeout(Timeout::after(SECOND))
    };
    forwards(|store| layers().on(store).unwrap(), &[]).await.unwrap();
    let fallback = || Fallback::to(Recorder::new);
    forwards(|store| layers().fallback(fallback()).on(store).unwrap(), &REFUSED).await.unwrap();
}

/// A planted mistake: a layer that was written by hand, and forwards the required methods alone.
struct Forgetful<S>(S);

#[async_trait]
impl<S: KeyValueStore> KeyValueStore for Forgetful<S> {
    async fn get(&self, key: &str) -> Result<Option<Entry>> {
        self.0.get(key).await
    }

    async fn set(&self, key: &str, value: Bytes, write: Write) -> Result<Outcome> {
        self.0.set(key, value, write).await
    }

    async fn delete(&self, key: &str, condition: Condition) -> Result<bool> {
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
async fn a_layer_that_forgets_a_method_is_found_inside_a_stack_too() {
    let planted = |store| Layers::new().retry(Retry::new()).on(Forgetful(store)).unwrap();
    let failure = forwards(planted, &[]).await.unwrap_err().to_string();
    assert!(failure.starts_with("capabilities: not forwarded"), "{failure}");
}
