//! What a user of the server has to be allowed.

use std::time::Duration;

use kv_core::queue::{QueueEngine, QueueSupport};
use kv_core::{Effect, Error, ErrorKind, KeyValueStore};
use kv_queue_machine::testing::check;
use kv_redis::{RedisConfig, RedisStore};
use kv_testbed::{RedisServer, Reply};

use crate::subject::{Subjected, frozen};
use crate::support::{PATIENCE, QUEUE, contents, counts, jobs, opened, partition};

/// The rights that the documentation of `RedisStore` lists.
fn documented() -> String {
    let (_, text) = include_str!("../../src/store.rs").split_once("on >PASSWORD").unwrap();
    let mut blocks = text.split("```");
    let (verbs, queues) = (blocks.next().unwrap(), blocks.nth(1).unwrap());
    let (_, queues) = queues.split_once("ACL SETUSER worker").unwrap();
    format!("{verbs} {queues}").replace("///", "")
}

/// Makes a user and connects as it.
async fn connect(server: &RedisServer, rights: &str) -> RedisStore {
    let mut command = vec!["ACL", "SETUSER", "worker", "reset", "on", ">secret"];
    command.extend(rights.split_whitespace());
    assert_eq!(server.cli(&command).unwrap(), Reply::Simple("OK".into()), "{command:?}");
    let config = RedisConfig::builder().host("127.0.0.1").port(server.port()).timeout(PATIENCE);
    let config = config.username("worker").password("secret").build().unwrap();
    RedisStore::connect(config).await.unwrap()
}

/// An entry of the log of denials.
fn words(entry: &Reply) -> Vec<String> {
    let Reply::Array(words) = entry else { return Vec::new() };
    words.iter().filter_map(Reply::text).collect()
}

fn denied(error: &Error) {
    assert_eq!((error.kind(), error.effect()), (ErrorKind::Auth, Effect::NotApplied), "{error:?}");
    assert!(error.to_string().contains("denies the command or the key"), "{error}");
}

fn native(store: &RedisStore) -> std::sync::Arc<dyn QueueEngine> {
    let QueueSupport::Native(engine) = store.queue_engine() else { panic!("no native engine") };
    engine
}

#[tokio::test]
async fn a_user_with_the_documented_rights_can_do_everything() {
    let server = frozen();
    let store = connect(&server, &documented()).await;
    let engine = native(&store);
    let make = async || Subjected::named(&server, engine.clone(), QUEUE);
    check(make, 0..3, 500).await.unwrap();
    engine.open(QUEUE, 2).await.unwrap();
    let woken = engine.wait(&[partition()], Duration::from_millis(50)).await.unwrap();
    engine.submit(&partition(), jobs(1)).await.unwrap();
    let waited = engine.wait(&[partition()], PATIENCE).await.unwrap();
    assert_eq!(waited, [0], "after {woken:?}");
    let Reply::Array(log) = server.cli(&["ACL", "LOG"]).unwrap() else { panic!("no log") };
    assert!(log.is_empty(), "{:?}", log.iter().map(words).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_user_who_may_not_run_scripts_is_told_so_at_open() {
    let server = RedisServer::start().unwrap();
    let store = connect(&server, "~* +@all -evalsha -eval").await;
    denied(&native(&store).open(QUEUE, 1).await.unwrap_err());
    assert!(contents(&server).is_empty());
}

#[tokio::test]
async fn a_user_of_other_keys_is_told_so_at_open() {
    let server = RedisServer::start().unwrap();
    let store = connect(&server, "~another:* +@all").await;
    denied(&native(&store).open(QUEUE, 1).await.unwrap_err());
    assert!(contents(&server).is_empty());
}

#[tokio::test]
async fn a_user_whose_rights_are_taken_away_is_told_so_by_every_verb() {
    let server = RedisServer::start().unwrap();
    let all = opened(&server.url()).await;
    all.submit(&partition(), jobs(1)).await.unwrap();
    let store = connect(&server, "~data_fetcher:* +@all").await;
    let engine = native(&store);
    engine.open(QUEUE, 1).await.unwrap();
    let before = contents(&server);
    server.cli(&["ACL", "SETUSER", "worker", "resetkeys", "~another:*"]).unwrap();
    for (_, result) in crate::support::every_verb(&*engine).await {
        denied(&result.unwrap_err());
    }
    assert_eq!(contents(&server), before);
    assert_eq!(counts(&*all).await.ready, 1);
}
