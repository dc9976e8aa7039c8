//! What the Python original left on a server: whether Rust reads it, and how pickles become JSON.
//!
//! ```text
//! cargo run -p kv-config --features pickle --example from_python -- check
//! cargo run -p kv-config --features pickle --example from_python -- convert
//! cargo run -p kv-config --features pickle --example from_python -- import QUEUE [--dry-run]
//! ```
//!
//! `check` reads every value under the prefix of the `OC_KV_STORE_*` variables and changes nothing. It
//! names the queues in which Python left jobs, and variables that mean another thing to Python.
//! `convert` writes each pickle of plain data again as JSON. `import` brings the jobs of one of
//! Python's queues into the queue of the same name. All name the keys whose values they cannot read
//! and end with 1 if there are any. `docs/MIGRATING-FROM-PYTHON.md` says when to run them.

use std::fmt;
use std::process::ExitCode;

use kv_core::{Condition, ErrorKind, Expiry, Result, Serializer, SetOptions, Store};
use kv_pickle::Pickle;
use kv_queue::Queue;
use kv_queue::python::{self, Imported, Mode};
use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments.as_slice() {
        ["check"] => {
            run(async |store| check_all(store, &|name| std::env::var(name).ok()).await).await
        }
        ["convert"] => run(async |store| told(&convert(store).await?)).await,
        ["import", name] => run(async |store| bring(store, name, Mode::Move).await).await,
        ["import", name, "--dry-run"] => {
            run(async |store| bring(store, name, Mode::DryRun).await).await
        }
        _ => {
            eprintln!("usage: from_python check | convert | import QUEUE [--dry-run]");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok((text, is_clean)) => {
            print!("{text}");
            ExitCode::from(u8::from(!is_clean))
        }
        Err(error) => {
            eprintln!("from_python: {error}");
            ExitCode::from(2)
        }
    }
}

/// What to print, and whether nothing was refused.
pub(crate) type Told = (String, bool);

async fn run(work: impl AsyncFnOnce(&Store) -> Result<Told>) -> Result<Told> {
    let store = kv_config::from_env().await?;
    let told = work(&store).await?;
    store.close().await?;
    Ok(told)
}

fn told(outcome: &Outcome) -> Result<Told> {
    Ok((outcome.to_string(), outcome.refused.is_empty()))
}

/// Checks the values, and what else of Python's a service in Rust would miss in silence.
pub(crate) async fn check_all(
    store: &Store,
    variable: &(dyn Fn(&str) -> Option<String> + Sync),
) -> Result<Told> {
    let mut outcome = check(store).await?;
    let set = |name: &str| variable(name).filter(|value| !value.is_empty());
    let mut notes = String::new();
    for (name, jobs) in python::queues(store).await? {
        notes += &format!("{name}: {jobs} jobs in Python's queue of this name, for `import`\n");
    }
    if let Some(ttl) = set("OC_KV_STORE_DEFAULT_TTL") {
        notes += &format!(
            "OC_KV_STORE_DEFAULT_TTL: Python on Redis ignores it; in Rust, what is written without a \
             lifetime expires after {ttl} s\n"
        );
    }
    if let (Some(id), None) = (set("OC_CONFIG_ID"), set("OC_KV_STORE_REDIS_KEY_PREFIX")) {
        let why = format!(
            "Python's keys begin with `{id}`, these with `{}`; set OC_KV_STORE_REDIS_KEY_PREFIX to it",
            store.prefix()
        );
        outcome.refused.push(("OC_CONFIG_ID".into(), why));
    }
    let (text, is_clean) = told(&outcome)?;
    Ok((notes + &text, is_clean))
}

/// Brings a queue's jobs over, as they are.
async fn bring(store: &Store, name: &str, mode: Mode) -> Result<Told> {
    let queue = Queue::<Value>::open(store, name.trim()).await?;
    let Imported { added, repeated, missing, refused, reasons, .. } =
        python::import(store, name, &queue, mode).await?;
    let mut text = String::new();
    for (key, why) in reasons {
        text += &format!("{key}: {why}\n");
    }
    text += &format!("added={added} repeated={repeated} missing={missing} refused={refused}\n");
    Ok((text, refused == 0))
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
