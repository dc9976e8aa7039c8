//! What a user has to be allowed, on each arrangement of servers, and what one is told who is not.

use kv_core::{Effect, Error, ErrorKind, KeyValueStore, Lifetime, Write};
use kv_redis::{RedisConfig, RedisConfigBuilder, RedisStore};
use kv_testbed::{RedisSentinels, RedisServer, Reply, slot_of};

use crate::calls::{reads, writes};
use crate::support::{
    self, PATIENCE, connect, jobs, local, move_on, next_to, opened, partition, three,
};
use crate::waits::Waiting;

// What the documentation allows, in its order.
const STORE: usize = 0;
const QUEUES: usize = 1;
const ON_CLUSTER_NODES: usize = 3;
const ON_SENTINELS_SERVERS: usize = 4;
const ON_SENTINELS: usize = 5;

/// The commands of the documentation of `RedisStore`, as they are given to a user.
fn documented() -> Vec<Vec<&'static str>> {
    let (_, text) = include_str!("../../src/store.rs").split_once("# Access control").unwrap();
    let blocks = text.split("```").filter_map(|block| block.strip_prefix("text"));
    let commands = blocks.flat_map(|block| block.split("ACL SETUSER").skip(1));
    let words = |command: &'static str| command.split_whitespace().filter(|word| *word != "///");
    commands.map(|command| words(command).skip(1).collect()).collect()
}

/// Gives a user rights; the keys are those of the tests, which have no prefix.
fn allow(server: &RedisServer, user: &str, rights: &[&str]) {
    let rights = rights.iter().map(|right| match *right {
        ">PASSWORD" => ">secret",
        "~data_fetcher:*" => "~*",
        right => right,
    });
    let command: Vec<&str> = ["ACL", "SETUSER", user].into_iter().chain(rights).collect();
    assert_eq!(server.cli(&command).unwrap(), Reply::Simple("OK".into()), "{command:?}");
}

/// The commands that were denied, by the log of a server.
fn denied(server: &RedisServer) -> Vec<String> {
    let Reply::Array(log) = server.cli(&["ACL", "LOG"]).unwrap() else { panic!("no log") };
    let entries = log.iter().map(|entry| match entry {
        Reply::Array(fields) => fields.iter().filter_map(Reply::text).collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    });
    entries.map(|fields| fields.join(" ")).collect()
}

fn worker(builder: RedisConfigBuilder) -> RedisConfigBuilder {
    builder.username("worker").password("secret")
}

/// All that a store can do.
async fn everything(store: &RedisStore) -> Vec<(&'static str, kv_core::Result<()>)> {
    let mut results = Vec::new();
    let there = store.set("k", "v".into(), Write::ALWAYS).await;
    results.push(("set", there.map(drop)));
    results.push(("touch", store.touch("k", Lifetime::Never).await.map(drop)));
    for (name, call) in reads(store).into_iter().chain(writes(store)) {
        results.push((name, call.await));
    }
    results
}

