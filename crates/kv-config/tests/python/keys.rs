//! Keys, prefixes and patterns, as both sides see them.

use kv_core::ErrorKind;

use crate::service::{Both, both, on};
use kv_testbed::RedisServer;

const KEYS: &[&str] = &[
    "user:1",
    "user:2",
    "user:10",
    "users",
    "processed:a",
    "processed:b:c",
    "a*b",
    "a[1]b",
    "ä€😀",
    "with space",
    "!",
];

const PATTERNS: &[&str] = &[
    "*",
    "user:*",
    "user:?",
    "user:[12]",
    "user:[^1]*",
    "*:*",
    "processed:?:*",
    "a\\*b",
    "a\\[1\\]b",
    "ä*",
    "none",
    "",
];

async fn filled(variables: &[(&str, &str)]) -> Both {
    let mut both = both(variables).await;
    for (number, key) in KEYS.iter().enumerate() {
        if number % 2 == 0 {
            both.python.ask(&format!("await store.put({key:?}, {number})"));
        } else {
            both.rust.set(key, &number).await.unwrap();
        }
    }
    // Not theirs, though it begins alike.
    both.server.cli(&["SET", "other:user:1", "0"]).unwrap();
    both
}

#[tokio::test]
async fn both_find_the_same_keys_by_the_same_patterns() {
    let mut both = filled(&[]).await;
    for pattern in PATTERNS {
        let rust = both.rust.keys(pattern).await.unwrap();
        let python =
            both.python.ask(&format!("sorted(await store.get_keys_by_pattern({pattern:?}))"));
        let quoted: Vec<String> = rust.iter().map(|key| format!("'{key}'")).collect();
        assert_eq!(format!("[{}]", quoted.join(", ")), python, "{pattern}");
    }
    assert_eq!(both.rust.keys("*").await.unwrap().len(), KEYS.len());
}

#[tokio::test]
async fn what_one_deletes_is_gone_for_the_other() {
    let mut both = filled(&[]).await;
    for key in KEYS {
        assert_eq!(both.python.ask(&format!("await store.exists({key:?})")), "True", "{key}");
        assert!(both.rust.exists(key).await.unwrap(), "{key}");
    }
    both.python.ask("await store.delete('user:1')");
    assert!(!both.rust.exists("user:1").await.unwrap());
    assert!(both.rust.delete("user:2").await.unwrap());
    assert_eq!(
        both.python.ask("[await store.exists('user:2'), await store.get('user:2')]"),
        "[False, None]"
    );
}

#[tokio::test]
async fn a_prefix_without_its_colon_is_the_same_on_both_sides() {
    for prefix in ["app", "app:", "app:stage"] {
        let mut both = filled(&[("REDIS_KEY_PREFIX", prefix)]).await;
        assert_eq!(both.python.ask("full('')"), format!("'{}'", both.rust.prefix()));
        let stored = format!("{}:user:1", prefix.trim_end_matches(':'));
        assert_eq!(both.server.cli(&["GET", &stored]).unwrap().text().unwrap(), "0");
    }
}

#[tokio::test]
async fn the_default_prefix_is_the_originals() {
    let mut both = filled(&[]).await;
    assert_eq!(both.python.ask("full('')"), "'data_fetcher:'");
    assert_eq!(both.rust.prefix(), "data_fetcher:");
}

#[tokio::test]
async fn database_and_password_lead_both_to_the_same_place() {
    let server = RedisServer::builder().config("requirepass", "secret").start().unwrap();
    let variables = [("REDIS_DB", "3"), ("REDIS_PASSWORD", "secret")];
    let mut both = on(server, &variables).await;
    both.python.ask("await store.put('k', 'from python')");
    assert_eq!(both.rust.get("k").await.unwrap(), Some("from python".to_owned()));
    let mut connection = both.server.connection().unwrap();
    connection.command(&["SELECT", "3"]).unwrap();
    let stored = connection.command(&["GET", "data_fetcher:k"]).unwrap();
    assert_eq!(stored.text().unwrap(), "\"from python\"");
}

/// Told in the guide.
#[tokio::test]
async fn keys_that_rust_does_not_take_are_left_to_python() {
    let mut both = both(&[]).await;
    let long = "k".repeat(1_100);
    for (key, kind) in [
        ("a!kv:b", ErrorKind::InvalidKey),
        (&*long, ErrorKind::TooLarge),
        ("", ErrorKind::InvalidKey),
    ] {
        both.python.ask(&format!("await store.put({key:?}, 1)"));
        assert_eq!(both.rust.get::<u8>(key).await.unwrap_err().kind(), kind, "{key}");
        assert_eq!(both.python.ask(&format!("await store.get({key:?})")), "1");
    }
    assert_eq!(both.rust.keys("*").await.unwrap(), [long]);
}
