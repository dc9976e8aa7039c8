//! A server does not outlive its test, however that ends.

use std::path::PathBuf;
use std::time::Duration;

use kv_testbed::{ChildTest, Connection, RedisServer, Result, eventually};

const CHILD: &str = "OC_KV_TESTBED_ORPHAN_CHILD";
const LIMIT: Duration = Duration::from_secs(20);

/// Not a test of its own: the process that the test below starts and kills.
#[test]
fn child_that_starts_a_server_and_waits() -> Result<()> {
    if std::env::var_os(CHILD).is_none() {
        return Ok(());
    }
    let server = RedisServer::start()?;
    ChildTest::say("port", server.port());
    ChildTest::say("dir", server.dir().display());
    ChildTest::told();
    Ok(())
}

fn is_gone(port: u16) -> bool {
    eventually(LIMIT, || Connection::open(port).is_err().then_some(())).is_some()
}

#[test]
fn a_server_and_its_directory_go_with_a_test_that_is_killed() -> Result<()> {
    let mut child = ChildTest::start("child_that_starts_a_server_and_waits", &[(CHILD, "1")])?;
    let port = child.hear("port")?.parse().expect("a child says its port");
    let dir = PathBuf::from(child.hear("dir")?);
    assert!(Connection::open(port).is_ok(), "the server runs while its test does");
    drop(child);
    assert!(is_gone(port), "the server on port {port} outlived its test");
    assert!(!dir.exists(), "{} was left behind", dir.display());
    Ok(())
}
