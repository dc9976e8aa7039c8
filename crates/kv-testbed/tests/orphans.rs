//! A server does not outlive its test, however that ends.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use kv_testbed::{Connection, RedisServer, Result, eventually};

const CHILD: &str = "OC_KV_TESTBED_ORPHAN_CHILD";
const LIMIT: Duration = Duration::from_secs(20);

/// Not a test of its own: the process that the tests below start and kill.
#[test]
fn child_that_starts_a_server_and_waits() -> Result<()> {
    if std::env::var_os(CHILD).is_none() {
        return Ok(());
    }
    let server = RedisServer::start()?;
    println!("\nserver={}={}", server.port(), server.dir().display());
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).expect("stdin is readable");
    Ok(())
}

fn child_with_server() -> Option<(Child, u16, PathBuf)> {
    let mut child = Command::new(std::env::current_exe().ok()?)
        .args(["--exact", "child_that_starts_a_server_and_waits", "--nocapture"])
        .env(CHILD, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .ok()?;
    let lines = BufReader::new(child.stdout.take()?).lines();
    let line = lines
        .map_while(std::result::Result::ok)
        .find_map(|line| line.strip_prefix("server=").map(str::to_owned))?;
    let (port, dir) = line.split_once('=')?;
    Some((child, port.parse().ok()?, dir.into()))
}

fn is_gone(port: u16) -> bool {
    eventually(LIMIT, || Connection::open(port).is_err().then_some(())).is_some()
}

#[test]
fn a_server_and_its_directory_go_with_a_test_that_is_killed() {
    let (mut child, port, dir) = child_with_server().expect("a child prints its port");
    assert!(Connection::open(port).is_ok(), "the server runs while its test does");
    child.kill().expect("the child can be killed");
    child.wait().expect("the child can be reaped");
    assert!(is_gone(port), "the server on port {port} outlived its test");
    assert!(!dir.exists(), "{} was left behind", dir.display());
}
