//! Entries that end with their tags.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use kv_core::{CacheOptions, ErrorKind, Result, SetOptions, Store};
use kv_testkit::Method;

use crate::support::{Rig, secs};

fn tagged(tags: &[&str]) -> SetOptions {
    tags.iter().fold(SetOptions::new(), |options, tag| options.tag(*tag))
}

async fn set(store: &Store, key: &str, value: u32, tags: &[&str]) {
    assert!(store.set_with(key, &value, tagged(tags)).await.unwrap());
}

#[tokio::test]
async fn every_read_of_a_value_sees_that_its_tag_has_ended() {
    let store = Rig::new().store;
    set(&store, "k", 1, &["a", "b"]).await;
    assert_eq!(store.get("k").await.unwrap(), Some(1));
    assert_eq!(store.get_many::<u32>(["k"]).await.unwrap(), [Some(1)]);
    assert_eq!(store.pipeline().get::<u32>("k").execute().await.unwrap(), (Some(1),));
    assert_eq!(store.get_bytes("k").await.unwrap().as_deref(), Some(&b"1"[..]));
    store.invalidate("b").await.unwrap();
    assert_eq!(store.get::<u32>("k").await.unwrap(), None);
    assert!(store.get_versioned::<u32>("k").await.unwrap().is_none());
    assert_eq!(store.get_many::<u32>(["k"]).await.unwrap(), [None]);
    assert!(store.get_each::<u32>(["k"]).await.unwrap().pop().unwrap().unwrap().is_none());
    assert_eq!(store.pipeline().get::<u32>("k").execute().await.unwrap(), (None,));
    assert_eq!(store.get_bytes("k").await.unwrap(), None);
    assert_eq!(store.take::<u32>("k").await.unwrap(), None);
}

#[tokio::test]
async fn only_entries_of_the_tag_end_and_later_ones_live() {
    let store = Rig::new().store;
    set(&store, "a", 1, &["x"]).await;
    set(&store, "b", 2, &["y"]).await;
    store.set("c", &3).await.unwrap();
    store.invalidate("x").await.unwrap();
    set(&store, "d", 4, &["x"]).await;
    let found = store.get_many::<u32>(["a", "b", "c", "d"]).await.unwrap();
    assert_eq!(found, [None, Some(2), Some(3), Some(4)]);
}

#[tokio::test]
async fn tags_belong_to_a_namespace_and_every_view_of_an_entry_knows_them() {
    let store = Rig::new().store;
    let (a, b) = (store.namespace("a"), store.namespace("b"));
    set(&a, "k", 1, &["x"]).await;
    set(&b, "k", 2, &["x"]).await;
    assert_eq!(store.get("a:k").await.unwrap(), Some(1));
    a.invalidate("x").await.unwrap();
    assert_eq!(store.get_many::<u32>(["a:k", "b:k"]).await.unwrap(), [None, Some(2)]);
}

#[tokio::test]
async fn writes_on_an_ended_entry_begin_anew() {
    let store = Rig::new().store;
    set(&store, "k", 1, &["x"]).await;
    store.invalidate("x").await.unwrap();
    let updated = store.update("k", |old: Option<u32>| Some(old.map_or(10, |old| old + 1))).await;
    assert_eq!(updated.unwrap(), Some(10));
    store.invalidate("x").await.unwrap();
    assert_eq!(store.get("k").await.unwrap(), Some(10), "a write without tags ends them");
}

#[tokio::test]
async fn entries_without_tags_cost_nothing_and_tags_of_many_entries_one_call() {
    let rig = Rig::new();
    rig.store.set("k", &1).await.unwrap();
    rig.store.get::<u32>("k").await.unwrap();
    let calls = |method| rig.faulty.calls(method);
    assert_eq!((calls(Method::Get), calls(Method::GetMany)), (1, 0));
    for key in ["a", "b", "c"] {
        set(&rig.store, key, 1, &["x", "y"]).await;
    }
    let before = calls(Method::GetMany);
    rig.store.get_many::<u32>(["a", "b", "c"]).await.unwrap();
    assert_eq!(calls(Method::GetMany), before + 2);
}

#[tokio::test]
async fn invalidating_is_one_call_whatever_the_tag_has() {
    let rig = Rig::new();
    for key in 0..100 {
        set(&rig.store, &format!("k{key}"), key, &["x"]).await;
    }
    rig.store.invalidate("x").await.unwrap();
    assert_eq!(rig.faulty.calls(Method::Delete), 1);
    assert_eq!(rig.store.get::<u32>("k7").await.unwrap(), None);
}

