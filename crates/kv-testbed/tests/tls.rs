//! A server speaks TLS, with the certificates that a test asks for.

#![cfg(test)]

use std::path::PathBuf;

use kv_testbed::{
    ClientCertificate, Connection, RedisCluster, RedisSentinels, RedisServer, Reply, Result,
    ServerCertificate, Tls, redis_binary, slot_of,
};

type Client = Option<(PathBuf, PathBuf)>;

/// What `redis-cli --tls` prints for a command, its errors included.
fn ask(server: &RedisServer, ca: PathBuf, client: Client, words: &[&str]) -> Result<String> {
    let mut command = redis_binary()?.command("redis-cli");
    command.args(["-h", "127.0.0.1", "-p", &server.port().to_string(), "--tls", "--cacert"]);
    command.arg(ca);
    if let Some((certificate, key)) = client {
        command.arg("--cert").arg(certificate).arg("--key").arg(key);
    }
    let output = command.args(words).output().expect("redis-cli runs");
    let texts = [output.stdout, output.stderr].concat();
    Ok(String::from_utf8_lossy(&texts).trim().to_owned())
}

fn ping(server: &RedisServer, ca: PathBuf, client: Client) -> Result<String> {
    ask(server, ca, client, &["PING"])
}

#[test]
fn a_server_answers_those_who_trust_its_authority_and_no_others() -> Result<()> {
    let server = RedisServer::builder().tls(Tls::new()?).start()?;
    let files = server.tls()?;
    assert_eq!(ping(&server, files.ca(), None)?, "PONG");
    let refused = ping(&server, files.other_ca(), None)?;
    assert!(refused.contains("certificate verify failed"), "{refused}");
    assert_eq!(server.url(), format!("rediss://127.0.0.1:{}/0", server.port()));
    Ok(())
}

#[test]
fn a_server_has_no_plain_port_unless_asked() -> Result<()> {
    let server = RedisServer::builder().tls(Tls::new()?).start()?;
    assert_eq!(server.plain_port(), None);
    assert!(Connection::open(server.port())?.command(&["PING"]).is_err(), "it speaks TLS alone");
    assert_eq!(server.cli(&["PING"])?, Reply::Simple("PONG".into()));
    let server = RedisServer::builder().tls(Tls::new()?.with_plain_port()).start()?;
    let port = server.plain_port().expect("it was asked for");
    assert_eq!(Connection::open(port)?.command(&["PING"])?, Reply::Simple("PONG".into()));
    assert_eq!(ping(&server, server.tls()?.ca(), None)?, "PONG");
    Ok(())
}

#[test]
fn an_expired_certificate_is_refused() -> Result<()> {
    let tls = Tls::new()?.server_certificate(ServerCertificate::Expired);
    let server = RedisServer::builder().tls(tls).start()?;
    let refused = ping(&server, server.tls()?.ca(), None)?;
    assert!(refused.contains("certificate verify failed"), "{refused}");
    Ok(())
}

#[test]
fn a_server_that_requires_a_certificate_of_its_clients_refuses_none_and_a_strangers() -> Result<()>
{
    let tls = Tls::new()?.client_certificate(ClientCertificate::Required);
    let server = RedisServer::builder().tls(tls).start()?;
    let files = server.tls()?;
    assert_eq!(ping(&server, files.ca(), Some(files.client()))?, "PONG");
    for client in [None, Some(files.stranger())] {
        let refused = ping(&server, files.ca(), client)?;
        assert!(!refused.contains("PONG"), "{refused}");
    }
    Ok(())
}

#[test]
fn a_server_that_only_takes_a_certificate_answers_clients_without_one() -> Result<()> {
    let tls = Tls::new()?.client_certificate(ClientCertificate::Optional);
    let server = RedisServer::builder().tls(tls).start()?;
    let files = server.tls()?;
    assert_eq!(ping(&server, files.ca(), None)?, "PONG");
    assert_eq!(ping(&server, files.ca(), Some(files.client()))?, "PONG");
    let refused = ping(&server, files.ca(), Some(files.stranger()))?;
    assert!(!refused.contains("PONG"), "{refused}");
    Ok(())
}

#[test]
fn servers_with_one_tls_share_their_authority_and_others_do_not() -> Result<()> {
    let tls = Tls::new()?;
    let start = |tls: &Tls| RedisServer::builder().tls(tls.clone()).start();
    let (one, two, stranger) = (start(&tls)?, start(&tls)?, start(&Tls::new()?)?);
    assert_eq!(ping(&one, two.tls()?.ca(), None)?, "PONG");
    assert!(ping(&one, stranger.tls()?.ca(), None)?.contains("certificate verify failed"));
    Ok(())
}

#[test]
fn a_restart_keeps_the_certificates() -> Result<()> {
    let mut server = RedisServer::builder().tls(Tls::new()?).start()?;
    server.restart()?;
    assert_eq!(ping(&server, server.tls()?.ca(), None)?, "PONG");
    Ok(())
}

#[test]
fn a_cluster_speaks_tls_among_its_nodes_and_to_its_clients() -> Result<()> {
    let mut cluster = RedisCluster::builder().tls(Tls::new()?).start()?;
    let slot = slot_of("k");
    let source = cluster.primary_of(slot)?;
    cluster.nodes()[source].cli(&["SET", "k", "v"])?;
    let target = (source + 1) % 3;
    assert_eq!(cluster.move_slot(slot, target)?, 1);
    // The old node sends a client on to the port of TLS.
    let node = &cluster.nodes()[source];
    assert_eq!(ask(node, node.tls()?.ca(), None, &["-c", "GET", "k"])?, "v");
    cluster.kill_primary(slot)?;
    cluster.wait_until_ok()
}

#[test]
fn sentinels_and_their_nodes_speak_tls() -> Result<()> {
    let tls = Tls::new()?.client_certificate(ClientCertificate::Required);
    let mut servers = RedisSentinels::builder().tls(tls).start()?;
    for server in servers.nodes().iter().chain(servers.sentinels()) {
        let files = server.tls()?;
        assert_eq!(ping(server, files.ca(), Some(files.client()))?, "PONG");
        assert_eq!(server.plain_port(), None);
    }
    let killed = servers.kill_primary()?;
    assert_ne!(servers.wait_until_failed_over(killed)?, killed);
    servers.wait_until_ok()
}
