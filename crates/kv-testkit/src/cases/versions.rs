//! The version of a key is the same, however it is read, and another, however it is written.

use std::sync::Arc;

use kv_core::{Command, Condition, KeyValueStore, Lifetime, Outcome, Reply, Version, Write};

use super::Tried;
use crate::failure::{ensure, ensure_eq};
use crate::moves::{Move, OLD, Route, Start, Verb, When};
use crate::trial::millis;
use crate::{Failure, Trial};

use Route::{Batch, Many, Single};
use Verb::{Increment, Set, Touch};
use When::{Absent, Always, Present};

const NEVER: Lifetime = Lifetime::Never;
const KEEP: Lifetime = Lifetime::Keep;

/// Calls that put something else under a key than [`OLD`].
const WRITES: &[Move] = &[
    Move(Set(NEVER, Always), Single),
    Move(Set(NEVER, Always), Many),
    Move(Set(NEVER, Always), Batch),
    Move(Set(KEEP, Always), Single),
    Move(Set(KEEP, Always), Many),
    Move(Set(KEEP, Always), Batch),
    Move(Set(millis(500), Always), Single),
    Move(Set(millis(500), Always), Many),
    Move(Set(millis(500), Always), Batch),
    Move(Set(NEVER, Present), Single),
    Move(Set(KEEP, Present), Batch),
    Move(Set(NEVER, When::Version), Single),
    Move(Set(KEEP, When::Version), Batch),
    Move(Increment(KEEP), Single),
    Move(Increment(KEEP), Batch),
];

/// Calls after which a version must be known too.
const OTHERS: &[Move] = &[
    Move(Touch(millis(500)), Single),
    Move(Touch(NEVER), Batch),
    Move(Set(NEVER, Absent), Single),
    Move(Verb::Get, Single),
];

fn only(version: &Version) -> Write {
    Write::ALWAYS.condition(Condition::Version(version.clone()))
}

/// The version by every way to read, each with its name.
async fn readings(
    store: &Arc<dyn KeyValueStore>,
    key: &str,
) -> Result<Vec<(&'static str, Option<Version>)>, Failure> {
    let version = |entry: Option<kv_core::Entry>| entry.map(|entry| entry.version);
    let mut readings = vec![("get", version(store.get(key).await?))];
    let mut many = store.get_many(&["left", key, "missing", "right", key]).await?;
    ensure_eq!(many.len(), 5, "answers of get_many to 5 keys");
    readings.push(("get_many, the last", version(many.pop().flatten())));
    readings.push(("get_many, in the middle", version(many.swap_remove(1))));
    let get = |key: &str| Command::Get { key: key.to_owned() };
    let replies = store.execute(vec![get("left"), get(key), get("right")]).await?;
    for reply in replies.into_iter().skip(1).take(1) {
        if let Reply::Entry(entry) = reply? {
            readings.push(("a get in a batch", version(entry)));
        }
    }
    if let Some(at_hand) = store.get_now(key) {
        readings.push(("get_now", version(at_hand?)));
    }
    Ok(readings)
}

pub(crate) async fn every_way_to_read_gives_the_same_version(t: &Trial<'_>) -> Tried {
    t.put("left", "another").await?;
    t.put("right", "a third").await?;
    for (number, call) in WRITES.iter().chain(OTHERS).filter(|call| t.offers(**call)).enumerate() {
        let key = format!("{call:?}");
        let start = t.begin(&key, Start::Forever).await?;
        let reply = call.run(t.handle(number), &key, "100", &start).await?;
        let version = t.version(&key).await?;
        if let Reply::Outcome(Outcome::Written(told)) = reply {
            ensure_eq!(told, version, "the version that {call:?} told");
        }
        for store in [t.handle(0), t.handle(1)] {
            for (reading, found) in readings(store, &key).await? {
                ensure_eq!(found.as_ref(), Some(&version), "{reading} of {key:?}: the version");
            }
        }
    }
    Ok(())
}

pub(crate) async fn a_version_by_every_way_to_read_is_a_condition(t: &Trial<'_>) -> Tried {
    t.put("left", "another").await?;
    t.put("right", "a third").await?;
    t.put("k", "first").await?;
    let ways = readings(t.store(), "k").await?.len();
    for way in 0..ways {
        let readings = readings(t.handle(way), "k").await?;
        let Some((reading, Some(version))) = readings.get(way).cloned() else {
            return Err(Failure::new("get \"k\": the key was set, but one way to read misses it"));
        };
        let outcome = t.try_write("k", &format!("after {reading}"), only(&version)).await?;
        ensure!(outcome.is_written(), "set \"k\" under the version of {reading} was not done");
    }
    let version = t.version("k").await?;
    let taken = t.store().take("k").await?.map(|entry| entry.version);
    ensure_eq!(taken, Some(version), "the version of what was taken");
    Ok(())
}

pub(crate) async fn every_way_to_write_ends_the_version_before(t: &Trial<'_>) -> Tried {
    for (number, call) in WRITES.iter().filter(|call| t.offers(**call)).enumerate() {
        let key = format!("{call:?}");
        let start = t.begin(&key, Start::Forever).await?;
        call.run(t.handle(number), &key, "100", &start).await?;
        let outcome = t.try_write(&key, "late", only(&start)).await?;
        ensure!(!outcome.is_written(), "set {key:?} under the version before {call:?} was done");
        let deleted = t.store().delete(&key, Condition::Version(start.clone())).await?;
        ensure!(!deleted, "delete {key:?} under the version before {call:?} said true");
        if start.as_number().is_none() {
            continue;
        }
        t.put(&key, OLD).await?;
        let outcome = t.try_write(&key, "late", only(&start)).await?;
        ensure!(!outcome.is_written(), "{key:?} got a numbered version back with its value");
    }
    Ok(())
}

/// The writes of all handles are numbered, if they are, as those of one.
pub(crate) async fn no_two_writes_of_a_key_have_one_version(t: &Trial<'_>) -> Tried {
    let mut versions: Vec<Version> = Vec::new();
    for number in 0..24 {
        let store = t.handle(number / 3);
        let value = kv_core::Bytes::from(format!("value {number}"));
        if number % 5 == 4 {
            store.delete("k", Condition::Always).await?;
        }
        if let Outcome::Written(version) = store.set("k", value, Write::ALWAYS).await? {
            ensure!(
                !versions.contains(&version),
                "write {number} of \"k\" has an older one's version"
            );
            versions.push(version);
        }
    }
    ensure_eq!(versions.len(), 24, "writes that were done");
    Ok(())
}
