//! The same verb for many keys.

use std::time::Duration;

use kv_core::{Bytes, ErrorKind, Lifetime};

use super::Tried;
use crate::failure::{ensure, ensure_eq};
use crate::trial::{bytes, millis, refused};
use crate::{Failure, Trial};

async fn values(t: &Trial<'_>, keys: &[&str]) -> Result<Vec<Option<Bytes>>, Failure> {
    let entries = t.store().get_many(keys).await?;
    Ok(entries.into_iter().map(|entry| entry.map(|entry| entry.value)).collect())
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, Bytes)> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), bytes(value))).collect()
}

pub(crate) async fn get_many_answers_in_the_order_of_its_keys(t: &Trial<'_>) -> Tried {
    for key in ["a", "b", "c"] {
        t.put(key, key).await?;
    }
    let found = values(t, &["c", "missing", "a", "c", "b", "missing"]).await?;
    let (a, b, c) = (Some(bytes("a")), Some(bytes("b")), Some(bytes("c")));
    ensure_eq!(found, [c.clone(), None, a, c, b, None], "get_many");
    ensure!(values(t, &[]).await?.is_empty(), "get_many of no keys has answers");
    let names: Vec<String> = (0..500).map(|number| format!("many{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    ensure_eq!(values(t, &names).await?.len(), 500, "answers to 500 missing keys");
    Ok(())
}

pub(crate) async fn set_many_writes_every_pair_in_order(t: &Trial<'_>) -> Tried {
    t.put("b", "old").await?;
    let all = pairs(&[("a", "1"), ("b", "2"), ("twice", "first"), ("c", ""), ("twice", "last")]);
    t.store().set_many(all, Lifetime::Never).await?;
    for (key, value) in [("a", "1"), ("b", "2"), ("c", ""), ("twice", "last")] {
        t.holds(key, Some(value)).await?;
    }
    t.store().set_many(Vec::new(), Lifetime::Never).await?;
    ensure_eq!(t.scanned("*").await?, ["a", "b", "c", "twice"], "scan");
    Ok(())
}

pub(crate) async fn delete_many_counts_each_key_once(t: &Trial<'_>) -> Tried {
    for key in ["a", "b", "c"] {
        t.put(key, "v").await?;
    }
    ensure_eq!(t.store().delete_many(&["a", "missing", "a", "b"]).await?, 2, "delete_many");
    ensure_eq!(t.scanned("*").await?, ["c"], "scan");
    ensure_eq!(t.store().delete_many(&[]).await?, 0, "delete_many of no keys");
    Ok(())
}

pub(crate) async fn set_many_gives_every_key_the_lifetime(t: &Trial<'_>) -> Tried {
    t.store().set_many(pairs(&[("a", "1"), ("b", "2"), ("c", "3")]), millis(50)).await?;
    for key in ["a", "b", "c"] {
        t.expires_in(key, Some(50)).await?;
    }
    t.outlive(50);
    ensure_eq!(values(t, &["a", "b", "c"]).await?, [None, None, None], "get_many");
    Ok(())
}

pub(crate) async fn set_many_clears_or_keeps_the_lifetime_as_told(t: &Trial<'_>) -> Tried {
    for (lifetime, left) in [(Lifetime::Keep, Some(50)), (Lifetime::Never, None)] {
        t.put_for("k", "old", 50).await?;
        t.store().set_many(pairs(&[("k", "new"), ("new", "v")]), lifetime).await?;
        t.holds("k", Some("new")).await?;
        t.expires_in("k", left).await?;
        t.expires_in("new", None).await?;
    }
    Ok(())
}

pub(crate) async fn set_many_refuses_a_zero_lifetime_before_it_writes(t: &Trial<'_>) -> Tried {
    t.put_for("k", "old", 500).await?;
    let zero = Lifetime::In(Duration::ZERO);
    let result = t.store().set_many(pairs(&[("new", "v"), ("k", "v")]), zero).await;
    refused("set_many", result, &[ErrorKind::InvalidTtl])?;
    t.holds("k", Some("old")).await?;
    t.holds("new", None).await?;
    t.expires_in("k", Some(500)).await
}
