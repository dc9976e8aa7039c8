//! TOML files: the same names, as strict, below the environment.
#![cfg(all(feature = "memory", feature = "redis"))]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a helper fails like the test that calls it"
)]

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use kv_config::Config;
use tempfile::TempDir;

fn written(text: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kv.toml");
    fs::write(&path, text).unwrap();
    (folder, path)
}

fn error(text: &str) -> String {
    let (_folder, path) = written(text);
    let error = Config::from_file(&path).expect_err("a wrong file").to_string();
    error.replace(&path.display().to_string(), "kv.toml")
}

#[test]
fn a_file_carries_the_same_names() {
    let (_folder, path) = written(
        "type = 'redis'\nserializer = 'msgpack'\ndefault_ttl = 60\n\
         [redis]\nhost = 'h'\nport = 7000\ntimeout = 0.5\nretry_on_timeout = true\npassword = ''\n\
         [memory]\nmax_entries = 5\n",
    );
    let config = Config::from_file(&path).unwrap();
    assert_eq!((config.backend(), config.serializer().name()), ("redis", "msgpack"));
    assert_eq!(config.default_ttl(), Some(Duration::from_secs(60)));
    let settings = config.settings();
    assert_eq!(settings.get::<u16>("PORT").unwrap(), 7000);
    assert_eq!(settings.get::<Duration>("TIMEOUT").unwrap(), Duration::from_millis(500));
    assert_eq!(settings.get::<Option<String>>("PASSWORD").unwrap(), None);
}

#[cfg(feature = "layers")]
#[test]
fn a_file_carries_layers_and_their_settings() {
    let (_folder, path) =
        written("layers = ['limit', 'retry']\n[limit]\nqueue = 0\n[retry]\nwithin = 0.5\n");
    assert_eq!(Config::from_file(&path).unwrap().layers(), ["limit", "retry"]);
    let text = error("layers = ['retry', 'limit']\n");
    assert!(text.starts_with("kv.toml: layers: names `limit` inside of `retry`"), "{text}");
    let text = error("[retry]\nattempts = 5\n");
    let expected = "kv.toml: retry.attempts: has no effect; expected OC_KV_STORE_LAYERS to name";
    assert!(text.starts_with(expected), "{text}");
}

#[test]
fn a_wrong_file_is_an_error_that_names_the_key() {
    for (text, parts) in [
        (
            "[redis]\nhots = 'h'",
            ["redis.hots: is unknown, did", "mean `redis.host`?", "expected redis.host, redis."],
        ),
        ("redis_host = 'h'", ["redis_host: is unknown", "did you mean `redis.host`?", "expected"]),
        ("[redis.host]\nname = 'h'", ["redis.host.name: is unknown", "expected redis.", "lists"]),
        ("[redsi]", ["redsi: is unknown", "expected", "or another that the reference"]),
        ("redis = 5", ["redis: is unknown", "expected", "or another that the reference"]),
        (
            "'redis.host' = 'h'",
            ["`redis.host`: is unknown", "expected", "or another that the reference"],
        ),
        ("[redis]\nport = '6379'", ["redis.port: is text", "expected", "an integer from 1"]),
        ("[redis]\nport = 0", ["redis.port: `0` is out of range", "expected", "an integer from 1"]),
        ("[redis]\nport = -1", ["redis.port: `-1` is out of range", "expected", "an integer"]),
        ("[redis]\nhost = 5", ["redis.host: is an integer", "expected", "a host name"]),
        ("[redis]\nhost = {}", ["redis.host: is a table", "expected", "a host name"]),
        ("[redis]\ntls = 'no'", ["redis.tls: is text", "expected", "true or false"]),
        ("[redis]\ntimeout = '5'", ["redis.timeout: is text", "expected", "seconds"]),
        ("[redis]\ntimeout = nan", ["redis.timeout: `NaN` is out", "expected", "seconds"]),
        ("[redis]\nnodes = 'a:1'", ["redis.nodes: is text", "expected", "host:port"]),
        ("[redis]\nnodes = [1]", ["redis.nodes: is an array of other", "expected", "host:port"]),
        ("default_ttl = 1.5", ["default_ttl: is a decimal number", "expected", "whole seconds"]),
        ("type = true", ["type: is a truth value", "expected", "a registered name"]),
    ] {
        let error = error(text);
        assert!(error.starts_with("kv.toml: "), "{error}");
        for part in parts {
            assert!(error.contains(part), "{text:?} gave {error:?}, without {part:?}");
        }
    }
}

