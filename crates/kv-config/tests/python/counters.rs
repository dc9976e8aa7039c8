//! Counters: apart from values, and a plain number to whoever knows their key.

use std::time::Duration;

use kv_core::Expiry;

use crate::service::both;

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_number_that_python_set_is_a_value_and_no_counter() {
    let mut both = both(&[]).await;
    both.python.ask("await store.put('hits', 41)");
    assert_eq!(both.rust.counter("hits").await.unwrap(), None);
    assert_eq!(both.rust.increment("hits", 1, MINUTE).await.unwrap(), 1);
    assert_eq!(both.rust.get("hits").await.unwrap(), Some(41));
    assert_eq!(both.python.ask("await store.get('hits')"), "41");
}

#[tokio::test]
async fn python_counts_along_under_the_key_of_the_counter() {
    let mut both = both(&[]).await;
    assert_eq!(both.rust.increment("hits", 41, MINUTE).await.unwrap(), 41);
    assert_eq!(both.python.ask("await client.incr('data_fetcher:!kv:counter:hits')"), "42");
    assert_eq!(both.rust.increment("hits", 1, MINUTE).await.unwrap(), 43);
    both.python.ask("await client.incrby('data_fetcher:!kv:counter:new', 7)");
    assert_eq!(both.rust.counter("new").await.unwrap(), Some(7));
}

/// Told in the guide: a wide pattern of Python's finds what is the library's own.
#[tokio::test]
async fn the_keys_of_counters_are_seen_by_python_and_not_by_rust() {
    let mut both = both(&[]).await;
    both.rust.increment("hits", 1, Expiry::Never).await.unwrap();
    assert_eq!(both.python.ask("await store.get_keys_by_pattern('*')"), "['!kv:counter:hits']");
    assert_eq!(both.python.ask("await store.get_keys_by_pattern('[^!]*')"), "[]");
    assert!(both.rust.keys("*").await.unwrap().is_empty());
}
