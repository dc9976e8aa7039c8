//! Jobs of one queue with one partition, through its engine.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kv_core::KeyValueStore;
use kv_core::queue::{
    Claim, Claimed, Exchange, Handle, NewJob, Partition, Policy, QueueEngine, QueueSupport,
    Session, Submit,
};
use kv_sqlite::SqliteStore;

pub(crate) fn engine(store: &SqliteStore) -> Arc<dyn QueueEngine> {
    let QueueSupport::Native(engine) = store.queue_engine() else { panic!("no engine") };
    engine
}

pub(crate) fn partition() -> Partition {
    Partition { queue: "q".into(), number: 0 }
}

pub(crate) async fn submit(store: &SqliteStore, group: Option<&str>, body: Bytes) {
    engine(store).open("q", 1).await.unwrap();
    let job = NewJob {
        body,
        priority: 8,
        delay: Duration::ZERO,
        unique: None,
        time_to_live: None,
        group: group.map(Into::into),
        note_time: false,
    };
    let jobs = Submit { session: None, jobs: vec![job] };
    engine(store).submit(&partition(), jobs).await.unwrap();
}

pub(crate) async fn claim(store: &SqliteStore) -> Vec<Claimed> {
    let claim = Claim { limit: 9, bytes: 99 << 20, lease: Duration::from_secs(3_600) };
    exchange(store, 1, Vec::new(), Some(claim), Policy::default()).await
}

pub(crate) async fn ack(store: &SqliteStore, acks: Vec<Handle>, policy: Policy) {
    exchange(store, 2, acks, None, policy).await;
}

async fn exchange(
    store: &SqliteStore,
    request: u64,
    acks: Vec<Handle>,
    claim: Option<Claim>,
    policy: Policy,
) -> Vec<Claimed> {
    let session = Session { name: "session".into(), request };
    let exchange = Exchange { session, acks, operations: Vec::new(), claim, policy };
    engine(store).exchange(&partition(), exchange).await.unwrap().claimed
}
