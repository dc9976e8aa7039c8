//! A name that comes to mean another server.
//!
//! The store runs in a process whose `/etc/hosts` is the test's own file, so this takes Linux, and
//! root or a system that lets every user have namespaces. Elsewhere the test fails and says so.

use std::path::Path;

use kv_core::{KeyValueStore, Lifetime};
use kv_redis::RedisConfig;
use kv_testbed::{ChildTest, Connection, RedisServer, Reply};

use crate::load::{SOON, again};
use crate::support::{PATIENCE, connect, refusals};

const NAME: &str = "primary.test";
const PORT: &str = "OC_KV_TEST_NAMED_PORT";

/// A child's: it counts each key that it is told.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_finds_its_server_by_a_name() {
    let Ok(port) = std::env::var(PORT) else { return };
    let config = RedisConfig::builder().host(NAME).port(port.parse().unwrap()).key_prefix("");
    let store = connect(config.timeout(PATIENCE)).await;
    while let Some(key) = tokio::task::block_in_place(ChildTest::told) {
        again(async || store.increment(&key, 1, Lifetime::Never).await.map(drop)).await;
        ChildTest::say("counted", key);
    }
}

fn name_means(hosts: &Path, address: &str) {
    std::fs::write(hosts, format!("127.0.0.1 localhost\n{address} {NAME}\n")).unwrap();
}

/// A server that listens on the same port of another address; to be asked through its socket.
fn beside(server: &RedisServer) -> RedisServer {
    let other = RedisServer::builder().unix_socket().start().unwrap();
    let port = server.port().to_string();
    let moved = ask(&other, &["CONFIG", "SET", "bind", "127.0.0.2", "port", &port]);
    assert_eq!(moved, Reply::Simple("OK".into()));
    other
}

fn ask(server: &RedisServer, command: &[&str]) -> Reply {
    Connection::open_unix(server.unix_path().unwrap()).unwrap().command(command).unwrap()
}

fn count(child: &mut ChildTest, key: &str) {
    child.tell(key).unwrap();
    let needed = "a /etc/hosts of its own, for which it takes Linux, and root or user namespaces";
    let counted = child.hear("counted").unwrap_or_else(|why| panic!("{why}; it needs {needed}"));
    assert_eq!(counted, key);
}

#[test]
fn a_name_is_looked_up_again_when_its_server_takes_no_writes_and_when_it_is_gone() {
    let one = RedisServer::builder().unix_socket().start().unwrap();
    let mut other = beside(&one);
    let hosts = one.dir().join("hosts");
    name_means(&hosts, "127.0.0.1");
    let variables = [(PORT, &*one.port().to_string())];
    let child = "names::a_store_that_finds_its_server_by_a_name";
    let mut child = ChildTest::start_with_hosts(child, &variables, &hosts).unwrap();
    count(&mut child, "first");
    assert_eq!(ask(&one, &["GET", "first"]).text().as_deref(), Some("1"));
    // The connection stays, and leads to a replica from now on.
    name_means(&hosts, "127.0.0.2");
    ask(&one, &["REPLICAOF", "127.0.0.2", &one.port().to_string()]);
    count(&mut child, "second");
    assert_eq!(ask(&other, &["GET", "second"]).text().as_deref(), Some("1"));
    assert!(refusals(std::slice::from_ref(&one), "READONLY") > 0);
    ask(&one, &["REPLICAOF", "NO", "ONE"]);
    name_means(&hosts, "127.0.0.1");
    other.kill();
    count(&mut child, "third");
    assert_eq!(ask(&one, &["GET", "third"]).text().as_deref(), Some("1"));
    assert!(SOON < PATIENCE && child.ended().unwrap());
}