#[test]
fn a_file_that_is_no_toml_is_told_with_the_place_and_without_its_text() {
    let error = error("type = 'redis'\n[redis]\npassword = 'canary\n");
    assert!(error.starts_with("kv.toml: is no TOML (at line 3, column "), "{error}");
    assert!(!error.contains("canary"), "{error}");
}

#[test]
fn a_file_that_cannot_be_read_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let text = |path| Config::from_file(path).unwrap_err().to_string();
    let missing = text(folder.path().join("none.toml"));
    assert!(missing.contains("none.toml: cannot be read (entity not found); expected a TOML"));
    assert!(text(folder.path().to_path_buf()).contains("cannot be read (not a regular file)"));
    let (_folder, long) = written(&"#".repeat((1 << 20) + 1));
    assert!(text(long).contains("cannot be read (more than 1 MiB)"));
}

#[test]
fn the_environment_goes_before_a_file_and_a_later_file_before_an_earlier_one() {
    let (_one, low) = written("default_ttl = 1\nserializer = 'msgpack'\n[memory]\nmax_entries = 1");
    let (_two, high) = written("default_ttl = 2\n[memory]\nmax_entries = 2");
    let loader = Config::loader().with_file(low).with_file(high);
    let variables = [("OC_KV_STORE_DEFAULT_TTL", "3"), ("OC_KV_STORE_SERIALIZER", "")];
    let config = loader.from_vars(variables).unwrap();
    assert_eq!(config.default_ttl(), Some(Duration::from_secs(3)));
    assert_eq!(config.settings().get::<u64>("MAX_ENTRIES").unwrap(), 2);
    assert_eq!(config.serializer().name(), "msgpack");
}

#[test]
fn a_conflict_between_a_file_and_the_environment_names_both() {
    let (_folder, path) = written("[redis]\nhost = 'h'");
    let loader = Config::loader().with_file(&path);
    let text = loader.from_vars([("OC_KV_STORE_URL", "redis://h")]).unwrap_err().to_string();
    let expected = "kv.toml: redis.host: is set together with OC_KV_STORE_URL";
    assert!(text.contains(expected), "{text}");
}

#[test]
fn a_password_file_is_read_without_the_line_break_at_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("password");
    let config = || Config::builder().store_type("redis").redis_password_file(&path).build();
    for right in ["p", "p\n", "p\r\n", "p\n\n"] {
        fs::write(&path, right).unwrap();
        assert!(config().is_ok(), "{right:?}");
    }
    for wrong in ["", "\n"] {
        fs::write(&path, wrong).unwrap();
        let text = config().unwrap_err().to_string();
        assert!(text.contains("OC_KV_STORE_REDIS_PASSWORD_FILE: names an empty file"), "{text}");
    }
}

#[test]
fn a_mark_before_a_password_is_no_part_of_it_and_utf_16_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("password");
    let config = || Config::builder().store_type("redis").redis_password_file(&path).build();
    fs::write(&path, "\u{feff}p\r\n").unwrap();
    assert!(config().is_ok());
    fs::write(&path, "\u{feff}\r\n").unwrap();
    assert!(config().unwrap_err().to_string().contains("names an empty file"));
    for wrong in [&b"\xff\xfep\0"[..], b"\xfe\xff\0p", b"p\0\r\0\n\0"] {
        fs::write(&path, wrong).unwrap();
        let text = config().unwrap_err().to_string();
        assert!(text.contains("cannot be read (UTF-16 or binary, not UTF-8)"), "{text}");
    }
    fs::write(&path, b"p\xe4").unwrap();
    assert!(config().unwrap_err().to_string().contains("cannot be read (not UTF-8)"));
}

#[test]
fn a_file_with_a_mark_is_read() {
    let (_folder, path) = written("\u{feff}type = 'Redis'\r\n[redis]\r\nmode = 'Single'\r\n");
    assert_eq!(Config::from_file(&path).unwrap().backend(), "redis");
}

#[test]
fn a_file_that_sets_a_backend_without_naming_it_is_told() {
    let text = error("[redis]\nhost = 'h'\n");
    let expected = "OC_KV_STORE_TYPE: is not set, but kv.toml: redis.host is; expected the backend \
                    to be named: set OC_KV_STORE_TYPE=redis (`type = \"redis\"` in a file), or \
                    OC_KV_STORE_TYPE=memory to leave aside what is set";
    assert_eq!(text, expected);
}