async fn all_allowed(store: &RedisStore, servers: &[RedisServer]) {
    for (name, result) in everything(store).await {
        result.expect(name);
    }
    Waiting::on(opened(store).await).await.wakes().await;
    for server in servers {
        assert_eq!(denied(server), Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_right_of_the_documentation_is_needed_and_they_are_enough() {
    let server = RedisServer::start().unwrap();
    let rights = &documented()[STORE];
    let at = RedisConfig::builder().host("127.0.0.1").port(server.port()).timeout(PATIENCE);
    let config = || worker(at.clone()).key_prefix("").build().unwrap();
    for right in rights.iter().filter_map(|right| right.strip_prefix('+')) {
        allow(&server, "worker", rights);
        allow(&server, "worker", &[&format!("-{right}")]);
        server.cli(&["FLUSHALL"]).unwrap();
        server.cli(&["SCRIPT", "FLUSH"]).unwrap();
        let missed = match RedisStore::connect(config()).await {
            Ok(store) => everything(&store).await.iter().any(|(_, result)| result.is_err()),
            Err(_) => true,
        };
        assert!(missed || !denied(&server).is_empty(), "{right} is not needed");
        server.cli(&["ACL", "LOG", "RESET"]).unwrap();
    }
    allow(&server, "worker", rights);
    allow(&server, "worker", &documented()[QUEUES]);
    let store = connect(worker(at.clone()).key_prefix("")).await;
    all_allowed(&store, std::slice::from_ref(&server)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_needs_what_the_documentation_adds() {
    let cluster = three();
    let rights = documented();
    for node in cluster.nodes() {
        let needed = [STORE, QUEUES, ON_CLUSTER_NODES];
        needed.into_iter().for_each(|part| allow(node, "worker", &rights[part]));
    }
    let store = connect(worker(support::config(&cluster))).await;
    all_allowed(&store, cluster.nodes()).await;
    move_on(&cluster, &["k"]);
    let migration = cluster.begin_move(slot_of("k"), next_to(&cluster, "k")).unwrap();
    all_allowed(&store, cluster.nodes()).await;
    for node in cluster.nodes() {
        allow(node, "worker", &["-asking"]);
    }
    // Redis 7.0 keeps what MIGRATE has not moved where it was: another key is asked for elsewhere.
    refused(&store.get("{k}:elsewhere").await.unwrap_err());
    migration.finish().unwrap();
    for node in cluster.nodes() {
        allow(node, "worker", &["-cluster|slots"]);
    }
    let builder = worker(support::config(&cluster)).build().unwrap();
    refused(&RedisStore::connect(builder).await.unwrap_err());
}

fn refused(error: &Error) {
    assert_eq!((error.kind(), error.effect()), (ErrorKind::Auth, Effect::NotApplied), "{error:?}");
    assert!(!error.is_retryable() && error.to_string().contains("127.0.0.1:"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sentinels_need_what_the_documentation_adds() {
    let servers = RedisSentinels::start().unwrap();
    let rights = documented();
    for node in servers.nodes() {
        let needed = [STORE, QUEUES, ON_SENTINELS_SERVERS];
        needed.into_iter().for_each(|part| allow(node, "worker", &rights[part]));
    }
    let sentinels = servers.sentinels();
    sentinels.iter().for_each(|sentinel| allow(sentinel, "finder", &rights[ON_SENTINELS]));
    let nodes = servers.sentinel_ports().into_iter().map(local);
    let config = worker(RedisConfig::builder().sentinel(servers.master_name(), nodes));
    let config = config.sentinel_credentials(Some("finder".into()), "secret").key_prefix("");
    let store = connect(config.clone()).await;
    all_allowed(&store, servers.nodes()).await;
    for sentinel in servers.sentinels() {
        assert_eq!(denied(sentinel), Vec::<String>::new());
        allow(sentinel, "finder", &["-sentinel|get-master-addr-by-name"]);
    }
    refused(&RedisStore::connect(config.build().unwrap()).await.unwrap_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_a_command_and_a_key_that_are_denied_are_permanent_errors() {
    let cluster = three();
    for node in cluster.nodes() {
        allow(node, "worker", &["on", ">secret", "~k", "~*!kv:*", "+@all", "-incrby"]);
    }
    let stranger = support::config(&cluster).username("stranger").password("secret");
    refused(&RedisStore::connect(stranger.build().unwrap()).await.unwrap_err());
    let store = connect(worker(support::config(&cluster))).await;
    refused(&store.increment("k", 1, Lifetime::Never).await.unwrap_err());
    let script = store.increment("k", 1, Lifetime::In(PATIENCE)).await.unwrap_err();
    assert_eq!((script.kind(), script.effect()), (ErrorKind::Auth, Effect::MaybeApplied));
    refused(&store.get("l").await.unwrap_err());
    refused(&store.get_many(&["k", "l"]).await.unwrap_err());
    assert!(store.get("k").await.unwrap().is_none());
    let engine = opened(&store).await;
    for node in cluster.nodes() {
        allow(node, "worker", &["-evalsha", "-blpop"]);
    }
    refused(&engine.submit(&partition(), jobs(1)).await.unwrap_err());
    refused(&engine.wait(&[partition()], PATIENCE).await.unwrap_err());
}
