//! One call of a loader for many keys.

use std::sync::Arc;
use std::sync::Mutex;

use kv_core::{CacheOptions, ErrorKind, Result, Store};
use kv_testkit::{Fault, Method};

use crate::support::{Rig, panics, periods, secs};

/// The keys of each call of a loader that gives each key's length, and nothing for `none`.
#[derive(Clone, Default)]
struct Asked(Arc<Mutex<Vec<Vec<String>>>>);

impl Asked {
    fn take(&self) -> Vec<Vec<String>> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

async fn lengths(
    store: &Store,
    keys: &[&str],
    options: CacheOptions,
    asked: &Asked,
) -> Result<Vec<Option<usize>>> {
    let asked = asked.clone();
    let load = move |keys: Vec<String>| {
        asked.0.lock().unwrap().push(keys.clone());
        async move {
            let known = keys.into_iter().filter(|key| key != "none");
            Ok::<Vec<_>, std::io::Error>(known.map(|key| (key.clone(), key.len())).collect())
        }
    };
    store.get_or_set_many(keys.iter().copied(), options.ttl(secs(10)), load).await
}

#[tokio::test(start_paused = true)]
async fn only_what_is_missing_is_loaded_in_one_call_and_the_order_is_kept() {
    let (rig, asked) = (Rig::new(), Asked::default());
    rig.store.set("bb", &7).await.unwrap();
    let found = lengths(&rig.store, &["a", "bb", "none", "ccc"], CacheOptions::new(), &asked);
    assert_eq!(found.await.unwrap(), [Some(1), Some(7), None, Some(3)]);
    assert_eq!(asked.take(), [["a", "none", "ccc"]]);
    assert_eq!(
        rig.store.get_many::<usize>(["a", "ccc", "none"]).await.unwrap(),
        [Some(1), Some(3), None]
    );
    let found = lengths(&rig.store, &["ccc", "a"], CacheOptions::new(), &asked).await.unwrap();
    assert_eq!((found, asked.take().len()), (vec![Some(3), Some(1)], 0));
}

#[tokio::test(start_paused = true)]
async fn no_keys_and_repeated_keys_are_fine() {
    let (rig, asked) = (Rig::new(), Asked::default());
    assert_eq!(lengths(&rig.store, &[], CacheOptions::new(), &asked).await.unwrap(), []);
    let found = lengths(&rig.store, &["aa", "aa"], CacheOptions::new(), &asked).await.unwrap();
    assert_eq!((found, asked.take()), (vec![Some(2), Some(2)], vec![vec!["aa".to_owned()]]));
}

#[tokio::test(start_paused = true)]
async fn a_key_that_another_caller_loads_is_waited_for() {
    let (rig, asked) = (Rig::new(), Asked::default());
    rig.loader.holds();
    let many = async {
        rig.settle().await;
        let many = lengths(&rig.store, &["k", "other"], CacheOptions::new(), &asked);
        let release = async {
            rig.settle().await;
            rig.loader.go_on();
        };
        tokio::join!(many, release).0
    };
    let (single, many) = tokio::join!(rig.get(CacheOptions::new()), many);
    assert_eq!((single.unwrap(), many.unwrap()), (1, vec![Some(1), Some(5)]));
    assert_eq!(asked.take(), [["other"]]);
}

#[tokio::test(start_paused = true)]
async fn stale_values_are_served_and_loaded_in_one_call_in_the_background() {
    let (rig, asked) = (Rig::new(), Asked::default());
    lengths(&rig.store, &["a", "bb"], periods(), &asked).await.unwrap();
    rig.store.set_with("a", &9, kv_core::SetOptions::new().ttl(secs(40))).await.unwrap();
    rig.store.set_with("bb", &9, kv_core::SetOptions::new().ttl(secs(40))).await.unwrap();
    asked.take();
    let stale = lengths(&rig.store, &["a", "bb"], periods(), &asked).await.unwrap();
    assert_eq!(stale, [Some(9), Some(9)]);
    rig.settle().await;
    assert_eq!(asked.take(), [["a", "bb"]]);
    let fresh = lengths(&rig.store, &["a", "bb"], periods(), &asked).await.unwrap();
    assert_eq!((fresh, asked.take().len()), (vec![Some(1), Some(2)], 0));
}

#[tokio::test(start_paused = true)]
async fn with_the_store_stopped_what_was_served_is_served_and_the_rest_is_loaded() {
    let (rig, asked) = (Rig::new(), Asked::default());
    lengths(&rig.store, &["a"], periods(), &asked).await.unwrap();
    for method in [Method::Get, Method::Set, Method::SetMany, Method::Execute] {
        rig.faulty.inject(Fault::every(method, ErrorKind::Connection));
    }
    asked.take();
    let found = lengths(&rig.store, &["a", "bb"], periods(), &asked).await.unwrap();
    assert_eq!((found, asked.take()), (vec![Some(1), Some(2)], vec![vec!["bb".to_owned()]]));
}

#[tokio::test(start_paused = true)]
async fn a_failing_or_panicking_loader_fails_the_call_and_names_a_key() {
    let rig = Rig::new();
    let fails = |_| async { Err::<Vec<(String, u32)>, _>(std::io::Error::other("away")) };
    let error = rig.store.get_or_set_many(["a", "b"], secs(1), fails).await.unwrap_err();
    assert_eq!((error.kind(), error.failed_key()), (ErrorKind::Loader, Some("a")));
    let fails = |_| async { panics::<Vec<(String, u32)>>() };
    let error = rig.store.get_or_set_many(["a", "b"], secs(1), fails).await.unwrap_err();
    assert_eq!(error.message(), "the loader panicked");
}

#[tokio::test(start_paused = true)]
async fn a_wrong_key_or_lifetime_is_refused_before_anything_is_loaded() {
    let rig = Rig::new();
    let load = |_| async { panics::<Vec<(String, u32)>>() };
    let error = rig.store.get_or_set_many(["a", ""], secs(1), load).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidKey);
    let error = rig.store.get_or_set_many(["a"], secs(0), load).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidTtl);
}
