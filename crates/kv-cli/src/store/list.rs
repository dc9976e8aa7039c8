//! Keys, and the store's figures.

use kv_core::Store;
use serde_json::{Value, json};

use super::seconds;
use crate::failure::Result;
use crate::output::{Output, print, printable};

/// Prints keys as they come, so that a large store needs no memory here.
pub(super) async fn keys(
    store: &Store,
    pattern: &str,
    limit: Option<usize>,
    output: &Output,
) -> Result<()> {
    let mut scan = store.scan(pattern);
    let mut left = limit.unwrap_or(usize::MAX);
    while left > 0
        && let Some(key) = scan.next().await
    {
        let key = key?;
        output.value(|| printable(&key), || json!(key));
        left -= 1;
    }
    Ok(())
}

pub(super) async fn scan(
    store: &Store,
    pattern: &str,
    limit: usize,
    output: &Output,
) -> Result<()> {
    let mut scan = store.scan(pattern);
    let mut rows = Vec::new();
    while rows.len() < limit
        && let Some(key) = scan.next().await
    {
        let key = key?;
        // A key that expired since is not shown.
        if let Some(remaining) = store.ttl(&key).await? {
            rows.push(vec![json!(key), seconds(remaining)]);
        }
    }
    let is_cut = rows.len() == limit;
    output.rows(&["key", "expires_in_s"], rows);
    if is_cut {
        eprintln!("oc-kv: the first {limit}; --limit shows more");
    }
    Ok(())
}

pub(super) async fn stats(store: &Store, output: &Output) -> Result<()> {
    let stats = store.stats().await?;
    let figure = |figure: Option<u64>| figure.map_or(Value::Null, |figure| json!(figure));
    output.fields(&[
        ("keys", figure(stats.keys)),
        ("hits", figure(stats.hits)),
        ("misses", figure(stats.misses)),
        ("expired", figure(stats.expired)),
        ("evicted", figure(stats.evicted)),
        ("bytes", figure(stats.bytes)),
    ]);
    Ok(())
}

/// A line of what is exported.
pub(super) fn line(value: &Value) {
    print(&value.to_string());
}
