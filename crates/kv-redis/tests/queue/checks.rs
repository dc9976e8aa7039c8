//! What an open queue says of its server.

use std::io;
use std::sync::{Arc, Mutex};

use kv_core::{Effect, ErrorKind};
use kv_testbed::{RedisServer, eventually};
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::filter::LevelFilter;

use crate::support::{PATIENCE, QUEUE, contents, counts, engine, jobs, opened, partition};

/// Warnings of this thread.
#[derive(Clone, Default)]
struct Warnings(Arc<Mutex<Vec<u8>>>);

impl io::Write for Warnings {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Warnings {
    fn capture() -> (Self, DefaultGuard) {
        let warnings = Self::default();
        let writer = warnings.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(LevelFilter::WARN)
            .with_ansi(false)
            .with_writer(move || writer.clone());
        (warnings, tracing::subscriber::set_default(subscriber.finish()))
    }

    fn lines(&self) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    /// There is one warning, and it says this.
    fn say(&self, expected: &str) {
        let lines = self.lines();
        assert!(matches!(&lines[..], [one] if one.contains(expected)), "{lines:?}");
    }
}

/// A server that keeps what it is told.
fn durable() -> RedisServer {
    RedisServer::builder().config("appendonly", "yes").start().unwrap()
}

#[tokio::test]
async fn a_server_as_it_should_be_is_not_warned_of() {
    let server = durable();
    let (warnings, _guard) = Warnings::capture();
    opened(&server.url()).await;
    assert_eq!(warnings.lines(), [""; 0]);
}

#[tokio::test]
async fn a_server_that_evicts_jobs_is_refused_until_it_does_not() {
    let server = durable();
    server.cli(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]).unwrap();
    let engine = engine(&server.url()).await;
    let error = engine.open(QUEUE, 1).await.unwrap_err();
    assert_eq!((error.kind(), error.effect()), (ErrorKind::Config, Effect::NotApplied));
    assert!(error.to_string().contains("allkeys-lru") && error.to_string().contains("noeviction"));
    assert_eq!((error.failed_operation(), error.failed_key()), (Some("open"), Some(QUEUE)));
    assert!(contents(&server).is_empty());
    server.cli(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]).unwrap();
    engine.open(QUEUE, 1).await.unwrap();
}

#[tokio::test]
async fn a_server_that_evicts_other_entries_is_warned_of_once_for_all_queues() {
    let server = durable();
    server.cli(&["CONFIG", "SET", "maxmemory-policy", "volatile-lru"]).unwrap();
    let (warnings, _guard) = Warnings::capture();
    let engine = opened(&server.url()).await;
    for queue in ["one", "two"] {
        engine.open(queue, 4).await.unwrap();
    }
    warnings.say("volatile-lru");
}

#[tokio::test]
async fn a_server_without_persistence_is_warned_of() {
    let server = RedisServer::start().unwrap();
    let (warnings, _guard) = Warnings::capture();
    opened(&server.url()).await;
    warnings.say("appendonly yes");
}

#[tokio::test]
async fn a_replica_is_refused_and_its_primary_named() {
    let (primary, replica) = (durable(), durable());
    let port = primary.port().to_string();
    replica.cli(&["REPLICAOF", "127.0.0.1", &port]).unwrap();
    let engine = engine(&replica.url()).await;
    let error = engine.open(QUEUE, 1).await.unwrap_err();
    assert_eq!((error.kind(), error.effect()), (ErrorKind::ReadOnly, Effect::NotApplied));
    assert!(error.to_string().contains(&port), "{error}");
    replica.cli(&["REPLICAOF", "NO", "ONE"]).unwrap();
    engine.open(QUEUE, 1).await.unwrap();
}

#[tokio::test]
async fn a_server_that_tells_nothing_of_itself_is_warned_of_and_used() {
    let server = RedisServer::builder().config("rename-command", "INFO \"\"").start().unwrap();
    let (warnings, _guard) = Warnings::capture();
    let engine = opened(&server.url()).await;
    warnings.say("nothing can be checked");
    engine.submit(&partition(), jobs(1)).await.unwrap();
    assert_eq!(counts(&*engine).await.ready, 1);
}

#[tokio::test]
async fn a_server_that_cannot_save_is_warned_of_and_takes_jobs_again_when_it_can() {
    let builder = RedisServer::builder().config("save", "3600 1").config("dbfilename", "taken");
    let server = builder.start().unwrap();
    let taken = server.dir().join("taken");
    std::fs::create_dir_all(taken.join("by a directory")).unwrap();
    let saved = |status: &str| {
        server.cli(&["BGSAVE"]).unwrap();
        let expected = format!("rdb_last_bgsave_status:{status}");
        let is_so = || server.cli(&["INFO"]).unwrap().text()?.contains(&expected).then_some(());
        eventually(PATIENCE, is_so).expect("the server tries to save");
    };
    let engine = engine(&server.url()).await;
    saved("err");
    let (warnings, _guard) = Warnings::capture();
    let error = engine.open(QUEUE, 1).await.unwrap_err();
    assert_eq!((error.kind(), error.effect()), (ErrorKind::ReadOnly, Effect::NotApplied));
    assert!(warnings.lines().iter().any(|line| line.contains("snapshot failed")));
    std::fs::remove_dir_all(taken).unwrap();
    saved("ok");
    engine.open(QUEUE, 1).await.unwrap();
    engine.submit(&partition(), jobs(1)).await.unwrap();
}
