//! Lifetimes, which Python gives in seconds and Rust in milliseconds.

use std::time::Duration;

use kv_core::{Expiry, Remaining, SetOptions, Store};
use kv_testbed::RedisServer;

use crate::service::{both, on};

const MINUTE: Duration = Duration::from_secs(60);

async fn left(store: &Store, key: &str) -> Duration {
    store.ttl(key).await.unwrap().and_then(|left| left.duration()).unwrap()
}

#[tokio::test]
async fn each_reads_the_lifetime_that_the_other_gave() {
    let mut both = both(&[]).await;
    both.python.ask("await store.put('python', 1, ttl=60)");
    let seen = left(&both.rust, "python").await;
    assert!(seen > MINUTE / 2 && seen <= MINUTE, "{seen:?}");

    both.rust.set_with("rust", &1, SetOptions::new().ttl(MINUTE)).await.unwrap();
    let seen = both.python.ask("await client.ttl(full('rust'))");
    assert!((31..=60).contains(&seen.parse::<u64>().unwrap()), "{seen}");

    both.python.ask("await store.put('python forever', 1)");
    let forever = both.rust.ttl("python forever").await.unwrap();
    assert_eq!(forever, Some(Remaining::Forever));
    both.rust.set("rust forever", &1).await.unwrap();
    assert_eq!(both.python.ask("await client.ttl(full('rust forever'))"), "-1");
}

#[tokio::test]
async fn what_expires_is_gone_for_both_at_once() {
    let server = RedisServer::builder().clock().start().unwrap();
    let mut both = on(server, &[]).await;
    both.python.ask("await store.put('python', 1, ttl=60)");
    both.rust.set_with("rust", &1, SetOptions::new().ttl(MINUTE)).await.unwrap();
    assert_eq!(
        both.python.ask("sorted(await store.get_keys_by_pattern('*'))"),
        "['python', 'rust']"
    );
    both.server.clock().unwrap().advance(MINUTE + Duration::from_secs(1)).unwrap();
    for key in ["python", "rust"] {
        assert!(!both.rust.exists(key).await.unwrap());
        assert_eq!(both.python.ask(&format!("await store.get('{key}')")), "None");
    }
    assert_eq!(both.python.ask("await store.get_keys_by_pattern('*')"), "[]");
    assert!(both.rust.keys("*").await.unwrap().is_empty());
}

/// Told in the guide: Python's Redis store reads the variable and does not look at it.
#[tokio::test]
async fn the_default_lifetime_is_rusts_alone_on_redis() {
    let mut both = both(&[("DEFAULT_TTL", "3600")]).await;
    both.python.ask("await store.put('python', 1)");
    assert_eq!(both.rust.ttl("python").await.unwrap(), Some(Remaining::Forever));
    both.rust.set("rust", &1).await.unwrap();
    let seen = left(&both.rust, "rust").await;
    assert!(seen > 59 * MINUTE && seen <= 60 * MINUTE, "{seen:?}");
}

/// Told in the guide.
#[tokio::test]
async fn unset_or_no_number_it_is_an_hour_to_python_and_its_store_in_memory_keeps_to_it() {
    let mut both = both(&[]).await;
    assert_eq!(both.python.ask("store._default_ttl"), "3600");
    both.rust.set("rust", &1).await.unwrap();
    assert_eq!(both.rust.ttl("rust").await.unwrap(), Some(Remaining::Forever));
    for (text, seconds) in [("soon", 3600), (" +4_2 ", 42), ("042", 42)] {
        let set = format!("__import__('os').environ.update(OC_KV_STORE_DEFAULT_TTL={text:?})");
        both.python.ask(&set);
        let read = both.python.ask("original.create_kv_store('Memory')._default_ttl");
        assert_eq!(read, seconds.to_string(), "{text:?}");
    }
    let memory = "(m := original.create_kv_store('memory'), await m.put('k', 1), m._lifetimes)[2]";
    assert_eq!(both.python.ask(memory), "{'k': 42}");
}

#[tokio::test]
async fn a_plain_set_of_either_clears_the_lifetime_and_rust_can_keep_it() {
    let mut both = both(&[]).await;
    both.python.ask("await store.put('k', 1, ttl=60)");
    both.rust.set_with("k", &2, SetOptions::new().ttl(Expiry::Keep)).await.unwrap();
    assert!(left(&both.rust, "k").await <= MINUTE);
    assert_eq!(both.python.ask("await store.get('k')"), "2");
    both.python.ask("await store.put('k', 3)");
    assert_eq!(both.rust.ttl("k").await.unwrap(), Some(Remaining::Forever));
    both.python.ask("await store.put('k', 1, ttl=60)");
    both.rust.set("k", &4).await.unwrap();
    assert_eq!(both.python.ask("await client.ttl(full('k'))"), "-1");
}
