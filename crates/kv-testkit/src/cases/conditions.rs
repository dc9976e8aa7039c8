//! Writes that depend on what they find.

use kv_core::{Condition, Outcome, Version, Write};

use super::Tried;
use crate::failure::{ensure, ensure_eq};
use crate::{Failure, Trial};

fn when(condition: Condition) -> Write {
    Write::ALWAYS.condition(condition)
}

/// Fails unless a set under the condition is turned down, and the key left as it is.
async fn turned_down(t: &Trial<'_>, key: &str, condition: Condition) -> Result<(), Failure> {
    let before = t.value(key).await?;
    let outcome = t.try_write(key, "must not be stored", when(condition.clone())).await?;
    ensure_eq!(outcome, Outcome::ConditionFailed, "set {key:?} when {condition:?}");
    ensure_eq!(t.value(key).await?, before, "{key:?} after a set that failed");
    Ok(())
}

fn only(version: &Version) -> Condition {
    Condition::Version(version.clone())
}

pub(crate) async fn absent_writes_only_where_nothing_is(t: &Trial<'_>) -> Tried {
    t.write("k", "first", when(Condition::Absent)).await?;
    t.holds("k", Some("first")).await?;
    turned_down(t, "k", Condition::Absent).await?;
    t.store().delete("k", Condition::Always).await?;
    t.write("k", "second", when(Condition::Absent)).await?;
    t.put("empty", "").await?;
    turned_down(t, "empty", Condition::Absent).await
}

pub(crate) async fn present_writes_only_where_something_is(t: &Trial<'_>) -> Tried {
    turned_down(t, "k", Condition::Present).await?;
    ensure!(!t.store().exists("k").await?, "a set that failed created the key");
    t.put("k", "first").await?;
    t.write("k", "second", when(Condition::Present)).await?;
    t.holds("k", Some("second")).await
}

pub(crate) async fn a_version_matches_only_the_state_it_names(t: &Trial<'_>) -> Tried {
    t.put("k", "first").await?;
    let first = t.version("k").await?;
    t.write("k", "second", when(only(&first))).await?;
    t.holds("k", Some("second")).await?;
    turned_down(t, "k", only(&first)).await?;
    let second = t.version("k").await?;
    t.put("k", "third").await?;
    turned_down(t, "k", only(&second)).await?;
    turned_down(t, "missing", only(&second)).await
}

pub(crate) async fn a_version_matches_nothing_once_its_key_is_deleted(t: &Trial<'_>) -> Tried {
    t.put("k", "first").await?;
    let version = t.version("k").await?;
    t.store().delete("k", Condition::Always).await?;
    turned_down(t, "k", only(&version)).await?;
    t.put("k", "second").await?;
    turned_down(t, "k", only(&version)).await
}

pub(crate) async fn a_write_tells_the_version_that_the_next_read_gives(t: &Trial<'_>) -> Tried {
    let first = t.put("k", "first").await?;
    ensure_eq!(t.version("k").await?, first, "the version after a set");
    let second = t.write("k", "second", when(only(&first))).await?;
    t.write("k", "third", when(only(&second))).await?;
    let created = t.write("new", "v", when(Condition::Absent)).await?;
    ensure!(t.store().delete("new", only(&created)).await?, "delete under a set's version");
    Ok(())
}

pub(crate) async fn delete_checks_its_condition(t: &Trial<'_>) -> Tried {
    let store = t.store();
    let stale = t.put("k", "first").await?;
    let current = t.put("k", "second").await?;
    ensure!(!store.delete("k", only(&stale)).await?, "delete under a stale version");
    ensure!(!store.delete("k", Condition::Absent).await?, "delete of a key, if absent");
    t.holds("k", Some("second")).await?;
    ensure!(store.delete("k", only(&current)).await?, "delete under the current version");
    t.holds("k", None).await?;
    for condition in [Condition::Absent, Condition::Present, only(&current)] {
        let deleted = store.delete("k", condition.clone()).await?;
        ensure!(!deleted, "delete {condition:?} removed a missing key");
    }
    t.put("k", "third").await?;
    ensure!(store.delete("k", Condition::Present).await?, "delete of a key, if present");
    t.holds("k", None).await
}

pub(crate) async fn a_condition_that_fails_keeps_the_lifetime(t: &Trial<'_>) -> Tried {
    let stale = t.put("k", "old").await?;
    t.put_for("k", "v", 100).await?;
    turned_down(t, "k", Condition::Absent).await?;
    turned_down(t, "k", only(&stale)).await?;
    t.expires_in("k", Some(100)).await?;
    t.outlive(100);
    t.holds("k", None).await
}
