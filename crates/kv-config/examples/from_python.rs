//! What the Python original left on a server: whether Rust reads it, and how pickles become JSON.
//!
//! ```text
//! cargo run -p kv-config --features pickle --example from_python -- check
//! cargo run -p kv-config --features pickle --example from_python -- convert
//! ```
//!
//! `check` reads every value under the prefix of the `OC_KV_STORE_*` variables and changes nothing.
//! `convert` writes each pickle of plain data again as JSON. Both name the keys whose values they
//! cannot read and end with 1 if there are any. `docs/MIGRATING-FROM-PYTHON.md` says when to run
//! them.

use std::fmt;
use std::process::ExitCode;

use kv_core::{Condition, ErrorKind, Expiry, Result, Serializer, SetOptions, Store};
use kv_pickle::Pickle;
use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

#[tokio::main]
async fn main() -> ExitCode {
    let verb = std::env::args().nth(1);
    let outcome = match verb.as_deref() {
        Some("check") => run(check).await,
        Some("convert") => run(convert).await,
        _ => {
            eprintln!("usage: from_python check | convert");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(outcome) => {
            print!("{outcome}");
            ExitCode::from(u8::from(!outcome.refused.is_empty()))
        }
        Err(error) => {
            eprintln!("from_python: {error}");
            ExitCode::from(2)
        }
    }
}

async fn run(work: impl AsyncFnOnce(&Store) -> Result<Outcome>) -> Result<Outcome> {
    let store = kv_config::from_env().await?;
    let outcome = work(&store).await?;
    store.close().await?;
    Ok(outcome)
}

/// How many values there are and were written, and which are refused and why.
#[derive(Default)]
pub(crate) struct Outcome {
    pub(crate) keys: usize,
    pub(crate) written: usize,
    pub(crate) refused: Vec<(String, String)>,
}

impl Outcome {
    fn refuse(&mut self, key: &str, error: &kv_core::Error) {
        let cause = std::error::Error::source(error).map(ToString::to_string);
        self.refused.push((key.to_owned(), cause.unwrap_or_else(|| error.to_string())));
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (key, why) in &self.refused {
            writeln!(f, "{key}: {why}")?;
        }
        writeln!(f, "keys={} written={} refused={}", self.keys, self.written, self.refused.len())
    }
}

/// Whether an error is about one value or key alone.
fn of_one(error: &kv_core::Error) -> bool {
    matches!(error.kind(), ErrorKind::Serialization | ErrorKind::WrongType | ErrorKind::TooLarge)
}

/// Reads every value with the store's serializer.
pub(crate) async fn check(store: &Store) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    let json = store.serializer().name() == "json";
    for key in store.keys("*").await? {
        // `IgnoredAny` would not look into the texts of JSON.
        let read = match json {
            true => store.get::<Value>(&key).await.map(|found| found.is_some()),
            false => store.get::<IgnoredAny>(&key).await.map(|found| found.is_some()),
        };
        match read {
            Ok(there) => outcome.keys += usize::from(there),
            Err(error) if of_one(&error) => {
                outcome.keys += 1;
                outcome.refuse(&key, &error);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(outcome)
}

/// Writes each pickle again as JSON, with the lifetime that it has, and leaves JSON alone.
pub(crate) async fn convert(store: &Store) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    let old = store.clone().with_serializer(Serializer::custom(Pickle));
    let new = store.clone().with_serializer(Serializer::Json);
    for key in store.keys("*").await? {
        outcome.keys += 1;
        match old.get_versioned::<Plain>(&key).await {
            Ok(Some((Plain(value), version))) => {
                // A value that somebody wrote meanwhile is left alone.
                let options = SetOptions::new().ttl(Expiry::Keep);
                let options = options.condition(Condition::Version(version));
                outcome.written += usize::from(new.set_with(&key, &value, options).await?);
            }
            Ok(None) => outcome.keys -= 1,
            Err(error) if of_one(&error) => {
                if new.get::<Value>(&key).await.is_err() {
                    outcome.refuse(&key, &error);
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(outcome)
}

/// A value that JSON says without loss: no bytes, no NaN, no integer beyond 64 bits, and texts for
/// keys. Dates are texts already.
struct Plain(Value);

impl<'de> Deserialize<'de> for Plain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_any(PlainVisitor)
    }
}

struct PlainVisitor;

impl<'de> Visitor<'de> for PlainVisitor {
    type Value = Plain;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value that JSON can say")
    }

    fn visit_unit<E>(self) -> std::result::Result<Plain, E> {
        Ok(Plain(Value::Null))
    }

    fn visit_bool<E>(self, value: bool) -> std::result::Result<Plain, E> {
        Ok(Plain(value.into()))
    }

    fn visit_i64<E>(self, number: i64) -> std::result::Result<Plain, E> {
        Ok(Plain(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> std::result::Result<Plain, E> {
        Ok(Plain(number.into()))
    }

    fn visit_f64<E: Error>(self, number: f64) -> std::result::Result<Plain, E> {
        let number = Number::from_f64(number).ok_or_else(|| E::custom("no JSON"))?;
        Ok(Plain(number.into()))
    }

    fn visit_str<E>(self, text: &str) -> std::result::Result<Plain, E> {
        Ok(Plain(text.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> std::result::Result<Plain, A::Error> {
        let mut list = Vec::new();
        while let Some(Plain(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Plain(list.into()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> std::result::Result<Plain, A::Error> {
        let mut map = Map::new();
        while let Some((key, Plain(value))) = entries.next_entry()? {
            map.insert(key, value);
        }
        Ok(Plain(map.into()))
    }
}
