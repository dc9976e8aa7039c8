//! What a store has to refuse when it does not declare it.

use std::sync::{Arc, Weak};

use kv_core::{
    Capabilities, Command, Condition, Error, ErrorKind, Lifetime, Result, SetOptions, Version,
    Watcher, Write,
};
use tokio::task::JoinSet;

use crate::failure::{ensure, ensure_eq};
use crate::recorder::Deaf;
use crate::trial::{bytes, millis, ms_of, refused};
use crate::{Failure, Trial};

const TTL: &str = "time to live";
const CONDITIONS: &str = "conditions";
const COUNTERS: &str = "counters";
const WATCH: &str = "watch";

const ABILITIES: [(Capabilities, &str); 4] = [
    (Capabilities::TTL, TTL),
    (Capabilities::CONDITIONS, CONDITIONS),
    (Capabilities::COUNTERS, COUNTERS),
    (Capabilities::WATCH, WATCH),
];

/// What the store lacks of what is needed.
pub(crate) fn missing(t: &Trial<'_>, needed: Capabilities) -> Vec<&'static str> {
    let lacking = ABILITIES.iter().filter(|(one, _)| needed.contains(*one) && !t.declares(*one));
    lacking.map(|(_, name)| *name).collect()
}

/// Fails unless each of these abilities is refused by every verb, alone, in a batch and through
/// the typed store, and nothing is changed.
pub(crate) async fn check(t: &Trial<'_>, missing: &[&str]) -> Result<(), Failure> {
    for ability in missing {
        let checked = match *ability {
            TTL => lifetimes(t).await,
            CONDITIONS => conditions(t).await,
            COUNTERS => counters(t).await,
            WATCH => watch(t),
            _ => Ok(()),
        };
        checked.map_err(|failure| failure.during(ability))?;
    }
    Ok(())
}

#[track_caller]
fn unsupported<T>(what: &str, result: Result<T>) -> Result<Error, Failure> {
    refused(what, result, &[ErrorKind::Unsupported])
}

/// Fails unless each command is refused, in a batch that does the rest.
async fn unsupported_in_a_batch(t: &Trial<'_>, commands: Vec<Command>) -> Result<(), Failure> {
    let asked = commands.len();
    let names: Vec<&str> = commands.iter().map(Command::name).collect();
    let replies = t.store().execute(commands.clone()).await?;
    ensure_eq!(replies.len(), asked, "replies to {asked} commands");
    for (name, reply) in names.into_iter().zip(replies) {
        unsupported(&format!("{name} in a batch"), reply)?;
    }
    Ok(())
}

async fn lifetimes(t: &Trial<'_>) -> Result<(), Failure> {
    let (store, typed, lifetime) = (t.store(), t.typed(), millis(50));
    let write = Write::ALWAYS.lifetime(lifetime);
    t.put("k", "1").await?;
    for key in ["k", "new"] {
        unsupported("set", t.try_write(key, "2", write.clone()).await)?;
        unsupported("set_many", store.set_many(vec![(key.into(), bytes("2"))], lifetime).await)?;
        let set = Command::Set { key: key.into(), value: bytes("2"), write: write.clone() };
        unsupported_in_a_batch(t, vec![set]).await?;
        unsupported("Store::touch", typed.touch(key, ms_of(50)).await)?;
        let options = SetOptions::new().ttl(ms_of(50));
        unsupported("Store::set_with", typed.set_with(key, &2, options).await)?;
        let by_default = typed.clone().with_default_ttl(ms_of(50));
        unsupported("Store::set with a default", by_default.set(key, &2).await)?;
        unsupported("Store::set_many", typed.set_many([(key, 2)], ms_of(50)).await)?;
        unsupported("Store::increment", typed.increment(key, 1, ms_of(50)).await)?;
    }
    unsupported("touch", store.touch("k", lifetime).await)?;
    unsupported("increment", store.increment("new", 1, lifetime).await)?;
    let increment = Command::Increment { key: "new".into(), by: 1, lifetime };
    unsupported_in_a_batch(t, vec![increment]).await?;
    unsupported_in_a_batch(t, vec![Command::Touch { key: "k".into(), lifetime }]).await?;
    unchanged(t).await
}

async fn conditions(t: &Trial<'_>) -> Result<(), Failure> {
    let (store, typed) = (t.store(), t.typed());
    t.put("k", "1").await?;
    let any = Version::from_number(1);
    for condition in [Condition::Absent, Condition::Present, Condition::Version(any)] {
        let write = Write::ALWAYS.condition(condition.clone());
        for key in ["k", "new"] {
            unsupported("set", t.try_write(key, "2", write.clone()).await)?;
            unsupported("delete", store.delete(key, condition.clone()).await)?;
            let set = Command::Set { key: key.into(), value: bytes("2"), write: write.clone() };
            let delete = Command::Delete { key: key.into(), condition: condition.clone() };
            unsupported_in_a_batch(t, vec![set, delete]).await?;
            let options = SetOptions::new().condition(condition.clone());
            unsupported("Store::set_with", typed.set_with(key, &2, options).await)?;
        }
    }
    unsupported(
        "Store::set_if_absent",
        typed.set_if_absent("new", &2, kv_core::Expiry::Never).await,
    )?;
    unsupported("Store::update", typed.update::<i32>("k", |_| None).await)?;
    unsupported("Store::take", typed.take::<i32>("k").await)?;
    unchanged(t).await?;
    take_is_refused_or_right(t).await
}

/// A store may have a take of its own without conditions.
async fn take_is_refused_or_right(t: &Trial<'_>) -> Result<(), Failure> {
    match t.store().take("k").await {
        Err(error) => ensure_eq!(error.kind(), ErrorKind::Unsupported, "take \"k\""),
        Ok(taken) => {
            ensure_eq!(taken.map(|entry| entry.value), Some(bytes("1")), "take \"k\"");
            return t.holds("k", None).await;
        }
    }
    unsupported_in_a_batch(t, vec![Command::Take { key: "k".into() }]).await?;
    unchanged(t).await
}

async fn counters(t: &Trial<'_>) -> Result<(), Failure> {
    let (typed, never) = (t.typed(), kv_core::Expiry::Never);
    unsupported("Store::increment", typed.increment("n", 1, never).await)?;
    unsupported("Store::counter", typed.counter("n").await)?;
    unsupported("Store::pipeline", typed.pipeline().increment("n", 1, never).execute().await)?;
    if t.declares(Capabilities::CONDITIONS) {
        // Then the provided increment is built from them, and right.
        return increment_is_refused_or_right(t).await;
    }
    t.put("k", "1").await?;
    unsupported("increment", t.store().increment("k", 1, Lifetime::Never).await)?;
    let increment = Command::Increment { key: "k".into(), by: 1, lifetime: Lifetime::Never };
    unsupported_in_a_batch(t, vec![increment]).await?;
    unchanged(t).await
}

/// A store without counters may count all the same, if nothing is lost.
async fn increment_is_refused_or_right(t: &Trial<'_>) -> Result<(), Failure> {
    if let Err(error) = t.store().increment("n", 1, Lifetime::Never).await {
        ensure_eq!(error.kind(), ErrorKind::Unsupported, "increment");
        return Ok(());
    }
    let mut tasks = JoinSet::new();
    for task in 0..4 {
        let store = Arc::clone(t.handle(task));
        tasks.spawn(async move {
            for _ in 0..25 {
                store.increment("n", 1, Lifetime::Never).await?;
            }
            Ok::<_, Error>(())
        });
    }
    while let Some(task) = tasks.join_next().await {
        task??;
    }
    t.holds("n", Some("101")).await
}

fn watch(t: &Trial<'_>) -> Result<(), Failure> {
    let watcher: Weak<dyn Watcher> = Weak::<Deaf>::new();
    unsupported("watch", t.store().watch("", watcher))?;
    unsupported("Store::watch", t.typed().watch(""))?;
    Ok(())
}

async fn unchanged(t: &Trial<'_>) -> Result<(), Failure> {
    t.holds("k", Some("1")).await?;
    t.expires_in("k", None).await?;
    ensure!(!t.store().exists("new").await?, "a refused write created a key");
    Ok(())
}
