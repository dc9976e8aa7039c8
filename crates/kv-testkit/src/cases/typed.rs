//! What a program sees: the same backend through the typed store.

use std::collections::BTreeSet;

use kv_core::{Error, ErrorKind, Expiry, RESERVED, Serializer, Store, Write};
use tokio::task::JoinSet;

use super::Tried;
use crate::Trial;
use crate::failure::{ensure, ensure_eq};
use crate::trial::{bytes, ms_of, refused};

/// Namespaces that a store which is careless about patterns or separators would mix up.
const NAMESPACES: [&str; 9] = ["a", "a:b", "a*", "a?", "[ab]", "[^a]", "a\\", "{a}", "日"];

pub(crate) async fn namespaces_do_not_see_each_other(t: &Trial<'_>) -> Tried {
    let store = t.typed();
    let spaces: Vec<Store> = NAMESPACES.iter().map(|name| store.namespace(name)).collect();
    for (number, space) in spaces.iter().enumerate() {
        space.set("k", &number).await?;
    }
    for (number, space) in spaces.iter().enumerate() {
        ensure_eq!(space.get("k").await?, Some(number), "get in {:?}", space.prefix());
    }
    let [first, others @ ..] = spaces.as_slice() else { return Ok(()) };
    ensure!(first.delete("k").await?, "delete said false");
    for (number, space) in others.iter().enumerate() {
        let found = space.get("k").await?;
        ensure_eq!(found, Some(number + 1), "get in {:?}", space.prefix());
    }
    Ok(())
}

pub(crate) async fn no_pattern_reaches_out_of_its_namespace(t: &Trial<'_>) -> Tried {
    let store = t.typed();
    for name in NAMESPACES {
        store.namespace(name).set("own", &1).await?;
    }
    store.set("outside", &1).await?;
    for name in NAMESPACES {
        let space = store.namespace(name);
        for pattern in ["*", "**", "[^:]*", "*own", "???"] {
            let shown = space.keys(pattern).await?;
            // The namespace `a` also holds what is in `a:b`, under its whole name.
            let inside = |key: &String| key == "own" || (name == "a" && key == "b:own");
            ensure!(shown.iter().all(inside), "{pattern:?} in {name:?} shows {shown:?}");
            ensure!(shown.iter().any(|key| key == "own"), "{pattern:?} in {name:?} misses its key");
        }
        for pattern in ["", "\\", "]*", "outside", "../*"] {
            let shown = space.keys(pattern).await?;
            ensure!(shown.is_empty(), "{pattern:?} in {name:?} shows {shown:?}");
        }
    }
    Ok(())
}

/// What every verb of the store says to a key.
async fn every_verb(store: &Store, key: &str) -> Vec<(&'static str, Option<Error>)> {
    let never = Expiry::Never;
    let mut found = vec![
        ("set", store.set(key, &1).await.err()),
        ("get", store.get::<i32>(key).await.err()),
        ("delete", store.delete(key).await.err()),
        ("exists", store.exists(key).await.err()),
        ("ttl", store.ttl(key).await.err()),
        ("touch", store.touch(key, never).await.err()),
        ("set_if_absent", store.set_if_absent(key, &1, never).await.err()),
        ("update", store.update(key, |_: Option<i32>| None).await.err()),
        ("take", store.take::<i32>(key).await.err()),
        ("get_many", store.get_many::<i32>(["fine", key]).await.err()),
        ("set_many", store.set_many([("fine", 1), (key, 1)], never).await.err()),
        ("delete_many", store.delete_many(["fine", key]).await.err()),
        ("increment", store.increment(key, 1, never).await.err()),
        ("counter", store.counter(key).await.err()),
        ("pipeline", store.pipeline().set("fine", &1).delete(key).execute().await.err()),
    ];
    let mut batch = store.batch();
    let _fine = batch.set("fine", &1);
    let _reserved = batch.exists(key);
    found.push(("batch", batch.execute().await.err()));
    found
}

pub(crate) async fn a_closed_typed_store_refuses_every_verb(t: &Trial<'_>) -> Tried {
    let store = t.typed();
    let clone = store.clone();
    store.set("k", &1).await?;
    store.close().await?;
    store.close().await?;
    for (verb, error) in every_verb(&clone, "k").await {
        let kind = error.map(|error| error.kind());
        // What is not declared may be refused for that.
        let told = matches!(kind, Some(ErrorKind::Closed | ErrorKind::Unsupported));
        ensure!(told, "Store::{verb} after close: {kind:?}");
    }
    let scanned = clone.keys("*").await;
    refused("Store::keys after close", scanned, &[ErrorKind::Closed])?;
    Ok(())
}

pub(crate) async fn reserved_keys_are_refused_by_every_verb(t: &Trial<'_>) -> Tried {
    let store = t.typed();
    let whole = [store.prefix(), RESERVED, "mine"].concat();
    t.store().set(&whole, bytes("1"), Write::ALWAYS).await?;
    let kinds = [ErrorKind::InvalidKey, ErrorKind::Unsupported];
    for key in [[RESERVED, "mine"].concat(), ["a:", RESERVED].concat()] {
        for (verb, error) in every_verb(&store, &key).await {
            let result = error.map_or(Ok(()), Err);
            refused(&format!("Store::{verb} of {key:?}"), result, &kinds)?;
        }
    }
    ensure!(!store.exists("fine").await?, "a batch with a reserved key was sent in part");
    t.holds(&whole, Some("1")).await
}

