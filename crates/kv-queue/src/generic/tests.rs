//! The generic engine on a small store that can be made to fail.

mod concurrent;
mod faults;
mod oracle;
mod removed;
mod store;
mod waits;

use std::sync::Arc;
use std::time::Duration;

use kv_core::queue::{
    BATCH_BYTES, Claim, Exchange, Exchanged, Inspect, Inspected, NewJob, Partition, Policy,
    QueueEngine, Session, Submit,
};

use super::GenericEngine;
use store::MapStore;

const LEASE: Duration = Duration::from_secs(10);

fn partition() -> Partition {
    Partition { queue: "q".into(), number: 0 }
}

fn engine(store: &Arc<MapStore>, nonce: u64) -> GenericEngine {
    GenericEngine::with_nonce(Arc::clone(store) as _, Arc::new(kv_core::SystemClock::new()), nonce)
}

async fn open(store: &Arc<MapStore>) -> GenericEngine {
    let engine = engine(store, 1);
    engine.open("q", 1).await.unwrap();
    engine
}

fn job(body: &str) -> NewJob {
    NewJob {
        body: body.to_owned().into(),
        priority: 8,
        delay: Duration::ZERO,
        unique: None,
        time_to_live: None,
        group: None,
        note_time: false,
    }
}

fn submit(bodies: &[&str]) -> Submit {
    Submit { session: None, jobs: bodies.iter().map(|body| job(body)).collect() }
}

fn exchange(request: u64) -> Exchange {
    Exchange {
        session: Session { name: "session".into(), request },
        acks: Vec::new(),
        operations: Vec::new(),
        claim: None,
        policy: Policy::default(),
    }
}

fn claim(request: u64, limit: usize) -> Exchange {
    Exchange { claim: Some(Claim { limit, bytes: BATCH_BYTES, lease: LEASE }), ..exchange(request) }
}

fn bodies(exchanged: &Exchanged) -> Vec<&[u8]> {
    exchanged.claimed.iter().map(|claimed| &*claimed.body).collect()
}

async fn letters(engine: &GenericEngine) -> Vec<kv_core::queue::DeadLetter> {
    let look = Inspect::Dead { after: None, limit: 10, bytes: BATCH_BYTES };
    match engine.inspect(&partition(), look).await.unwrap() {
        Inspected::Dead(letters) => letters,
        other => panic!("{other:?}"),
    }
}
