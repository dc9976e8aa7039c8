//! What a store says of itself, and what it does beside its plain verbs.

use std::time::Duration;

use kv_core::{Capabilities, Command, Condition, Durability, ErrorKind, Lifetime, Outcome, Write};
use tokio::task::JoinSet;

use super::Tried;
use crate::failure::{ensure, ensure_eq};
use crate::trial::{bytes, ms_of, refused};
use crate::{Trial, answer};

const NEVER: Lifetime = Lifetime::Never;

/// Fails unless the store counts so many keys, if it counts.
async fn counts(t: &Trial<'_>, keys: u64, when: &str) -> Tried {
    for number in 0..2 {
        if let Some(counted) = t.handle(number).stats().await?.keys {
            ensure_eq!(counted, keys, "keys, as the store counts them, {when}");
        }
    }
    Ok(())
}

pub(crate) async fn figures_follow_every_write(t: &Trial<'_>) -> Tried {
    counts(t, 0, "at the start").await?;
    for value in ["1", "2", "3"] {
        t.put("k", value).await?;
        t.store().set_many(vec![("many".into(), bytes(value))], NEVER).await?;
    }
    counts(t, 2, "after two keys were written three times").await?;
    t.store().get_many(&["k", "missing", "many"]).await?;
    t.store().delete("missing", Condition::Always).await?;
    counts(t, 2, "after reads, and a delete of nothing").await?;
    t.store().delete("k", Condition::Always).await?;
    t.store().delete("k", Condition::Always).await?;
    counts(t, 1, "after a delete and another").await?;
    t.store().delete_many(&["many", "many", "missing"]).await?;
    counts(t, 0, "after delete_many").await
}

/// Hits and misses only grow; a read adds to one of them.
pub(crate) async fn figures_tell_hits_from_misses(t: &Trial<'_>) -> Tried {
    t.put("k", "v").await?;
    let before = t.store().stats().await?;
    for _ in 0..3 {
        t.store().get("k").await?;
    }
    let hit = t.store().stats().await?;
    t.store().get("missing").await?;
    let missed = t.store().stats().await?;
    if let (Some(before), Some(hit)) = (before.hits, hit.hits) {
        ensure!(
            hit >= before + 3,
            "hits went from {before} to {hit} in three reads that found a value"
        );
    }
    if let (Some(hit), Some(missed)) = (hit.misses, missed.misses) {
        ensure!(missed > hit, "misses stayed at {missed} in a read that found none");
    }
    Ok(())
}

/// Earlier than any date on which a store can be asked: 2017-07-14.
const LONG_AGO: Duration = Duration::from_secs(1_500_000_000);

pub(crate) async fn the_stores_clock_tells_the_date(t: &Trial<'_>) -> Tried {
    let Ok(before) = t.store().now().await else { return Ok(()) };
    ensure!(before > LONG_AGO, "now is {before:?} since 1970: a clock counts from elsewhere");
    ensure_eq!(t.handle(1).now().await?, before, "now through another handle");
    t.advance(ms_of(1));
    let passed = t.store().now().await?.saturating_sub(before);
    ensure_eq!(passed, ms_of(1), "what the store's clock says has passed");
    Ok(())
}

pub(crate) async fn durability_is_declared_or_refused(t: &Trial<'_>) -> Tried {
    t.put("k", "1").await?;
    let wanted = Durability::replicas(0);
    if !t.declares(Capabilities::DURABILITY) {
        for key in ["k", "new"] {
            let result = t.store().set_durable(key, bytes("2"), Write::ALWAYS, wanted).await;
            refused(&format!("set_durable {key:?}"), result, &[ErrorKind::Unsupported])?;
        }
        t.holds("k", Some("1")).await?;
        return t.holds("new", None).await;
    }
    for (key, value) in [("k", "2"), ("new", "3")] {
        let written = t.store().set_durable(key, bytes(value), Write::ALWAYS, wanted).await?.0;
        t.holds(key, Some(value)).await?;
        let version = t.version(key).await?;
        ensure_eq!(written, Outcome::Written(version), "what set_durable {key:?} told");
    }
    let absent = Write::ALWAYS.condition(Condition::Absent);
    let outcome = t.store().set_durable("k", bytes("no"), absent, wanted).await?.0;
    ensure_eq!(outcome, Outcome::ConditionFailed, "set_durable \"k\", if absent");
    t.holds("k", Some("2")).await
}