pub(crate) async fn reserved_keys_are_hidden_from_scans(t: &Trial<'_>) -> Tried {
    let store = t.typed();
    for kind in ["queue", "counter"] {
        let key = store.namespace("a").reserved_key(kind, "mine")?;
        t.store().set(&key, bytes("1"), Write::ALWAYS).await?;
    }
    store.set("k", &1).await?;
    ensure_eq!(store.keys("*").await?, ["k"], "keys");
    ensure!(store.namespace("a").keys("*").await?.is_empty(), "keys of a namespace");
    let mut scan = store.scan("*");
    while let Some(key) = scan.next().await {
        ensure_eq!(key?, "k", "a key of a scan");
    }
    Ok(())
}

pub(crate) async fn typed_keys_are_sorted_and_each_comes_once(t: &Trial<'_>) -> Tried {
    let store = t.typed().namespace("n");
    let names: BTreeSet<String> = (0..1_200).map(|number| format!("k{number}")).collect();
    store.set_many(names.iter().map(|name| (name, 1)), Expiry::Never).await?;
    let keys = store.keys("k*").await?;
    ensure!(
        keys.iter().eq(names.iter()),
        "{} keys, not the {} that are there",
        keys.len(),
        names.len()
    );
    ensure_eq!(store.delete_many(&names).await?, 1_200, "delete_many");
    ensure!(store.keys("*").await?.is_empty(), "keys after all were deleted");
    Ok(())
}

pub(crate) async fn typed_batches_answer_as_single_calls_do(t: &Trial<'_>) -> Tried {
    let store = t.typed().namespace("n");
    store.set("old", "text").await?;
    let pipeline = store.pipeline().set("a", &1).get::<i32>("a").get::<String>("old").exists("b");
    ensure_eq!(pipeline.execute().await?, ((), Some(1), Some("text".into()), false), "pipeline");
    let mut batch = store.batch();
    let wrong = batch.get::<i32>("old");
    let gone = batch.delete("a");
    let missing = batch.get::<i32>("a");
    let mut replies = batch.execute().await?;
    refused("a get of another type", replies.take(wrong), &[ErrorKind::Serialization])?;
    ensure!(replies.take(gone)?, "delete in a batch");
    ensure_eq!(replies.take(missing)?, None, "get in a batch");
    let many = store.get_many::<String>(["missing", "old"]).await?;
    ensure_eq!(many, [None, Some("text".to_owned())], "get_many");
    Ok(())
}

pub(crate) async fn the_default_lifetime_applies_where_none_is_named(t: &Trial<'_>) -> Tried {
    let store = t.typed().with_default_ttl(ms_of(50));
    let place = store.prefix().to_owned();
    store.set("default", &1).await?;
    store.set_many([("many", 1)], Expiry::Default).await?;
    store.pipeline().set("batch", &1).execute().await?;
    for (key, expiry) in
        [("never", Expiry::Never), ("keep", Expiry::Keep), ("in", Expiry::In(ms_of(70)))]
    {
        store.set_many([(key, 1)], expiry).await?;
    }
    let expected = [
        ("default", Some(50)),
        ("many", Some(50)),
        ("batch", Some(50)),
        ("never", None),
        ("keep", None),
        ("in", Some(70)),
    ];
    for (key, left) in expected {
        t.expires_in(&[&place, key].concat(), left).await?;
    }
    Ok(())
}

pub(crate) async fn counters_live_apart_from_typed_values(t: &Trial<'_>) -> Tried {
    for serializer in [Serializer::Json, Serializer::MessagePack] {
        let store = t.typed().namespace(serializer.name()).with_serializer(serializer);
        store.set("k", "text").await?;
        ensure_eq!(store.increment("k", 42, Expiry::Never).await?, 42, "increment");
        ensure_eq!(store.increment("n", 42, Expiry::Never).await?, 42, "increment");
        ensure_eq!(store.get("k").await?, Some("text".to_owned()), "get beside a counter");
        ensure_eq!(store.get::<i64>("n").await?, None, "get of a counter");
        ensure!(!store.exists("n").await?, "a counter exists as a value");
        ensure!(!store.delete("n").await?, "a counter was deleted as a value");
        ensure_eq!(store.counter("n").await?, Some(42), "counter");
        ensure_eq!(store.counter("missing").await?, None, "a missing counter");
        ensure_eq!(store.keys("*").await?, ["k"], "keys beside counters");
        ensure!(store.reset_counter("n").await?, "reset_counter said false");
        ensure_eq!(store.counter("n").await?, None, "counter after its reset");
    }
    Ok(())
}

pub(crate) async fn an_update_loses_no_other_update(t: &Trial<'_>) -> Tried {
    let mut tasks = JoinSet::new();
    for _ in 0..4 {
        let store = t.typed();
        tasks.spawn(async move {
            for _ in 0..25 {
                store.update("k", |old: Option<i64>| Some(old.unwrap_or(0) + 1)).await?;
            }
            Ok::<_, kv_core::Error>(())
        });
    }
    while let Some(task) = tasks.join_next().await {
        task??;
    }
    ensure_eq!(t.typed().get("k").await?, Some(100), "the sum of all updates");
    let gone = t.typed().update("k", |_: Option<i64>| None).await?;
    ensure_eq!((gone, t.typed().exists("k").await?), (None, false), "an update to nothing");
    Ok(())
}

pub(crate) async fn a_typed_take_gives_the_value_once(t: &Trial<'_>) -> Tried {
    let store = t.typed();
    for round in 0..25 {
        store.set("k", &round).await?;
        let mut takers = JoinSet::new();
        for _ in 0..4 {
            let store = store.clone();
            takers.spawn(async move { store.take::<i32>("k").await });
        }
        let mut taken = Vec::new();
        while let Some(value) = takers.join_next().await {
            taken.extend(value??);
        }
        ensure_eq!(taken, [round], "what 4 concurrent takes got");
    }
    Ok(())
}
