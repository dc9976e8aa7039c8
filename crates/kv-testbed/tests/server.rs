//! A server starts, keeps what it was told to keep, and goes when it is told to go.

use kv_testbed::{RedisServer, Reply, Result};

#[test]
fn a_server_answers_on_its_own_port() -> Result<()> {
    let (one, two) = (RedisServer::start()?, RedisServer::start()?);
    assert_eq!(one.cli(&["SET", "k", "v"])?, Reply::Simple("OK".into()));
    assert_eq!(one.command(&[b"GET", b"k"])?, Reply::Bulk(b"v".to_vec()));
    assert_eq!(two.cli(&["GET", "k"])?, Reply::Nil);
    assert_eq!(one.url(), format!("redis://127.0.0.1:{}/0", one.port()));
    Ok(())
}

#[test]
fn a_restart_keeps_the_port_and_what_the_append_only_file_holds() -> Result<()> {
    let mut server = RedisServer::builder().config("appendonly", "yes").start()?;
    server.cli(&["SET", "kept", "v"])?;
    let (port, pid) = (server.port(), server.pid());
    server.restart()?;
    assert_eq!(server.port(), port);
    assert_ne!(server.pid(), pid);
    assert_eq!(server.cli(&["GET", "kept"])?.text().as_deref(), Some("v"));
    Ok(())
}

#[test]
fn without_an_append_only_file_a_restart_forgets() -> Result<()> {
    let mut server = RedisServer::start()?;
    server.cli(&["SET", "k", "v"])?;
    server.restart()?;
    assert_eq!(server.cli(&["GET", "k"])?, Reply::Nil);
    Ok(())
}

#[test]
fn a_killed_server_refuses_until_it_is_restarted() -> Result<()> {
    let mut server = RedisServer::start()?;
    server.kill();
    assert_eq!(server.pid(), None);
    assert!(server.cli(&["PING"]).is_err());
    server.restart()?;
    assert_eq!(server.cli(&["PING"])?, Reply::Simple("PONG".into()));
    Ok(())
}

#[test]
fn a_paused_server_answers_only_after_it_is_resumed() -> Result<()> {
    let server = RedisServer::start()?;
    let mut connection = server.connection()?;
    server.pause()?;
    connection.send(&["PING"])?;
    assert!(!connection.has_reply()?);
    server.resume()?;
    assert_eq!(connection.read()?, Reply::Simple("PONG".into()));
    Ok(())
}

#[test]
fn a_password_is_required_of_others_and_used_by_its_own_connections() -> Result<()> {
    let server = RedisServer::builder().config("requirepass", "sesame").start()?;
    assert_eq!(server.cli(&["PING"])?, Reply::Simple("PONG".into()));
    let stranger = kv_testbed::Connection::open(server.port())?.command(&["PING"])?;
    assert!(matches!(stranger, Reply::Error(text) if text.starts_with("NOAUTH")));
    Ok(())
}

#[test]
fn a_setting_that_redis_does_not_know_is_reported_with_the_log() {
    let error = RedisServer::builder().config("no-such-setting", "1").start().unwrap_err();
    let text = error.to_string();
    assert!(text.contains("ended with") && text.contains("no-such-setting"), "{text}");
}

#[test]
fn dropping_a_server_removes_its_process_and_its_directory() -> Result<()> {
    let server = RedisServer::start()?;
    let (port, dir) = (server.port(), server.dir().to_owned());
    assert!(dir.join("redis.conf").exists());
    drop(server);
    assert!(kv_testbed::Connection::open(port).is_err());
    assert!(!dir.exists());
    Ok(())
}

#[test]
fn the_tools_beside_the_server_run() -> Result<()> {
    let output = kv_testbed::redis_binary()?.command("redis-cli").arg("--version").output();
    let output = output.expect("redis-cli runs");
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("redis-cli "));
    Ok(())
}

#[test]
fn a_server_listens_on_a_unix_socket_when_asked() -> Result<()> {
    let server = RedisServer::builder().unix_socket().config("requirepass", "sesame").start()?;
    let mut connection = kv_testbed::Connection::open_unix(server.unix_path()?)?;
    assert_eq!(connection.command(&["AUTH", "sesame"])?, Reply::Simple("OK".into()));
    connection.send(&["SET", "k", "v"])?;
    assert_eq!(connection.read()?, Reply::Simple("OK".into()));
    assert!(!connection.has_reply()?);
    assert_eq!(server.cli(&["GET", "k"])?.text().as_deref(), Some("v"));
    assert!(RedisServer::start()?.unix_path().is_err());
    Ok(())
}