/// Each of the keys is removed once, whoever asks for it.
pub(crate) async fn concurrent_deletes_of_many_count_each_key_once(t: &Trial<'_>) -> Tried {
    for round in 0..12 {
        let names: Vec<String> = (0..40).map(|number| format!("{round}:{number}")).collect();
        let pairs = names.iter().map(|name| (name.clone(), bytes("v")));
        t.store().set_many(pairs.collect(), NEVER).await?;
        let mut tasks = JoinSet::new();
        for task in 0..4 {
            let (store, names) = (t.handle(task).clone(), names.clone());
            tasks.spawn(async move {
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                store.delete_many(&names).await
            });
        }
        let mut deleted = 0;
        while let Some(count) = tasks.join_next().await {
            deleted += count??;
        }
        ensure_eq!(deleted, 40, "keys that 4 calls of delete_many say they removed, of 40");
    }
    Ok(())
}

/// Each command sees what those before it did.
pub(crate) async fn a_batch_reads_what_it_wrote(t: &Trial<'_>) -> Tried {
    let key = || "k".to_owned();
    let put = |value, condition| Command::Set {
        key: key(),
        value: bytes(value),
        write: Write::ALWAYS.condition(condition),
    };
    let add = |by| Command::Increment { key: key(), by, lifetime: NEVER };
    let delete = |condition| Command::Delete { key: key(), condition };
    let steps = vec![
        (put("1", Condition::Absent), "written true"),
        (put("2", Condition::Absent), "written false"),
        (add(41), "42"),
        (Command::Get { key: key() }, "Some(\"42\")"),
        (put("7", Condition::Present), "written true"),
        (add(-10), "-3"),
        (Command::Take { key: key() }, "Some(\"-3\")"),
        (Command::Get { key: key() }, "None"),
        (put("no", Condition::Present), "written false"),
        (delete(Condition::Present), "false"),
        (add(5), "5"),
        (Command::Exists { key: key() }, "true"),
        (delete(Condition::Present), "true"),
        (Command::Take { key: key() }, "None"),
        (put("end", Condition::Absent), "written true"),
    ];
    let (commands, expected): (Vec<Command>, Vec<&str>) = steps.into_iter().unzip();
    let replies: Vec<String> =
        t.store().execute(commands).await?.iter().map(answer::told).collect();
    ensure_eq!(replies, expected, "execute");
    t.holds("k", Some("end")).await
}

pub(crate) async fn an_error_of_what_is_stored_leaves_the_rest_of_a_batch(t: &Trial<'_>) -> Tried {
    t.put("text", "no number").await?;
    let put = |key: &str| Command::Set { key: key.into(), value: bytes("1"), write: Write::ALWAYS };
    let add = |key: &str| Command::Increment { key: key.into(), by: 1, lifetime: NEVER };
    let commands = vec![put("a"), add("text"), add("a"), put("b"), add("text"), add("b"), add("c")];
    let replies: Vec<String> =
        t.store().execute(commands).await?.iter().map(answer::told).collect();
    let expected = ["written true", "WrongType", "2", "written true", "WrongType", "2", "1"];
    ensure_eq!(replies, expected, "execute");
    for (key, value) in [("a", "2"), ("b", "2"), ("c", "1"), ("text", "no number")] {
        t.holds(key, Some(value)).await?;
    }
    Ok(())
}

pub(crate) async fn a_counter_is_created_with_any_number(t: &Trial<'_>) -> Tried {
    for by in [i64::MIN, i64::MIN + 1, -1, 0, 1, i64::MAX] {
        let key = format!("by {by}");
        ensure_eq!(t.store().increment(&key, by, NEVER).await?, by, "increment {key:?}");
        t.holds(&key, Some(&by.to_string())).await?;
        let add = Command::Increment { key: format!("batch {by}"), by, lifetime: NEVER };
        let told =
            answer::told(&crate::moves::run(t.store(), crate::moves::Route::Batch, add).await);
        ensure_eq!(told, by.to_string(), "increment by {by} in a batch");
    }
    Ok(())
}

pub(crate) async fn concurrent_increments_by_every_route_all_count(t: &Trial<'_>) -> Tried {
    let mut tasks = JoinSet::new();
    for task in 0..6 {
        let store = t.handle(task).clone();
        tasks.spawn(async move {
            for round in 0..40 {
                let key = "k".to_owned();
                let add = Command::Increment { key, by: 1, lifetime: NEVER };
                let routes = [crate::moves::Route::Single, crate::moves::Route::Batch];
                crate::moves::run(&store, routes[(task + round) % 2], add).await?;
            }
            Ok::<_, kv_core::Error>(())
        });
    }
    while let Some(task) = tasks.join_next().await {
        task??;
    }
    t.holds("k", Some("240")).await
}
