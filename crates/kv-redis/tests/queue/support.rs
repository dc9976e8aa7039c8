//! What the tests share: an engine, a partition, requests.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use kv_core::queue::{
    BATCH_BYTES, Claim, Counts, Exchange, Handle, Inspect, Inspected, Maintain, NewJob, Operation,
    Partition, Policy, QueueEngine, QueueSupport, Session, Submit, Unique, UniqueScope,
};
use kv_core::{KeyValueStore, Result};
use kv_redis::{RedisConfig, RedisStore};
use kv_testbed::{RedisServer, Reply};

/// Longer than anything takes but on a machine that stands still.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A name as queues have it that are opened through a store.
pub(crate) const QUEUE: &str = "data_fetcher:!kv:queue:fetch";

/// The engine of a store on this URL.
pub(crate) async fn engine(url: &str) -> Arc<dyn QueueEngine> {
    let builder = RedisConfig::builder().timeout(PATIENCE);
    let config = builder.url(url).unwrap().build().unwrap();
    engine_of(&RedisStore::connect(config).await.unwrap())
}

pub(crate) fn engine_of(store: &RedisStore) -> Arc<dyn QueueEngine> {
    let QueueSupport::Native(engine) = store.queue_engine() else { panic!("no native engine") };
    engine
}

/// The same, with a queue of one partition.
pub(crate) async fn opened(url: &str) -> Arc<dyn QueueEngine> {
    let engine = engine(url).await;
    engine.open(QUEUE, 1).await.unwrap();
    engine
}

pub(crate) fn partition() -> Partition {
    Partition { queue: QUEUE.into(), number: 0 }
}

pub(crate) fn session(request: u64) -> Session {
    Session { name: "session".into(), request }
}

pub(crate) fn job(body: impl Into<kv_core::Bytes>) -> NewJob {
    NewJob {
        body: body.into(),
        priority: 8,
        delay: Duration::ZERO,
        unique: None,
        time_to_live: None,
        group: None,
        note_time: false,
    }
}

pub(crate) fn unique(key: impl Into<String>) -> NewJob {
    let key = key.into();
    NewJob { unique: Some(Unique { key, scope: UniqueScope::Live }), ..job("unique") }
}

pub(crate) fn jobs(count: usize) -> Submit {
    Submit { session: None, jobs: vec![job("job"); count] }
}

/// An exchange that does nothing.
pub(crate) fn exchange(request: u64) -> Exchange {
    Exchange {
        session: session(request),
        acks: Vec::new(),
        operations: Vec::new(),
        claim: None,
        policy: Policy::default(),
    }
}

pub(crate) fn claim(request: u64, limit: usize) -> Exchange {
    Exchange {
        claim: Some(Claim { limit, bytes: BATCH_BYTES, lease: PATIENCE }),
        ..exchange(request)
    }
}

pub(crate) fn acks(request: u64, acks: Vec<Handle>) -> Exchange {
    Exchange { acks, ..exchange(request) }
}

/// The same operation for each handle.
pub(crate) fn operations(request: u64, handles: &[Handle], operation: &Operation) -> Exchange {
    let operations = handles.iter().map(|handle| (*handle, operation.clone())).collect();
    Exchange { operations, ..exchange(request) }
}

pub(crate) fn maintain(limit: usize) -> Maintain {
    Maintain { limit, policy: Policy::default() }
}

pub(crate) async fn counts(engine: &dyn QueueEngine) -> Counts {
    match engine.inspect(&partition(), Inspect::Counts).await {
        Ok(Inspected::Counts(counts)) => counts,
        other => panic!("{other:?}"),
    }
}

/// Claims so many and gives their handles.
pub(crate) async fn claimed(engine: &dyn QueueEngine, request: u64, limit: usize) -> Vec<Handle> {
    let exchanged = engine.exchange(&partition(), claim(request, limit)).await.unwrap();
    exchanged.claimed.iter().map(|claimed| claimed.handle).collect()
}

/// One request of every verb that works on a partition, with its name.
pub(crate) async fn every_verb(engine: &dyn QueueEngine) -> Vec<(&'static str, Result<()>)> {
    use kv_core::queue::Control;
    let (at, after) = (partition(), None);
    let keys = || vec![kv_core::queue::JobKey::new(8, 1)];
    let control = |request| engine.control(&at, request);
    vec![
        ("submit", engine.submit(&at, jobs(1)).await.map(drop)),
        ("exchange", engine.exchange(&at, claim(u64::from(u32::MAX), 1)).await.map(drop)),
        ("maintain", engine.maintain(&at, maintain(10)).await.map(drop)),
        ("pause", control(Control::Pause).await.map(drop)),
        ("resume", control(Control::Resume).await.map(drop)),
        ("cancel", control(Control::Cancel { keys: keys() }).await.map(drop)),
        ("discard", control(Control::Discard { keys: keys() }).await.map(drop)),
        ("redrive", control(Control::Redrive { keys: keys(), limit: 1 }).await.map(drop)),
        ("counts", engine.inspect(&at, Inspect::Counts).await.map(drop)),
        ("peek", engine.inspect(&at, Inspect::Peek { after, limit: 1, bytes: 1 }).await.map(drop)),
        ("dead", engine.inspect(&at, Inspect::Dead { after, limit: 1, bytes: 1 }).await.map(drop)),
        ("purge", control(Control::Purge).await.map(drop)),
    ]
}

/// Everything on a server, by key, as its own dumps.
pub(crate) fn contents(server: &RedisServer) -> BTreeMap<String, Vec<u8>> {
    let mut connection = server.connection().unwrap();
    let Reply::Array(keys) = connection.command(&["KEYS", "*"]).unwrap() else {
        panic!("KEYS answers no list")
    };
    let mut dump = |key: String| match connection.command(&["DUMP", &key]).unwrap() {
        Reply::Bulk(dump) => (key, dump),
        other => panic!("{other:?}"),
    };
    keys.iter().filter_map(Reply::text).map(&mut dump).collect()
}
