//! Counters that are there already: their lifetime, and which there are.

use kv_core::{ErrorKind, Expiry, Remaining};

use crate::support::{Rig, secs};

#[tokio::test]
async fn a_counter_gets_another_lifetime_and_keeps_its_number() {
    let store = Rig::new().store;
    assert!(!store.touch_counter("n", secs(5)).await.unwrap());
    store.increment("n", 3, Expiry::Never).await.unwrap();
    assert!(store.touch_counter("n", secs(5)).await.unwrap());
    assert_eq!(store.counter_ttl("n").await.unwrap(), Some(Remaining::Expires(secs(5))));
    assert!(store.touch_counter("n", Expiry::Never).await.unwrap());
    assert_eq!(store.counter_ttl("n").await.unwrap(), Some(Remaining::Forever));
    assert_eq!(store.counter("n").await.unwrap(), Some(3));
    let error = store.touch_counter("n", secs(0)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidTtl);
}

#[tokio::test]
async fn counters_are_listed_by_namespace_and_glob_and_nothing_else_is() {
    let root = Rig::new().store;
    let store = root.namespace("a*b");
    for n in 0..1_200 {
        store.increment(&format!("n{n:04}"), n, Expiry::Never).await.unwrap();
    }
    root.namespace("axb").increment("n0000", 7, Expiry::Never).await.unwrap();
    store.set("n9999", &1).await.unwrap();
    let all = store.counters("*").await.unwrap();
    assert_eq!(all.len(), 1_200);
    assert!(all.iter().enumerate().all(|(n, (name, sum))| {
        (name.as_str(), *sum) == (format!("n{n:04}").as_str(), i64::try_from(n).unwrap())
    }));
    let some = store.counters("n000[12]").await.unwrap();
    assert_eq!(some, [("n0001".to_owned(), 1), ("n0002".to_owned(), 2)]);
}
