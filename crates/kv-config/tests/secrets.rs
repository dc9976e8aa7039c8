//! A password appears in no error, no `Debug` and no log of any level.
#![cfg(all(feature = "memory", feature = "redis"))]
#![expect(clippy::unwrap_used, reason = "a helper fails like the test that calls it")]

use std::fs;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use kv_config::{Config, Factory, Variable};
use tracing::Level;

const CANARY: &str = "canary";

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// All that is logged while the action runs, from TRACE on.
fn logged(action: impl FnOnce()) -> String {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::with_default(subscriber, action);
    let bytes = log.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

fn shown(config: kv_core::Result<Config>) -> String {
    match config {
        Ok(config) => format!("{config:?} {:?}", config.settings()),
        Err(error) => format!("{error} {error:?}"),
    }
}

fn assert_hidden(load: impl Fn() -> kv_core::Result<Config>) {
    let mut text = String::new();
    let log = logged(|| text = shown(load()));
    assert!(!text.contains(CANARY), "{text}");
    assert!(!log.contains(CANARY), "{log}");
}

#[test]
fn a_password_in_variables_is_never_shown() {
    let url = "redis://user:canary@h";
    for variables in [
        vec![("TYPE", "redis"), ("REDIS_PASSWORD", CANARY)],
        vec![("TYPE", "redis"), ("REDIS_PASSWORD", CANARY), ("REDIS_PORT", "x")],
        vec![("REDIS_PASSWORD", CANARY), ("REDIS_PASSWORD_FILE", "f"), ("URL", url)],
        vec![("URL", url)],
        vec![("URL", url), ("REDIS_HOST", "h")],
        vec![("URL", "redis://user:canary@h/canary")],
        vec![("URL", "redis://user:canary@h:port")],
        vec![("URL", "redis://:canary%@h")],
        vec![("URL", "rediss://:canary@h")],
        vec![("URL", "redis:canary@h")],
        vec![("TYPE", url)],
        vec![("REDIS_HOST", url), ("REDIS_PORT", url), ("REDIS_MODE", url), ("REDIS_NODES", url)],
        vec![("REDIS_PASWORD", CANARY), ("PASSWORD", CANARY), ("SQLITE_KEY", CANARY)],
    ] {
        let named = variables.iter().map(|(name, value)| (format!("OC_KV_STORE_{name}"), *value));
        assert_hidden(|| Config::from_vars(named.clone()));
    }
}

#[test]
fn a_password_in_a_file_is_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    for (number, text) in [
        "type = 'redis'\n[redis]\npassword = 'canary'",
        "[redis]\npassword = 'canary'\nport = 'canary@'",
        "[redis]\npassword = ['canary']",
        "[redis]\npassword = 'canary",
        "[redis]\npassword = canary",
        "password = 'canary'\nurl = 'redis://:canary@h/x'",
        "a = 1\na = 'canary'",
    ]
    .into_iter()
    .enumerate()
    {
        let path = folder.path().join(format!("{number}.toml"));
        fs::write(&path, text).unwrap();
        assert_hidden(|| Config::from_file(&path));
    }
}

#[test]
fn a_password_from_a_password_file_or_a_builder_is_never_shown() {
    let file = tempfile::NamedTempFile::new().unwrap();
    for text in ["canary", "canary\n", "\n"] {
        fs::write(file.path(), text).unwrap();
        let builder = Config::builder().store_type("redis").redis_password_file(file.path());
        assert_hidden(|| builder.clone().build());
    }
    let builder = Config::builder().store_type("redis").redis_password(CANARY).url("redis://h");
    assert!(!format!("{builder:?}").contains(CANARY));
    assert_hidden(|| builder.clone().build());
}

#[test]
fn a_secret_of_a_registered_backend_is_never_shown() {
    let factory = Factory::new(|_| async { Err(kv_core::Error::unsupported("anything")) })
        .variable(Variable::secret("KEY").checked(|_| Some("is wrong"), "another"));
    let loader = Config::with_backend("sqlite", factory);
    assert_hidden(|| loader.from_vars([("OC_KV_STORE_SQLITE_KEY", CANARY)]));
}

#[test]
fn a_refused_configuration_is_logged_with_the_names_of_its_variables() {
    let variables = [("OC_KV_STORE_REDIS_PORT", "x"), ("OC_KV_STORE_TPYE", "y")];
    let log = logged(|| drop(Config::from_vars(variables)));
    assert!(log.contains("ERROR") && log.contains("configuration refused"), "{log}");
    assert!(log.contains("variables=\"OC_KV_STORE_REDIS_PORT, OC_KV_STORE_TPYE\""), "{log}");
}

#[test]
fn an_opened_store_is_logged_with_backend_serializer_and_prefix() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let config = Config::builder().serializer("msgpack").build().unwrap();
    let log = logged(|| drop(runtime.block_on(config.open()).unwrap()));
    assert!(log.contains("INFO") && log.contains("store opened"), "{log}");
    assert!(log.contains("backend=\"memory\" serializer=\"msgpack\" prefix=\"\""), "{log}");
}

#[cfg(feature = "layers")]
#[test]
fn an_opened_store_is_logged_with_its_layers() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let config = Config::builder().layers(["observe", "limit"]).build().unwrap();
    let log = logged(|| drop(runtime.block_on(config.open()).unwrap()));
    assert!(log.contains("store opened") && log.contains("layers=\"observe,limit\""), "{log}");
}

#[test]
fn a_connection_that_fails_shows_no_password() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    // Bound, but never accepting: the port is nobody else's, and no reply comes.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    for url in [format!("redis://:canary@127.0.0.1:{port}"), "redis://u:canary@[::1]:1".into()] {
        let builder =
            Config::builder().url(url).redis_timeout(std::time::Duration::from_millis(50));
        let config = builder.build().unwrap();
        let mut text = String::new();
        let log = logged(|| match runtime.block_on(config.open()) {
            Ok(store) => text = format!("{store:?}"),
            Err(error) => text = format!("{error} {error:?}"),
        });
        assert!(!text.is_empty() && !text.contains(CANARY), "{text}");
        assert!(!log.contains(CANARY), "{log}");
    }
}
