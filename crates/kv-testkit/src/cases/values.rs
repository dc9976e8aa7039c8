//! Plain reads and writes.

use std::sync::Arc;

use kv_core::{Bytes, Condition, Write};
use tokio::task::JoinSet;

use super::Tried;
use crate::Trial;
use crate::failure::{ensure, ensure_eq};

pub(crate) async fn a_missing_key_is_none(t: &Trial<'_>) -> Tried {
    let store = t.store();
    ensure_eq!(store.get("missing").await?, None, "get of a missing key");
    ensure_eq!(store.ttl("missing").await?, None, "ttl of a missing key");
    ensure!(!store.exists("missing").await?, "a missing key exists");
    ensure!(!store.delete("missing", Condition::Always).await?, "a missing key was deleted");
    Ok(())
}

pub(crate) async fn a_value_is_read_back_byte_for_byte(t: &Trial<'_>) -> Tried {
    let every_byte: Vec<u8> = (0..=u8::MAX).collect();
    let large: Vec<u8> = every_byte.iter().copied().cycle().take(1 << 20).collect();
    let values: [&[u8]; 6] =
        [b"text", b"\0", b"\r\n+OK\r\n$-1\r\n", b"\xff\xfe", &every_byte, &large];
    for value in values {
        let value = Bytes::copy_from_slice(value);
        t.store().set("k", value.clone(), Write::ALWAYS).await?;
        let found = t.value("k").await?;
        let what = value.len();
        ensure!(found.as_ref() == Some(&value), "a value of {what} bytes came back changed");
    }
    Ok(())
}

pub(crate) async fn an_empty_value_exists(t: &Trial<'_>) -> Tried {
    t.put("k", "").await?;
    t.holds("k", Some("")).await?;
    ensure!(t.store().exists("k").await?, "a key with an empty value does not exist");
    ensure_eq!(t.scanned("*").await?, ["k"], "scan");
    Ok(())
}

pub(crate) async fn set_overwrites(t: &Trial<'_>) -> Tried {
    t.put("k", "a long first value").await?;
    t.put("k", "new").await?;
    t.holds("k", Some("new")).await
}

pub(crate) async fn delete_tells_whether_it_removed_the_key(t: &Trial<'_>) -> Tried {
    t.put("k", "v").await?;
    t.put("other", "v").await?;
    ensure!(t.store().delete("k", Condition::Always).await?, "delete of a key said false");
    t.holds("k", None).await?;
    ensure!(!t.store().exists("k").await?, "a deleted key exists");
    ensure!(!t.store().delete("k", Condition::Always).await?, "the second delete said true");
    t.holds("other", Some("v")).await
}

pub(crate) async fn the_fast_path_agrees_with_get(t: &Trial<'_>) -> Tried {
    t.put("k", "old").await?;
    t.put("k", "new").await?;
    for key in ["k", "missing"] {
        let Some(at_hand) = t.store().get_now(key) else { continue };
        ensure_eq!(at_hand?, t.store().get(key).await?, "get_now {key:?}");
        let value = t.store().get_now(key).transpose()?.flatten().map(|entry| entry.value);
        ensure_eq!(value, t.value(key).await?, "get_now {key:?}");
    }
    Ok(())
}

/// Short keys that a store could take for one another.
const AWKWARD: &[&str] = &[
    "a",
    "A",
    "a ",
    " a",
    "a:b",
    "a:",
    ":a",
    "a*",
    "a?",
    "[a]",
    "a\\",
    "a\nb",
    "a\r\n",
    "a\0",
    "\0",
    "{a}",
    "{a}b",
    "{}",
    "é",
    "e\u{301}",
    "日本",
    "\u{10ffff}",
    "%s",
    "'\"",
    "0",
    "00",
    "-",
    "^",
    "__proto__",
    "a/../b",
    "%",
    "_",
    "a%",
    "a_",
    "[",
    "]",
    "?",
    "*",
    "\\",
    "a  ",
    " ",
    "a\t",
    "a\0b",
    "1",
    "01",
    "1.0",
    "1e0",
    "+1",
    "-1",
    "null",
    "NULL",
    "k",
    "K",
    "\u{212a}",
    "ß",
    "ss",
    "ẞ",
    "i",
    "I",
    "İ",
    "ı",
    "É",
    "ﬁ",
    "fi",
    "\u{feff}a",
    "\u{200b}a",
];

/// Keys that a store could mix up, cut or trip over.
pub(crate) fn awkward_keys() -> Vec<String> {
    let cut = |length: usize| ["1", "2"].map(|tail| "x".repeat(length) + tail);
    let longest = "k".repeat(1_024);
    let differs_at_the_end = ["k".repeat(1_023), "l".to_owned()].concat();
    let multi_byte = "é".repeat(512);
    let long = [longest, differs_at_the_end, multi_byte];
    let cut = [63, 127, 191, 255, 256, 511, 512, 767].into_iter().flat_map(cut);
    AWKWARD.iter().copied().map(str::to_owned).chain(long).chain(cut).collect()
}

pub(crate) async fn keys_of_every_shape_are_kept_apart(t: &Trial<'_>) -> Tried {
    let mut keys = awkward_keys();
    for (number, key) in keys.iter().enumerate() {
        t.put(key, &number.to_string()).await?;
    }
    for (number, key) in keys.iter().enumerate() {
        t.holds(key, Some(&number.to_string())).await?;
        ensure!(t.store().exists(key).await?, "{key:?} does not exist");
    }
    keys.sort();
    ensure_eq!(t.scanned("*").await?, keys, "scan");
    for key in &keys {
        ensure!(t.store().delete(key, Condition::Always).await?, "{key:?} was not deleted");
    }
    ensure!(t.scanned("*").await?.is_empty(), "something is left after every key was deleted");
    Ok(())
}

pub(crate) async fn a_value_is_never_seen_half_written(t: &Trial<'_>) -> Tried {
    let values = [Bytes::from(vec![b'a'; 50_000]), Bytes::from(vec![b'b'; 70_000])];
    t.store().set("k", values[0].clone(), Write::ALWAYS).await?;
    let mut writers = JoinSet::new();
    for writer in 0..4 {
        let (store, values) = (Arc::clone(t.handle(writer)), values.clone());
        writers.spawn(async move {
            for round in 0..25 {
                let value = values[(writer + round) % 2].clone();
                store.set("k", value, Write::ALWAYS).await?;
                tokio::task::yield_now().await;
            }
            Ok::<_, kv_core::Error>(())
        });
    }
    for _ in 0..100 {
        let found = t.value("k").await?.unwrap_or_default();
        ensure!(values.contains(&found), "a value of {} bytes was never set", found.len());
        tokio::task::yield_now().await;
    }
    while let Some(writer) = writers.join_next().await {
        writer??;
    }
    Ok(())
}
