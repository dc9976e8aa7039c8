//! Every mode of the proxy does what it says, and a cut falls exactly where it was put.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use kv_testbed::{Connection, Cut, Mode, Proxy, RedisServer, Reply, Result, eventually};
use tokio::time::Instant;

const LIMIT: Duration = Duration::from_secs(60);
const PING: &[u8] = b"*1\r\n$4\r\nPING\r\n";
const INCR: &[u8] = b"*2\r\n$4\r\nINCR\r\n$1\r\nk\r\n";
const GET_LONG: &[u8] = b"*2\r\n$3\r\nGET\r\n$4\r\nlong\r\n";

async fn server_and_proxy() -> Result<(RedisServer, Proxy)> {
    let server = RedisServer::start()?;
    let proxy = Proxy::start(("127.0.0.1", server.port())).await?;
    Ok((server, proxy))
}

fn pong() -> Reply {
    Reply::Simple("PONG".into())
}

/// Everything that comes back for `request` until the connection is cut, and how that ends.
fn raw(proxy: &Proxy, request: &[u8]) -> (String, Option<ErrorKind>) {
    let mut received = Vec::new();
    let exchange = || -> std::io::Result<usize> {
        let mut stream = TcpStream::connect(("127.0.0.1", proxy.port()))?;
        stream.set_read_timeout(Some(LIMIT))?;
        stream.write_all(request)?;
        stream.read_to_end(&mut received)
    };
    let end = { exchange }().err().map(|error| error.kind());
    (String::from_utf8_lossy(&received).into_owned(), end)
}

const RESET: Option<ErrorKind> = Some(ErrorKind::ConnectionReset);

