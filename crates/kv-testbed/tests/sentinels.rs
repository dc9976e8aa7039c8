//! Sentinels know everything when they have started, and name a new primary when one fails.

#![cfg(test)]

use kv_testbed::{Connection, RedisSentinels, Reply, Result};

fn ok() -> Reply {
    Reply::Simple("OK".into())
}

#[test]
fn all_sentinels_name_the_primary_when_start_returns() -> Result<()> {
    let servers = RedisSentinels::start()?;
    assert_eq!((servers.nodes().len(), servers.sentinels().len()), (3, 3));
    assert_eq!(servers.primary()?, 0);
    let port = servers.nodes()[0].port().to_string();
    for sentinel in servers.sentinel_ports() {
        let asked = ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", servers.master_name()];
        let Reply::Array(address) = Connection::open(sentinel)?.command(&asked)? else {
            panic!("an address")
        };
        assert_eq!(address[1].text().as_ref(), Some(&port));
    }
    assert_eq!(servers.nodes()[0].cli(&["SET", "k", "v"])?, ok());
    assert_eq!(servers.nodes()[0].cli(&["WAIT", "2", "5000"])?, Reply::Integer(2));
    Ok(())
}

#[test]
fn a_killed_primary_is_replaced_and_comes_back_as_a_replica() -> Result<()> {
    let mut servers = RedisSentinels::start()?;
    // On one connection: WAIT counts what its own has written.
    let mut connection = servers.nodes()[0].connection()?;
    connection.command(&["SET", "k", "v"])?;
    assert_eq!(connection.command(&["WAIT", "2", "5000"])?, Reply::Integer(2));
    assert_eq!(servers.kill_primary()?, 0);
    let new = servers.wait_until_failed_over(0)?;
    assert_ne!(new, 0);
    assert_eq!(servers.nodes()[new].cli(&["GET", "k"])?.text().as_deref(), Some("v"));
    servers.wait_until_ok()?;
    servers.nodes_mut()[0].restart()?;
    servers.wait_until_ok()?;
    assert_eq!(servers.primary()?, new);
    assert_eq!(servers.nodes()[0].cli(&["GET", "k"])?.text().as_deref(), Some("v"));
    Ok(())
}

#[test]
fn a_failover_that_was_asked_for_can_be_repeated() -> Result<()> {
    let servers = RedisSentinels::builder().replicas(1).start()?;
    assert_eq!(servers.failover()?, 1);
    servers.wait_until_primary_is(1)?;
    assert_eq!(servers.failover()?, 0);
    Ok(())
}

#[test]
fn passwords_hold_for_nodes_and_sentinels_apart() -> Result<()> {
    let builder = RedisSentinels::builder().password("sesame").sentinel_password("mellon");
    let mut servers = builder.start()?;
    for port in [servers.nodes()[0].port(), servers.sentinel_ports()[0]] {
        let stranger = Connection::open(port)?.command(&["PING"])?;
        assert!(matches!(stranger, Reply::Error(text) if text.starts_with("NOAUTH")));
    }
    let killed = servers.kill_primary()?;
    assert_ne!(servers.wait_until_failed_over(killed)?, killed);
    servers.wait_until_ok()
}

#[test]
fn two_sentinels_of_three_are_enough() -> Result<()> {
    let mut servers = RedisSentinels::start()?;
    servers.sentinels_mut()[0].kill();
    let killed = servers.kill_primary()?;
    assert_ne!(servers.wait_until_failed_over(killed)?, killed);
    servers.sentinels_mut()[0].restart()?;
    servers.wait_until_ok()
}
