//! The password, values and hidden keys appear nowhere. Alone in its binary, since it takes over all
//! logs.

#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

#[path = "common/capture.rs"]
mod capture;

use std::error::Error as StdError;
use std::fmt::Debug;
use std::time::Duration;

use kv_core::{Error, ErrorKind, KeyValueStore, Lifetime, Store, Write};
use kv_redis::{RedisConfig, RedisConfigBuilder, RedisStore};
use kv_testbed::{Mode, Port, Proxy, RedisServer};

use crate::capture::{capture_all_logs, logs};

const CANARY: &str = "canary-7f3a";
const VALUE: &str = "value-canary-91c2";
const KEY: &str = "key-canary-3b8e";

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
    for secret in [CANARY, VALUE, KEY] {
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
    let config = builder.timeout(Duration::from_secs(3)).build().unwrap();
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

/// Uses a key that is a secret, where it holds another type, and where nobody answers.
async fn hid(server: &RedisServer) {
    let proxy = Proxy::start(("127.0.0.1", server.port())).await.unwrap();
    let builder = config(proxy.port()).key_prefix("").timeout(Duration::from_secs(3));
    let store = RedisStore::connect(builder.build().unwrap()).await.unwrap();
    let sessions = Store::new(store).namespace("sessions").with_hidden_keys();
    let list = format!("sessions:{KEY}");
    let mut connection = server.connection().unwrap();
    connection.command(&["AUTH", CANARY]).unwrap();
    connection.command(&["RPUSH", &list, "element"]).unwrap();
    let mut errors = vec![sessions.get::<String>(KEY).await.unwrap_err()];
    assert_eq!(errors[0].kind(), ErrorKind::WrongType);
    proxy.set_mode(Mode::BlackHole);
    let others = ["other", KEY];
    let pipeline = sessions.pipeline().set(KEY, VALUE).exists(KEY);
    let (get, set, many, piped, keys) = tokio::join!(
        sessions.get::<String>(KEY),
        sessions.set(KEY, VALUE),
        sessions.get_many::<String>(others),
        pipeline.execute(),
        sessions.keys(KEY),
    );
    errors
        .extend([get.err(), set.err(), many.err(), piped.err(), keys.err()].into_iter().flatten());
    assert_eq!(errors.len(), 6);
    errors.iter().for_each(|error| clean("a verb on a hidden key", &shown(error)));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_error_debug_or_log_shows_the_password_a_value_or_a_hidden_key() {
    capture_all_logs();
    let right = server(CANARY);
    worked(&right).await;
    hid(&right).await;
    refused(config(right.port()).username("nobody")).await;
    refused(config(right.port()).db(99)).await;
    refused(config(server("another").port())).await;
    refused(config(Port::reserve().unwrap().number())).await;
    for url in [format!("redis://:{CANARY}@h/x"), format!("http://u:{CANARY}@h")] {
        clean("from_url", &shown(&RedisConfig::from_url(&url).unwrap_err()));
    }
    let logs = logs();
    let records: String = logs.records.iter().map(|(_, line)| format!("{line}\n")).collect();
    let logged = [logs.events.as_str(), &records].concat();
    for expected in ["redis connected", "redis disconnected", "redis reconnected", "redis store"] {
        assert!(logged.contains(expected), "no event says {expected:?}");
    }
    assert!(logged.contains("TRACE") && logged.contains("fred"), "the library's logs are missing");
    clean("log", &logged);
}