#[tokio::test(flavor = "multi_thread")]
async fn everything_passes_and_is_counted() -> Result<()> {
    let (_server, proxy) = server_and_proxy().await?;
    let mut client = Connection::open(proxy.port())?;
    assert_eq!(client.command(&["PING"])?, pong());
    let big = vec![b'x'; 3 << 20];
    client.command(&[b"SET".as_slice(), b"k", &big])?;
    assert_eq!(client.command(&["GET", "k"])?, Reply::Bulk(big));
    let counted = || (proxy.traffic().reply_bytes > 3 << 20).then_some(proxy.traffic());
    let traffic = eventually(LIMIT, counted).expect("the counters follow");
    assert_eq!((traffic.connections, traffic.cuts), (1, 0));
    assert_eq!(traffic.reply_bytes, 7 + 5 + (3 << 20) + 10 + 2);
    assert!(traffic.request_bytes > 3 << 20);
    assert_eq!(traffic.largest_reply, (3 << 20) + 10 + 2);
    assert_eq!(traffic.request_bytes - traffic.largest_request, 14 + 20);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_throttled_connection_takes_its_time_for_each_byte_both_ways() -> Result<()> {
    let (_server, proxy) = server_and_proxy().await?;
    let mut client = Connection::open(proxy.port())?;
    let bytes_per_second = std::num::NonZeroU64::new(1 << 20).expect("more than none");
    proxy.set_mode(Mode::Throttle { bytes_per_second });
    let big = vec![b'x'; 256 << 10];
    let begin = Instant::now();
    client.command(&[b"SET".as_slice(), b"k", &big])?;
    assert!(begin.elapsed() >= Duration::from_millis(250));
    assert_eq!(client.command(&["GET", "k"])?, Reply::Bulk(big));
    assert!(begin.elapsed() >= Duration::from_millis(500));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_before_a_request_keeps_it_from_the_server() -> Result<()> {
    let (server, proxy) = server_and_proxy().await?;
    proxy.cut(Cut::before_request("INCR"));
    let (received, end) = raw(&proxy, &[PING, INCR].concat());
    assert!("+PONG\r\n".starts_with(&received), "{received}");
    assert_eq!(end, RESET);
    assert_eq!(server.cli(&["GET", "k"])?, Reply::Nil);
    assert_eq!(proxy.traffic().cuts, 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_before_a_reply_lets_the_request_take_effect() -> Result<()> {
    let (server, proxy) = server_and_proxy().await?;
    proxy.cut(Cut::in_reply("INCR", 0));
    let pipeline = [PING, PING, INCR, PING].concat();
    assert_eq!(raw(&proxy, &pipeline), ("+PONG\r\n+PONG\r\n".into(), RESET));
    assert_eq!(server.cli(&["GET", "k"])?.text().as_deref(), Some("1"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_inside_a_reply_passes_exactly_the_bytes_asked_for() -> Result<()> {
    let (server, proxy) = server_and_proxy().await?;
    server.cli(&["SET", "long", &"x".repeat(100_000)])?;
    proxy.cut(Cut::in_reply("long", 77_777));
    let (received, end) = raw(&proxy, GET_LONG);
    assert_eq!((received.len(), end), (77_777, RESET));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_after_a_reply_passes_the_whole_reply_and_nothing_of_the_next() -> Result<()> {
    let (_server, proxy) = server_and_proxy().await?;
    proxy.cut(Cut::after_reply("INCR"));
    assert_eq!(raw(&proxy, &[INCR, PING].concat()), (":1\r\n".into(), RESET));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_waits_for_its_command_and_happens_once() -> Result<()> {
    let (_server, proxy) = server_and_proxy().await?;
    proxy.cut(Cut::in_reply("INCR", 0));
    let mut client = Connection::open(proxy.port())?;
    assert_eq!(client.command(&["PING"])?, pong());
    assert_eq!(client.command(&["GET", "k"])?, Reply::Nil);
    assert!(client.command(&["INCR", "k"]).is_err());
    let mut client = Connection::open(proxy.port())?;
    assert_eq!(client.command(&["INCR", "k"])?, Reply::Integer(2));
    assert_eq!(proxy.traffic().cuts, 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_without_bytes_takes_the_next_command() -> Result<()> {
    let (server, proxy) = server_and_proxy().await?;
    proxy.cut(Cut::before_request(""));
    assert_eq!(raw(&proxy, INCR), (String::new(), RESET));
    assert_eq!(server.cli(&["GET", "k"])?, Reply::Nil);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delay_holds_every_byte_for_its_time_but_many_at_once() -> Result<()> {
    let (_server, proxy) = server_and_proxy().await?;
    let (request, reply) = (Duration::from_millis(40), Duration::from_millis(60));
    let mut client = Connection::open(proxy.port())?;
    client.command(&["PING"])?;
    proxy.set_mode(Mode::Delay { request, reply });
    let start = Instant::now();
    (0..500).try_for_each(|_| client.send(&["INCR", "k"]))?;
    assert_eq!(client.read()?, Reply::Integer(1));
    assert!(start.elapsed() >= request + reply);
    (2..=500).try_for_each(|n| client.read().map(|reply| assert_eq!(reply, Reply::Integer(n))))?;
    // One after another, 500 round trips would take 50 seconds.
    assert!(start.elapsed() < Duration::from_secs(25), "{:?}", start.elapsed());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_black_hole_keeps_connections_open_and_carries_nothing_until_it_ends() -> Result<()> {
    let (server, proxy) = server_and_proxy().await?;
    let mut old = Connection::open(proxy.port())?;
    assert_eq!(old.command(&["PING"])?, pong());
    proxy.set_mode(Mode::BlackHole);
    let mut new = Connection::open(proxy.port())?;
    old.send(&["INCR", "k"])?;
    new.send(&["INCR", "k"])?;
    assert_eq!(server.cli(&["GET", "k"])?, Reply::Nil);
    assert!(!old.has_reply()? && !new.has_reply()?);
    proxy.set_mode(Mode::Pass);
    let sum = old.read()?.integer().zip(new.read()?.integer()).map(|(one, two)| one + two);
    assert_eq!(sum, Some(3));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn held_replies_arrive_late_while_their_requests_took_effect_at_once() -> Result<()> {
    let (server, proxy) = server_and_proxy().await?;
    proxy.set_mode(Mode::HoldReplies);
    let mut client = Connection::open(proxy.port())?;
    client.send(&["INCR", "k"])?;
    let applied = || server.cli(&["GET", "k"]).ok()?.text();
    assert_eq!(eventually(LIMIT, applied).as_deref(), Some("1"));
    assert!(!client.has_reply()?);
    proxy.set_mode(Mode::Pass);
    assert_eq!(client.read()?, Reply::Integer(1));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusing_proxy_resets_new_connections_only() -> Result<()> {
    let (_server, proxy) = server_and_proxy().await?;
    let mut old = Connection::open(proxy.port())?;
    assert_eq!(old.command(&["PING"])?, pong());
    proxy.set_mode(Mode::Refuse);
    assert!(Connection::open(proxy.port()).and_then(|mut new| new.command(&["PING"])).is_err());
    assert_eq!(old.command(&["PING"])?, pong());
    proxy.set_mode(Mode::Pass);
    assert_eq!(Connection::open(proxy.port())?.command(&["PING"])?, pong());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn resetting_ends_the_connections_that_are_open() -> Result<()> {
    let (_server, proxy) = server_and_proxy().await?;
    let mut old = Connection::open(proxy.port())?;
    assert_eq!(old.command(&["PING"])?, pong());
    proxy.reset_connections();
    assert!(old.read().is_err());
    assert_eq!(Connection::open(proxy.port())?.command(&["PING"])?, pong());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_down_resets_and_is_reached_again_when_it_is_back() -> Result<()> {
    let (mut server, proxy) = server_and_proxy().await?;
    let mut old = Connection::open(proxy.port())?;
    assert_eq!(old.command(&["PING"])?, pong());
    server.kill();
    assert!(old.read().is_err());
    assert!(!raw(&proxy, PING).0.contains("PONG"));
    server.restart()?;
    assert_eq!(Connection::open(proxy.port())?.command(&["PING"])?, pong());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_proxy_closes_its_connections_and_its_port() -> Result<()> {
    let (_server, proxy) = server_and_proxy().await?;
    let port = proxy.port();
    let mut client = Connection::open(port)?;
    assert_eq!(client.command(&["PING"])?, pong());
    drop(proxy);
    assert!(client.read().is_err());
    let closed = || Connection::open(port).is_err().then_some(());
    assert!(eventually(LIMIT, closed).is_some());
    Ok(())
}
