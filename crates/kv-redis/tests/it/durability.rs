//! Writes that wait for copies.

use std::time::Duration;

use kv_core::queue::QueueSupport;
use kv_core::{Achieved, Bytes, Condition, Durability, ErrorKind, KeyValueStore, Outcome, Write};
use kv_redis::RedisStore;
use kv_testbed::{RedisServer, RedisServerBuilder, eventually};

use crate::support::{PATIENCE, ask, config, connect};

const ONE: Durability = Durability::replicas(1).within(Duration::from_millis(200));
const NONE: Achieved = Achieved { replicas: 0, on_disk: false };

/// A primary, its replica, and a store on the primary.
async fn copied() -> (RedisServer, RedisServer, RedisStore) {
    copied_by(RedisServer::builder).await
}

async fn copied_by(
    builder: impl Fn() -> RedisServerBuilder,
) -> (RedisServer, RedisServer, RedisStore) {
    let at_once = builder().config("repl-diskless-sync-delay", "0");
    let primary = at_once.start().unwrap();
    let of = format!("127.0.0.1 {}", primary.port());
    let replica = builder().config("replicaof", of).start().unwrap();
    let is_online = || {
        let info = ask(&primary, &["INFO", "replication"])?;
        info.contains("state=online").then_some(())
    };
    eventually(PATIENCE, is_online).expect("the replica follows");
    let store = connect(config(primary.port())).await;
    (primary, replica, store)
}

async fn set(store: &RedisStore, durability: Durability) -> kv_core::Result<(Outcome, Achieved)> {
    store.set_durable("k", Bytes::from("v"), Write::ALWAYS, durability).await
}

#[tokio::test]
async fn a_durable_write_is_on_its_replica_when_it_returns() {
    let (_primary, replica, store) = copied().await;
    let wanted = Durability::replicas(1).within(Duration::from_secs(10));
    let (outcome, achieved) = set(&store, wanted).await.unwrap();
    assert!(outcome.is_written() && achieved.meets(wanted), "{achieved:?}");
    assert_eq!(ask(&replica, &["GET", "k"]).as_deref(), Some("v"));
}

#[tokio::test]
async fn too_few_copies_are_told_and_the_write_is_done() {
    let (primary, replica, store) = copied().await;
    replica.pause().unwrap();
    let (outcome, achieved) = set(&store, ONE).await.unwrap();
    assert!(outcome.is_written() && !achieved.meets(ONE));
    assert_eq!(achieved, NONE);
    assert_eq!(ask(&primary, &["GET", "k"]).as_deref(), Some("v"));
}

#[tokio::test]
async fn a_wait_for_copies_holds_up_no_other_call() {
    let (_primary, replica, store) = copied().await;
    replica.pause().unwrap();
    let long = Durability::replicas(1).within(PATIENCE / 2);
    let waiting = set(&store, long);
    let others = async {
        while store.get("k").await.unwrap().is_none() {
            tokio::task::yield_now().await;
        }
        replica.resume().unwrap();
    };
    let (waited, ()) = tokio::join!(waiting, others);
    assert!(waited.unwrap().1.meets(long));
}

#[tokio::test]
async fn a_condition_that_fails_has_nothing_to_wait_for() {
    let (_primary, replica, store) = copied().await;
    replica.pause().unwrap();
    let present = Write::ALWAYS.condition(Condition::Present);
    let set = store.set_durable("k", Bytes::from("v"), present, ONE).await;
    assert_eq!(set.unwrap(), (Outcome::ConditionFailed, NONE));
}

#[tokio::test]
async fn what_cannot_be_waited_for_is_refused_before_it_is_written() {
    let (primary, _replica, store) = copied().await;
    let disk = set(&store, Durability::disk()).await.unwrap_err();
    assert_eq!(disk.kind(), ErrorKind::Unsupported);
    assert!(disk.to_string().contains("7.2"), "{disk}");
    let late = set(&store, ONE.within(PATIENCE)).await.unwrap_err();
    assert_eq!(late.kind(), ErrorKind::Config);
    assert_eq!(ask(&primary, &["EXISTS", "k"]).as_deref(), Some("0"));
}

#[tokio::test]
async fn a_repeated_submit_that_adds_nothing_claims_no_copies_that_are_not_there() {
    use kv_core::queue::{NewJob, Partition, Session, Submit};
    let (primary, replica, store) = copied().await;
    let other = connect(config(primary.port())).await;
    let partition = Partition { queue: "q".into(), number: 0 };
    let job = NewJob {
        body: "job".into(),
        priority: 8,
        delay: Duration::ZERO,
        unique: None,
        time_to_live: None,
        group: None,
        note_time: false,
    };
    let session = Some(Session { name: "session".into(), request: 1 });
    let submit = Submit { session, jobs: vec![job] };
    let mut answers = Vec::new();
    for store in [&store, &other] {
        let QueueSupport::Native(engine) = store.queue_engine() else { panic!("no engine") };
        engine.open("q", 1).await.unwrap();
        replica.pause().unwrap();
        let durable = engine.submit_durable(&partition, submit.clone(), ONE).await;
        let (submitted, achieved) = durable.unwrap();
        assert_eq!(achieved, NONE);
        answers.push(submitted);
    }
    assert_eq!(answers.first(), answers.last(), "the second is a repeat of the first");
}

/// A server that knows WAITAOF, and keeps a file.
fn with_a_file() -> RedisServerBuilder {
    RedisServer::builder().valkey().config("appendonly", "yes").config("appendfsync", "always")
}

#[tokio::test]
async fn what_is_on_the_disk_when_it_returns_is_there_after_a_kill() {
    let mut server = with_a_file().start().unwrap();
    let store = connect(config(server.port())).await;
    let (outcome, achieved) = set(&store, Durability::disk()).await.unwrap();
    assert!(outcome.is_written());
    assert_eq!(achieved, Achieved { replicas: 0, on_disk: true });
    server.restart().unwrap();
    assert_eq!(ask(&server, &["GET", "k"]).as_deref(), Some("v"));
}

#[tokio::test]
async fn a_disk_and_a_replica_can_be_waited_for_together() {
    let (primary, replica, store) = copied_by(with_a_file).await;
    let both = Durability::replicas(1).and_disk();
    let (outcome, achieved) = set(&store, both.within(PATIENCE / 2)).await.unwrap();
    assert!(outcome.is_written());
    assert_eq!(achieved, Achieved { replicas: 1, on_disk: true });
    replica.pause().unwrap();
    let (_, achieved) = set(&store, both.within(ONE.limit())).await.unwrap();
    assert_eq!(achieved, Achieved { replicas: 0, on_disk: true });
    assert_eq!(ask(&primary, &["GET", "k"]).as_deref(), Some("v"));
}

#[tokio::test]
async fn a_server_without_a_file_is_told_before_it_writes_and_may_get_one() {
    let server = RedisServer::builder().valkey().start().unwrap();
    let store = connect(config(server.port())).await;
    let error = set(&store, Durability::disk()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("appendonly yes"), "{error}");
    assert_eq!(ask(&server, &["EXISTS", "k"]).as_deref(), Some("0"));
    ask(&server, &["CONFIG", "SET", "appendonly", "yes"]).unwrap();
    let is_rewritten = || {
        let info = ask(&server, &["INFO", "persistence"])?;
        info.contains("aof_rewrite_in_progress:0").then_some(())
    };
    eventually(PATIENCE, is_rewritten).expect("the file is written");
    assert!(set(&store, Durability::disk().within(PATIENCE / 2)).await.unwrap().1.on_disk);
}
