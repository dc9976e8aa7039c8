//! Many at once on one key, through every handle.

use std::collections::BTreeMap;
use std::sync::Arc;

use kv_core::{Bytes, Condition, Entry, KeyValueStore, Outcome, Result, Version, Write};
use tokio::task::{JoinSet, yield_now};

use super::Tried;
use crate::failure::{ensure, ensure_eq};
use crate::trial::bytes;
use crate::{Failure, Trial};

const TASKS: usize = 8;
const ROUNDS: usize = 40;

/// How often an update must have lost against another one, before a store that answers in less time
/// than threads need to meet counts as tried.
const ENOUGH: usize = 32;

/// The most rounds of a task for that: it begins with few, and doubles them.
const MOST_ROUNDS: usize = 20_480;

pub(crate) async fn one_of_many_concurrent_creations_wins(t: &Trial<'_>) -> Tried {
    for round in 0..ROUNDS {
        let key = format!("k{round}");
        let mut tasks = JoinSet::new();
        for task in 0..TASKS {
            let (store, key, value) = (Arc::clone(t.handle(task)), key.clone(), task.to_string());
            tasks.spawn(async move {
                let write = Write::ALWAYS.condition(Condition::Absent);
                let outcome = store.set(&key, bytes(&value), write).await?;
                Ok::<_, kv_core::Error>(outcome.is_written().then_some(value))
            });
        }
        let mut winners = Vec::new();
        while let Some(winner) = tasks.join_next().await {
            winners.extend(winner??);
        }
        ensure!(winners.len() == 1, "{} of {TASKS} creations won, expected one", winners.len());
        t.holds(&key, winners.first().map(String::as_str)).await?;
    }
    Ok(())
}

/// Adds one to a number by conditional writes alone, until it succeeds. Answers how often it lost
/// against others.
async fn add_one(store: &Arc<dyn KeyValueStore>, rounds: usize) -> Result<usize, Failure> {
    // Each attempt that fails means that another task's succeeded.
    for lost in 0..=TASKS * rounds {
        let (number, condition) = match store.get("k").await? {
            None => (0, Condition::Absent),
            Some(entry) => (number(&entry.value)?, Condition::Version(entry.version)),
        };
        let write = Write::ALWAYS.condition(condition);
        if store.set("k", bytes(&(number + 1).to_string()), write).await?.is_written() {
            return Ok(lost);
        }
    }
    Err(Failure::new("set \"k\": no condition was met, although others wrote less often than that"))
}

fn number(value: &[u8]) -> Result<usize, Failure> {
    let number = str::from_utf8(value).ok().and_then(|text| text.parse().ok());
    number.ok_or_else(|| Failure::new("a number came back as something else"))
}

pub(crate) async fn concurrent_compare_and_set_loses_no_update(t: &Trial<'_>) -> Tried {
    let (mut rounds, mut added, mut lost) = (ROUNDS, 0, 0);
    while lost < ENOUGH && rounds <= MOST_ROUNDS {
        let mut tasks = JoinSet::new();
        for task in 0..TASKS {
            let store = Arc::clone(t.handle(task));
            tasks.spawn(async move {
                let mut lost = 0;
                for _ in 0..rounds {
                    lost += add_one(&store, rounds).await?;
                }
                Ok::<_, Failure>(lost)
            });
        }
        while let Some(task) = tasks.join_next().await {
            lost += task??;
        }
        added += TASKS * rounds;
        let sum = number(&t.value("k").await?.unwrap_or_default())?;
        ensure_eq!(sum, added, "the sum of all updates");
        rounds *= 2;
    }
    Ok(())
}

/// Every value is written once, so each read must show the version that its write told.
pub(crate) async fn a_value_and_its_version_belong_together(t: &Trial<'_>) -> Tried {
    let (mut writers, mut readers) = (JoinSet::new(), JoinSet::new());
    for writer in 0..2 {
        writers.spawn(write(Arc::clone(t.handle(writer)), writer));
        readers.spawn(read(Arc::clone(t.handle(writer))));
    }
    let mut written = BTreeMap::new();
    while let Some(writes) = writers.join_next().await {
        written.extend(writes??);
    }
    while let Some(entries) = readers.join_next().await {
        for Entry { value, version } in entries?? {
            ensure_eq!(Some(&version), written.get(&value), "the version beside {value:?}");
        }
    }
    Ok(())
}

async fn write(store: Arc<dyn KeyValueStore>, writer: usize) -> Result<Vec<(Bytes, Version)>> {
    let mut written = Vec::new();
    for round in 0..5 * ROUNDS {
        let value = bytes(&format!("{writer}:{round}"));
        if let Outcome::Written(version) = store.set("k", value.clone(), Write::ALWAYS).await? {
            written.push((value, version));
        }
        yield_now().await;
    }
    Ok(written)
}

async fn read(store: Arc<dyn KeyValueStore>) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for _ in 0..5 * ROUNDS {
        entries.extend(store.get("k").await?);
        yield_now().await;
    }
    Ok(entries)
}
