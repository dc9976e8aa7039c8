//! A server does not outlive its test, however that ends.

#![cfg(test)]

use std::path::PathBuf;
use std::time::Duration;

use kv_testbed::{
    ChildTest, Connection, RedisCluster, RedisSentinels, RedisServer, Result, Tls, eventually,
};

const CHILD: &str = "OC_KV_TESTBED_ORPHAN_CHILD";
const LIMIT: Duration = Duration::from_secs(60);

/// Not a test of its own: the process that the tests below start and kill.
#[test]
fn child_that_starts_servers_and_waits() -> Result<()> {
    let Ok(what) = std::env::var(CHILD) else { return Ok(()) };
    let (mut clusters, mut sentinels, mut servers) = (Vec::new(), Vec::new(), Vec::new());
    match what.as_str() {
        "cluster" => clusters.push(RedisCluster::start()?),
        "sentinels" => sentinels.push(RedisSentinels::start()?),
        _ => servers.push(RedisServer::builder().tls(Tls::new()?).start()?),
    }
    let in_clusters = clusters.iter().flat_map(RedisCluster::nodes);
    let nodes = sentinels.iter().flat_map(RedisSentinels::nodes);
    let all = servers.iter().chain(in_clusters).chain(nodes);
    for server in all.chain(sentinels.iter().flat_map(RedisSentinels::sentinels)) {
        ChildTest::say("server", format!("{} {}", server.port(), server.dir().display()));
    }
    ChildTest::say("server", "none");
    ChildTest::told();
    Ok(())
}

fn is_gone(port: u16) -> bool {
    eventually(LIMIT, || Connection::open(port).is_err().then_some(())).is_some()
}

fn nothing_is_left_of(what: &str, expected: usize) -> Result<()> {
    let mut child = ChildTest::start("child_that_starts_servers_and_waits", &[(CHILD, what)])?;
    let mut servers = Vec::new();
    while let Some((port, dir)) = child.hear("server")?.split_once(' ') {
        let port = port.parse().expect("a child says its port");
        assert!(Connection::open(port).is_ok(), "the server runs while its test does");
        servers.push((port, PathBuf::from(dir)));
    }
    assert_eq!(servers.len(), expected);
    drop(child);
    for (port, dir) in servers {
        assert!(is_gone(port), "the server on port {port} outlived its test");
        // Whoever ends the server removes the directory a moment later.
        let removed = || (!dir.exists()).then_some(());
        assert!(eventually(LIMIT, removed).is_some(), "{} was left behind", dir.display());
    }
    Ok(())
}

#[test]
fn a_server_and_its_directory_go_with_a_test_that_is_killed() -> Result<()> {
    nothing_is_left_of("server", 1)
}

#[test]
fn a_cluster_goes_with_a_test_that_is_killed() -> Result<()> {
    nothing_is_left_of("cluster", 6)
}

#[test]
fn sentinels_and_their_nodes_go_with_a_test_that_is_killed() -> Result<()> {
    nothing_is_left_of("sentinels", 6)
}

#[test]
fn a_cluster_and_sentinels_go_when_they_are_dropped() -> Result<()> {
    let (cluster, sentinels) = (RedisCluster::start()?, RedisSentinels::start()?);
    let all = cluster.nodes().iter().chain(sentinels.nodes()).chain(sentinels.sentinels());
    let all: Vec<_> = all.map(|server| (server.port(), server.dir().to_owned())).collect();
    drop((cluster, sentinels));
    for (port, dir) in all {
        assert!(Connection::open(port).is_err(), "the server on port {port} was left running");
        assert!(!dir.exists(), "{} was left behind", dir.display());
    }
    Ok(())
}
