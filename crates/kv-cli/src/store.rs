//! The verbs on keys.

mod copy;
mod doctor;
mod list;
mod transfer;

use std::future::ready;
use std::io::Read as _;
use std::time::Duration;

use futures_util::stream::TryStreamExt as _;
use kv_core::{Condition, Expiry, Remaining, SetOptions, Store};
use serde_json::{Value, json};

use crate::arguments::StoreVerb;
use crate::ask::may_change;
use crate::failure::{Failure, Result};
use crate::output::Output;

/// The most bytes that are read from standard input for one value.
const MOST_READ: u64 = 64 << 20;

/// How many keys of a pattern are deleted together.
const KEYS_AT_ONCE: usize = 1_000;

pub(crate) async fn run(store: &Store, verb: StoreVerb, output: &Output) -> Result<()> {
    match verb {
        StoreVerb::Get { key, raw: true } => raw(store, &key).await,
        StoreVerb::Get { key, raw: false } => get(store, &key, output).await,
        StoreVerb::Set { key, value, text, ttl, if_absent } => {
            let value = parse(&value, text)?;
            set(store, &key, &value, expiry(ttl), if_absent, output).await
        }
        StoreVerb::Del { keys, pattern: None, consent } => {
            if keys.len() > 1 && !may_change(consent, &format!("delete {} keys", keys.len()))? {
                return Ok(());
            }
            deleted(store.delete_many(&keys).await?, output)
        }
        StoreVerb::Del { pattern: Some(pattern), consent, .. } => {
            let count = store.scan(&pattern).try_fold(0_u64, |sum, _| ready(Ok(sum + 1))).await?;
            match may_change(consent, &format!("delete {count} keys"))? {
                true => deleted(delete_matching(store, &pattern).await?, output),
                false => Ok(()),
            }
        }
        StoreVerb::Keys { pattern, limit } => list::keys(store, &pattern, limit, output).await,
        StoreVerb::Scan { pattern, limit } => list::scan(store, &pattern, limit, output).await,
        StoreVerb::Ttl { key, set: None } => ttl(store, &key, output).await,
        StoreVerb::Ttl { key, set: Some(time) } => match store.touch(&key, time).await? {
            true => ttl(store, &key, output).await,
            false => Err(missing(&key)),
        },
        StoreVerb::Incr { key, by, ttl } => {
            let sum = store.increment(&key, by, expiry(ttl)).await?;
            output.value(|| sum.to_string(), || json!(sum));
            Ok(())
        }
        StoreVerb::Counter { key } => {
            let sum = store.counter(&key).await?.ok_or_else(|| missing(&key))?;
            output.value(|| sum.to_string(), || json!(sum));
            Ok(())
        }
        StoreVerb::Stats => list::stats(store, output).await,
        StoreVerb::Ping => {
            store.ping().await?;
            output.done("the store answers", &json!({ "ok": true }));
            Ok(())
        }
        StoreVerb::Export { pattern } => transfer::export(store, &pattern).await,
        StoreVerb::Copy { to_url, to_config, to_prefix, consent } => {
            let to = copy::destination(to_url, to_config, to_prefix);
            copy::run(store, &to, consent, output).await
        }
        StoreVerb::Import { keep } => transfer::import(store, keep, output).await,
        StoreVerb::Doctor => doctor::run(store, output).await,
    }
}

async fn get(store: &Store, key: &str, output: &Output) -> Result<()> {
    let value = store.get::<Value>(key).await?.ok_or_else(|| missing(key))?;
    output.value(|| format!("{value:#}"), || value.clone());
    Ok(())
}

/// The stored bytes, without a line break after them.
async fn raw(store: &Store, key: &str) -> Result<()> {
    use std::io::Write as _;
    let value = store.get_bytes(key).await?.ok_or_else(|| missing(key))?;
    let _ = std::io::stdout().write_all(&value);
    Ok(())
}

async fn set(
    store: &Store,
    key: &str,
    value: &Value,
    expiry: Expiry,
    if_absent: bool,
    output: &Output,
) -> Result<()> {
    let options = SetOptions::new().ttl(expiry);
    let options = if if_absent { options.condition(Condition::Absent) } else { options };
    if !store.set_with(key, value, options).await? {
        return Err(Failure::Declined("the key exists"));
    }
    output.done("written", &json!({ "written": true }));
    Ok(())
}

/// Deletes page by page, so that any number of keys needs the same memory.
async fn delete_matching(store: &Store, pattern: &str) -> Result<u64> {
    let (mut deleted, mut keys) = (0, store.scan(pattern).try_chunks(KEYS_AT_ONCE));
    while let Some(some) = keys.try_next().await.map_err(|error| error.1)? {
        deleted += store.delete_many(&some).await?;
    }
    Ok(deleted)
}

fn deleted(count: u64, output: &Output) -> Result<()> {
    output.done(&format!("deleted {count}"), &json!({ "deleted": count }));
    Ok(())
}

async fn ttl(store: &Store, key: &str, output: &Output) -> Result<()> {
    let remaining = store.ttl(key).await?.ok_or_else(|| missing(key))?;
    let seconds = seconds(remaining);
    output.value(
        || match remaining {
            Remaining::Forever => "never expires".to_owned(),
            Remaining::Expires(time) => format!("{time:.3?}"),
        },
        || seconds.clone(),
    );
    Ok(())
}

/// The time that a key has left in seconds; null for one that never expires.
fn seconds(remaining: Remaining) -> Value {
    match remaining {
        Remaining::Forever => Value::Null,
        Remaining::Expires(time) => json!(time.as_secs_f64()),
    }
}

fn expiry(ttl: Option<Duration>) -> Expiry {
    ttl.map_or(Expiry::Default, Expiry::from)
}

fn missing(key: &str) -> Failure {
    Failure::Missing(format!("no key {key:?}"))
}

/// A value as it was given, or from standard input; as JSON unless it is a text.
pub(crate) fn parse(given: &str, is_text: bool) -> Result<Value> {
    let read = if given == "-" { Some(input()?) } else { None };
    let text = read.as_deref().unwrap_or(given);
    if is_text {
        return Ok(Value::String(text.to_owned()));
    }
    serde_json::from_str(text).map_err(|error| {
        let place = format!("line {} column {}", error.line(), error.column());
        Failure::Usage(format!("the value is no JSON at {place}; a text needs quotes, or --text"))
    })
}

fn input() -> Result<String> {
    let mut text = String::new();
    let failed = |why: String| Failure::Failed(format!("standard input cannot be read: {why}"));
    let mut limited = std::io::stdin().lock().take(MOST_READ + 1);
    limited.read_to_string(&mut text).map_err(|error| failed(error.to_string()))?;
    if text.len() as u64 > MOST_READ {
        return Err(failed(format!("more than {MOST_READ} bytes")));
    }
    Ok(text)
}
