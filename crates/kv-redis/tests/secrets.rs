//! The password appears nowhere. Alone in its binary, since it takes over all logs.

#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

use std::error::Error as StdError;
use std::fmt::Debug;
use std::io::{self, Write as _};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use kv_core::{Error, KeyValueStore, Lifetime, Write};
use kv_redis::{RedisConfig, RedisConfigBuilder, RedisStore};
use kv_testbed::{Port, Proxy, RedisServer};
use tracing_subscriber::filter::LevelFilter;

const CANARY: &str = "canary-7f3a";
const VALUE: &str = "value-canary-91c2";

/// All that was logged, through either way of logging.
static LOGGED: Mutex<String> = Mutex::new(String::new());

fn logged(text: &str) {
    LOGGED.lock().unwrap_or_else(PoisonError::into_inner).push_str(text);
}

struct Capture;

impl io::Write for Capture {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        logged(&String::from_utf8_lossy(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl log::Log for Capture {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let _ = writeln!(Capture, "{} {} {}", record.level(), record.target(), record.args());
    }

    fn flush(&self) {}
}

fn capture_all_logs() {
    log::set_logger(&Capture).unwrap();
    log::set_max_level(log::LevelFilter::Trace);
    let all = tracing_subscriber::fmt().with_max_level(LevelFilter::TRACE).with_ansi(false);
    all.with_writer(|| Capture).init();
}

/// An error with all its causes, in both ways to print it.
fn shown(error: &Error) -> String {
    let mut text = format!("{error} {error:?} {error:#?}");
    let mut cause = error.source();
    while let Some(error) = cause {
        text += &format!("{error} {error:?}");
        cause = error.source();
    }
    text
}

fn clean(what: &str, text: &str) {
    for secret in [CANARY, VALUE] {
        assert!(!text.contains(secret), "{what} shows {secret}: {text}");
    }
}

fn clean_debug(shown: &dyn Debug) {
    clean("Debug", &format!("{shown:?} {shown:#?}"));
}

fn config(port: u16) -> RedisConfigBuilder {
    RedisConfig::builder().host("127.0.0.1").port(port).password(CANARY)
}

fn server(password: &str) -> RedisServer {
    RedisServer::builder().config("requirepass", password).start().unwrap()
}

async fn refused(builder: RedisConfigBuilder) {
    clean_debug(&builder);
    let config = builder.timeout(Duration::from_millis(300)).build().unwrap();
    clean_debug(&config);
    clean("connect", &shown(&RedisStore::connect(config).await.unwrap_err()));
}

/// Uses a store, breaks its connection, and uses it again.
async fn worked(server: &RedisServer) {
    let proxy = Proxy::start(("127.0.0.1", server.port())).await.unwrap();
    let url = format!("redis://:{CANARY}@127.0.0.1:{}/0", proxy.port());
    let store = RedisStore::connect(RedisConfig::from_url(&url).unwrap()).await.unwrap();
    clean_debug(&store);
    store.set("k", VALUE.into(), Write::ALWAYS).await.unwrap();
    let error = store.increment("k", 1, Lifetime::Never).await.unwrap_err();
    clean("increment", &shown(&error));
    proxy.reset_connections();
    while let Err(error) = store.set("k", VALUE.into(), Write::ALWAYS).await {
        clean("set", &shown(&error));
    }
    let entry = store.get("k").await.unwrap().unwrap();
    clean_debug(&entry);
    store.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn no_error_debug_or_log_shows_the_password_or_a_value() {
    capture_all_logs();
    let right = server(CANARY);
    worked(&right).await;
    refused(config(right.port()).username("nobody")).await;
    refused(config(right.port()).db(99)).await;
    refused(config(server("another").port())).await;
    refused(config(Port::reserve().unwrap().number())).await;
    for url in [format!("redis://:{CANARY}@h/x"), format!("http://u:{CANARY}@h")] {
        clean("from_url", &shown(&RedisConfig::from_url(&url).unwrap_err()));
    }
    let logged = LOGGED.lock().unwrap();
    for expected in ["redis connected", "redis disconnected", "redis reconnected", "redis store"] {
        assert!(logged.contains(expected), "no event says {expected:?}");
    }
    assert!(logged.contains("TRACE") && logged.contains("fred"), "the library's logs are missing");
    clean("log", &logged);
}
