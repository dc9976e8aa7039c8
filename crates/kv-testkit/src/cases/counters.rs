//! Integers that many add to.

use std::sync::Arc;
use std::time::Duration;

use kv_core::{Command, Condition, ErrorKind, Lifetime, MAX_LIFETIME, Outcome, Remaining, Write};
use tokio::task::JoinSet;

use super::Tried;
use crate::failure::{ensure, ensure_eq};
use crate::trial::{millis, ms_of, refused};
use crate::{Failure, Trial};

const NEVER: Lifetime = Lifetime::Never;

pub(crate) async fn a_counter_starts_at_zero_and_is_decimal_text(t: &Trial<'_>) -> Tried {
    for (by, sum) in
        [(5, 5), (0, 5), (-15, -10), (10, 0), (9_007_199_254_740_993, 9_007_199_254_740_993)]
    {
        ensure_eq!(t.store().increment("k", by, NEVER).await?, sum, "increment by {by}");
        t.holds("k", Some(&sum.to_string())).await?;
    }
    ensure_eq!(t.store().increment("zero", 0, NEVER).await?, 0, "increment by 0");
    t.holds("zero", Some("0")).await?;
    t.expires_in("k", None).await
}

pub(crate) async fn an_increment_counts_on_from_a_number_that_was_set(t: &Trial<'_>) -> Tried {
    let most = i64::MAX - 1;
    for (set, by, sum) in
        [(41, 1, 42), (-3, 1, -2), (most, 1, i64::MAX), (i64::MIN, 1, i64::MIN + 1)]
    {
        t.put("k", &set.to_string()).await?;
        ensure_eq!(t.store().increment("k", by, NEVER).await?, sum, "increment of {set}");
        t.holds("k", Some(&sum.to_string())).await?;
    }
    Ok(())
}

/// Fails unless an increment, single and in a batch, is refused and the value stays.
async fn wrong_type(t: &Trial<'_>, value: &str, by: i64) -> Result<(), Failure> {
    t.put("k", value).await?;
    let what = format!("increment of {value:?} by {by}");
    refused(&what, t.store().increment("k", by, NEVER).await, &[ErrorKind::WrongType])?;
    t.holds("k", Some(value)).await?;
    let increment = Command::Increment { key: "k".to_owned(), by, lifetime: NEVER };
    let mut replies = t.store().execute(vec![increment]).await?;
    ensure_eq!(replies.len(), 1, "replies to one command");
    refused(&what, replies.remove(0), &[ErrorKind::WrongType])?;
    t.holds("k", Some(value)).await
}

pub(crate) async fn an_increment_of_text_is_wrong_type_and_changes_nothing(t: &Trial<'_>) -> Tried {
    let texts =
        ["", "text", "1.5", "1e3", " 1", "1 ", "+1", "01", "-0", "-", "0x1", "9223372036854775808"];
    for text in texts {
        wrong_type(t, text, 1).await?;
    }
    Ok(())
}

pub(crate) async fn an_increment_that_overflows_is_wrong_type_and_changes_nothing(
    t: &Trial<'_>,
) -> Tried {
    wrong_type(t, &i64::MAX.to_string(), 1).await?;
    wrong_type(t, &i64::MIN.to_string(), -1).await?;
    wrong_type(t, "1", i64::MAX).await?;
    wrong_type(t, "-1", i64::MIN).await
}

pub(crate) async fn each_of_many_concurrent_increments_counts(t: &Trial<'_>) -> Tried {
    let (tasks, rounds) = (8, 50);
    let mut running = JoinSet::new();
    for task in 0..tasks {
        let store = Arc::clone(t.handle(task));
        running.spawn(async move {
            for _ in 0..rounds {
                store.increment("k", 1, NEVER).await?;
            }
            Ok::<_, kv_core::Error>(())
        });
    }
    while let Some(task) = running.join_next().await {
        task??;
    }
    let sum = t.store().increment("k", 0, NEVER).await?;
    ensure_eq!(usize::try_from(sum), Ok(tasks * rounds), "the sum");
    Ok(())
}

pub(crate) async fn the_lifetime_of_an_increment_applies_on_creation_only(t: &Trial<'_>) -> Tried {
    t.store().increment("k", 1, millis(100)).await?;
    t.expires_in("k", Some(100)).await?;
    t.advance(ms_of(60));
    for lifetime in [millis(500), NEVER, Lifetime::Keep] {
        t.store().increment("k", 1, lifetime).await?;
        t.expires_in("k", Some(40)).await?;
    }
    t.outlive(40);
    t.holds("k", None).await?;
    t.put("forever", "1").await?;
    t.store().increment("forever", 1, millis(50)).await?;
    t.expires_in("forever", None).await?;
    t.store().increment("kept", 1, Lifetime::Keep).await?;
    t.expires_in("kept", None).await
}

pub(crate) async fn an_increment_refuses_a_zero_lifetime(t: &Trial<'_>) -> Tried {
    let zero = Lifetime::In(Duration::ZERO);
    t.put("k", "5").await?;
    for key in ["k", "missing"] {
        refused("increment", t.store().increment(key, 1, zero).await, &[ErrorKind::InvalidTtl])?;
        let increment = Command::Increment { key: key.to_owned(), by: 1, lifetime: zero };
        let mut replies = t.store().execute(vec![increment]).await?;
        ensure_eq!(replies.len(), 1, "replies to one command");
        refused("execute", replies.remove(0), &[ErrorKind::InvalidTtl])?;
    }
    t.holds("k", Some("5")).await?;
    ensure!(!t.store().exists("missing").await?, "a refused increment created the key");
    Ok(())
}

pub(crate) async fn an_increment_clamps_a_huge_lifetime(t: &Trial<'_>) -> Tried {
    t.store().increment("k", 1, Lifetime::In(Duration::MAX)).await?;
    let left = t.store().ttl("k").await?;
    ensure_eq!(left, Some(Remaining::Expires(MAX_LIFETIME)), "ttl");
    t.holds("k", Some("1")).await
}

pub(crate) async fn an_increment_changes_the_version(t: &Trial<'_>) -> Tried {
    t.store().increment("k", 1, NEVER).await?;
    let version = t.version("k").await?;
    t.store().increment("k", 1, NEVER).await?;
    let write = Write::ALWAYS.condition(Condition::Version(version));
    ensure_eq!(t.try_write("k", "9", write).await?, Outcome::ConditionFailed, "a stale version");
    t.holds("k", Some("2")).await
}
