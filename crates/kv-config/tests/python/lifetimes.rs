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
    both.python.ask("await store.set('python', 1, ttl=60)");
    let seen = left(&both.rust, "python").await;
    assert!(seen > MINUTE / 2 && seen <= MINUTE, "{seen:?}");

    both.rust.set_with("rust", &1, SetOptions::new().ttl(MINUTE)).await.unwrap();
    let seen = both.python.ask("await store.client.ttl(store._get_full_key('rust'))");
    assert!((31..=60).contains(&seen.parse::<u64>().unwrap()), "{seen}");

    both.python.ask("await store.set('python forever', 1)");
    let forever = both.rust.ttl("python forever").await.unwrap();
    assert_eq!(forever, Some(Remaining::Forever));
    both.rust.set("rust forever", &1).await.unwrap();
    assert_eq!(
        both.python.ask("await store.client.ttl(store._get_full_key('rust forever'))"),
        "-1"
    );
}

#[tokio::test]
async fn what_expires_is_gone_for_both_at_once() {
    let server = RedisServer::builder().clock().start().unwrap();
    let mut both = on(server, &[]).await;
    both.python.ask("await store.set('python', 1, ttl=60)");
    both.rust.set_with("rust", &1, SetOptions::new().ttl(MINUTE)).await.unwrap();
    assert_eq!(both.python.ask("sorted(await store.keys())"), "['python', 'rust']");
    both.server.clock().unwrap().advance(MINUTE + Duration::from_secs(1)).unwrap();
    for key in ["python", "rust"] {
        assert!(!both.rust.exists(key).await.unwrap());
        assert_eq!(both.python.ask(&format!("await store.get('{key}')")), "None");
    }
    assert_eq!(both.python.ask("await store.keys()"), "[]");
    assert!(both.rust.keys("*").await.unwrap().is_empty());
}

#[tokio::test]
async fn the_default_lifetime_of_the_variables_is_the_same_for_both() {
    let mut both = both(&[("DEFAULT_TTL", "3600")]).await;
    both.python.ask("await store.set('python', 1)");
    both.rust.set("rust", &1).await.unwrap();
    for key in ["python", "rust"] {
        let seen = left(&both.rust, key).await;
        assert!(seen > 59 * MINUTE && seen <= 60 * MINUTE, "{key}: {seen:?}");
    }
}

#[tokio::test]
async fn a_plain_set_of_either_clears_the_lifetime_and_rust_can_keep_it() {
    let mut both = both(&[]).await;
    both.python.ask("await store.set('k', 1, ttl=60)");
    both.rust.set_with("k", &2, SetOptions::new().ttl(Expiry::Keep)).await.unwrap();
    assert!(left(&both.rust, "k").await <= MINUTE);
    assert_eq!(both.python.ask("await store.get('k')"), "2");
    both.python.ask("await store.set('k', 3)");
    assert_eq!(both.rust.ttl("k").await.unwrap(), Some(Remaining::Forever));
    both.python.ask("await store.set('k', 1, ttl=60)");
    both.rust.set("k", &4).await.unwrap();
    assert_eq!(both.python.ask("await store.client.ttl(store._get_full_key('k'))"), "-1");
}