async fn load(store: &Store, loads: &Arc<AtomicU32>) -> Result<u32> {
    let loads = Arc::clone(loads);
    let options = CacheOptions::new().ttl(secs(60)).fail_safe(secs(60)).tag("x");
    let load =
        move || async move { Ok::<_, std::io::Error>(loads.fetch_add(1, Ordering::SeqCst) + 1) };
    store.get_or_set_with("k", options, load).await
}

#[tokio::test]
async fn a_loaded_value_ends_with_its_tag_and_is_loaded_again() {
    let (store, loads) = (Rig::new().store, Arc::default());
    assert_eq!(load(&store, &loads).await.unwrap(), 1);
    assert_eq!(load(&store, &loads).await.unwrap(), 1);
    store.invalidate("x").await.unwrap();
    assert_eq!(load(&store, &loads).await.unwrap(), 2);
    assert_eq!(load(&store, &loads).await.unwrap(), 2);
    assert_eq!(store.get("k").await.unwrap(), Some(2));
}

#[tokio::test]
async fn a_tag_that_ends_during_a_load_ends_what_is_loaded() {
    let store = Rig::new().store;
    let inner = store.clone();
    let options = CacheOptions::new().tag("x");
    let load = move || async move { inner.invalidate("x").await.map(|()| 1) };
    assert_eq!(store.get_or_set_with("k", options, load).await.unwrap(), 1);
    assert_eq!(store.get::<u32>("k").await.unwrap(), None);
}

#[tokio::test]
async fn many_loaded_values_end_with_their_tag() {
    let store = Rig::new().store;
    let options = || CacheOptions::new().tag("x");
    let load = |keys: Vec<String>| async move {
        Ok::<Vec<_>, std::io::Error>(keys.into_iter().map(|key| (key, 1)).collect())
    };
    store.get_or_set_many(["a", "b"], options(), load).await.unwrap();
    assert_eq!(store.get_many::<u32>(["a", "b"]).await.unwrap(), [Some(1), Some(1)]);
    store.invalidate("x").await.unwrap();
    assert_eq!(store.get_many::<u32>(["a", "b"]).await.unwrap(), [None, None]);
}

#[tokio::test]
async fn a_lost_stamp_ends_its_entries() {
    let rig = Rig::new();
    set(&rig.store, "k", 1, &["x"]).await;
    let stamp = rig.store.reserved_key("tag", "x").unwrap();
    let deleted = rig.store.inner().delete(&stamp, kv_core::Condition::Always).await;
    assert!(deleted.unwrap());
    assert_eq!(rig.store.get::<u32>("k").await.unwrap(), None);
}

#[tokio::test]
async fn a_cut_entry_with_tags_is_an_error_at_every_length() {
    let store = Rig::new().store;
    set(&store, "k", 1, &["x", "y"]).await;
    let whole = store.inner().get("k").await.unwrap().unwrap().value;
    for length in 4..whole.len() - 1 {
        let write = kv_core::Write::ALWAYS;
        store.inner().set("k", whole.slice(..length), write).await.unwrap();
        let error = store.get::<u32>("k").await.unwrap_err();
        let told = (error.kind(), error.failed_key());
        assert_eq!(told, (ErrorKind::Serialization, Some("k")), "{length} bytes");
    }
}

#[tokio::test]
async fn too_many_or_too_long_tags_are_refused_and_so_are_tags_in_a_batch() {
    let store = Rig::new().store;
    let many = (0..17).fold(SetOptions::new(), |options, n| options.tag(format!("t{n}")));
    let long = SetOptions::new().tag("x".repeat(600));
    for options in [many, long] {
        let error = store.set_with("k", &1, options).await.unwrap_err();
        assert_eq!((error.kind(), error.failed_key()), (ErrorKind::TooLarge, Some("k")));
    }
    let error = store.pipeline().set_with("k", &1, tagged(&["x"])).execute().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(!store.exists("k").await.unwrap());
}

#[tokio::test]
async fn a_namespace_is_cleared_and_nothing_beside_it() {
    let root = Rig::new().store;
    let store = root.namespace("pages");
    for key in 0..1_100 {
        store.set(&key.to_string(), &key).await.unwrap();
    }
    store.increment("hits", 1, kv_core::Expiry::Never).await.unwrap();
    root.set("page", &1).await.unwrap();
    assert_eq!(store.clear().await.unwrap(), 1_100);
    assert_eq!((store.clear().await.unwrap(), store.counter("hits").await.unwrap()), (0, Some(1)));
    assert_eq!(root.keys("*").await.unwrap(), ["page"]);
}
