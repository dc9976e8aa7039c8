//! What an opened store got of its configuration.
#![cfg(feature = "memory")]

use std::time::Duration;

use kv_config::Config;
use kv_core::{Bytes, Expiry, Remaining, SetOptions, Write};

#[tokio::test(flavor = "current_thread")]
async fn the_default_lifetime_applies_to_what_names_none() {
    let ttl = Duration::from_secs(3_600);
    let store = Config::builder().default_ttl(ttl).build().unwrap().open().await.unwrap();
    store.set("user:123", &("John", 30)).await.unwrap();
    assert_eq!(store.get("user:123").await.unwrap(), Some(("John".to_owned(), 30)));
    let Some(Remaining::Expires(left)) = store.ttl("user:123").await.unwrap() else {
        panic!("the key has no lifetime");
    };
    assert!(left <= ttl && left > ttl / 2, "{left:?}");
    store.set_with("k", &1, SetOptions::new().ttl(Expiry::Never)).await.unwrap();
    assert_eq!(store.ttl("k").await.unwrap(), Some(Remaining::Forever));
}

#[tokio::test(flavor = "current_thread")]
async fn without_a_default_lifetime_nothing_expires() {
    let store = Config::builder().build().unwrap().open().await.unwrap();
    store.set("k", "v").await.unwrap();
    assert_eq!(store.ttl("k").await.unwrap(), Some(Remaining::Forever));
}

#[tokio::test(flavor = "current_thread")]
async fn the_serializer_decides_the_bytes() {
    for (name, expected) in [("json", &b"[1]"[..]), ("msgpack", &b"\x91\x01"[..])] {
        let config = Config::builder().serializer(name).build().unwrap();
        let store = config.open().await.unwrap();
        store.set("k", &[1]).await.unwrap();
        let entry = store.inner().get("k").await.unwrap().unwrap();
        assert_eq!(entry.value, expected, "{name}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn connecting_gives_bytes_and_a_store_of_its_own_each_time() {
    let config = Config::builder().default_ttl(Duration::from_secs(1)).build().unwrap();
    let (one, two) = (config.connect().await.unwrap(), config.connect().await.unwrap());
    one.set("k", Bytes::from_static(b"v"), Write::ALWAYS).await.unwrap();
    assert_eq!(one.ttl("k").await.unwrap(), Some(Remaining::Forever), "no default lifetime");
    assert!(two.get("k").await.unwrap().is_none());
}

#[tokio::test(flavor = "current_thread")]
async fn the_most_entries_are_kept() {
    let config = Config::builder().memory_max_entries(10).build().unwrap();
    let store = config.open().await.unwrap();
    for number in 0..100 {
        store.set(&format!("k{number}"), &number).await.unwrap();
    }
    assert!(store.keys("*").await.unwrap().len() <= 10);
}
