//! A process that writes until it is killed, and tells what it was told.

use std::time::Duration;

use kv_core::queue::{
    Claim, Exchange, Handle, NewJob, QueueEngine, QueueSupport, Session, Submit, Submitted, Verdict,
};
use kv_core::{KeyValueStore, Write};
use kv_sqlite::SqliteStore;
use kv_testbed::ChildTest;

use super::{partition, policy};

pub(super) const PATH: &str = "KV_SQLITE_KILLS_PATH";
pub(super) const NAME: &str = "KV_SQLITE_KILLS_NAME";

/// Short, so that what was in flight at a kill comes back soon.
const LEASE: Duration = Duration::from_millis(500);

#[tokio::test]
async fn works_until_it_is_killed() {
    let (Ok(path), Ok(name)) = (std::env::var(PATH), std::env::var(NAME)) else { return };
    let store = SqliteStore::open(path).await.unwrap();
    let QueueSupport::Native(queues) = store.queue_engine() else { panic!() };
    ChildTest::say("process", std::process::id());
    let mut held = Vec::new();
    for number in 0_u64.. {
        let value = number.to_string().into();
        store.set(&name, value, Write::ALWAYS).await.unwrap();
        ChildTest::say("fact", format_args!("set {name} {number}"));
        submit(&*queues, number).await;
        held = exchange(&*queues, &name, number, held).await;
    }
}

async fn submit(queues: &dyn QueueEngine, number: u64) {
    let job = NewJob {
        body: number.to_string().into(),
        priority: 8,
        delay: Duration::ZERO,
        unique: None,
        time_to_live: None,
        group: None,
        note_time: false,
    };
    let request = Submit { session: None, jobs: vec![job; 2] };
    for submitted in queues.submit(&partition(), request).await.unwrap() {
        let Submitted::Added(key) = submitted else { panic!("{submitted:?}") };
        ChildTest::say("fact", format_args!("added {key}"));
    }
}

/// Settles what is held and takes as much as will be left over for others.
async fn exchange(
    queues: &dyn QueueEngine,
    name: &str,
    number: u64,
    held: Vec<Handle>,
) -> Vec<Handle> {
    held.iter().for_each(|it| ChildTest::say("fact", format_args!("asks {}", it.key)));
    let claim = Some(Claim { limit: 2, bytes: 1 << 20, lease: LEASE });
    let session = Session { name: name.into(), request: number + 1 };
    let ask =
        Exchange { session, acks: held.clone(), operations: Vec::new(), claim, policy: policy() };
    let exchanged = queues.exchange(&partition(), ask).await.unwrap();
    for (handle, verdict) in held.iter().zip(exchanged.acks) {
        if verdict == Verdict::Applied {
            ChildTest::say("fact", format_args!("done {}", handle.key));
        }
    }
    exchanged.claimed.iter().map(|claimed| claimed.handle).collect()
}
