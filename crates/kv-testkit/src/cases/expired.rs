//! A key whose time has ended is invisible to every verb, swept or not.

use kv_core::{Command, Condition, Lifetime, Outcome, Reply, Write};

use super::Tried;
use crate::failure::{ensure, ensure_eq};
use crate::trial::{millis, ms_of};
use crate::{Failure, Trial};

/// Keys that expired just now, beside one that lives.
async fn expired(t: &Trial<'_>, keys: &[&str]) -> Result<(), Failure> {
    t.put("alive", "v").await?;
    for key in keys {
        t.put_for(key, "old", 50).await?;
    }
    t.outlive(50);
    Ok(())
}

pub(crate) async fn a_key_is_there_until_its_last_millisecond(t: &Trial<'_>) -> Tried {
    t.put_for("k", "v", 50).await?;
    t.advance(ms_of(49));
    t.holds("k", Some("v")).await?;
    ensure!(t.store().exists("k").await?, "exists, one millisecond before the end");
    ensure_eq!(t.scanned("*").await?, ["k"], "scan, one millisecond before the end");
    t.expires_in("k", Some(1)).await?;
    t.outlive(1);
    t.holds("k", None).await
}

pub(crate) async fn an_expired_key_is_invisible_to_reads(t: &Trial<'_>) -> Tried {
    expired(t, &["a", "b", "c", "d", "e"]).await?;
    let store = t.store();
    if let Some(at_hand) = store.get_now("a") {
        ensure_eq!(at_hand?, None, "get_now");
    }
    t.holds("b", None).await?;
    ensure!(!store.exists("c").await?, "exists: an expired key is there");
    ensure_eq!(store.ttl("d").await?, None, "ttl");
    let found = store.get_many(&["e", "alive", "a"]).await?;
    let found: Vec<bool> = found.iter().map(Option::is_some).collect();
    ensure_eq!(found, [false, true, false], "get_many");
    Ok(())
}

pub(crate) async fn an_expired_key_is_invisible_to_scans(t: &Trial<'_>) -> Tried {
    expired(t, &["a", "b"]).await?;
    ensure_eq!(t.scanned("*").await?, ["alive"], "scan");
    Ok(())
}

pub(crate) async fn an_expired_key_is_invisible_to_deletes(t: &Trial<'_>) -> Tried {
    expired(t, &["a", "b", "c"]).await?;
    ensure!(!t.store().delete("a", Condition::Always).await?, "delete said true");
    ensure_eq!(t.store().delete_many(&["b", "alive", "c"]).await?, 1, "delete_many");
    Ok(())
}

pub(crate) async fn an_expired_key_is_invisible_to_batches(t: &Trial<'_>) -> Tried {
    expired(t, &["a", "b", "c", "d"]).await?;
    let key = |key: &str| key.to_owned();
    let commands = vec![
        Command::Get { key: key("a") },
        Command::Exists { key: key("b") },
        Command::Ttl { key: key("c") },
        Command::Delete { key: key("d"), condition: Condition::Always },
    ];
    let replies = t.store().execute(commands).await?;
    let replies = replies.into_iter().collect::<kv_core::Result<Vec<_>>>()?;
    let no = Reply::Flag(false);
    let expected = [Reply::Entry(None), no.clone(), Reply::Remaining(None), no];
    ensure_eq!(replies, expected, "execute");
    Ok(())
}

pub(crate) async fn an_expired_key_is_invisible_to_take(t: &Trial<'_>) -> Tried {
    expired(t, &["k"]).await?;
    ensure_eq!(t.store().take("k").await?, None, "take");
    Ok(())
}

pub(crate) async fn an_expired_key_is_invisible_to_touch(t: &Trial<'_>) -> Tried {
    expired(t, &["a", "b", "c"]).await?;
    for (key, lifetime) in [("a", millis(500)), ("b", Lifetime::Never), ("c", Lifetime::Keep)] {
        ensure!(!t.store().touch(key, lifetime).await?, "touch {lifetime:?} found an expired key");
        t.holds(key, None).await?;
    }
    Ok(())
}

pub(crate) async fn an_expired_key_is_absent_for_conditions(t: &Trial<'_>) -> Tried {
    t.put_for("a", "old", 50).await?;
    t.put_for("b", "old", 50).await?;
    t.put_for("c", "old", 50).await?;
    let version = t.version("c").await?;
    t.outlive(50);
    t.write("a", "new", Write::ALWAYS.condition(Condition::Absent)).await?;
    t.holds("a", Some("new")).await?;
    t.expires_in("a", None).await?;
    for (key, condition) in [("b", Condition::Present), ("c", Condition::Version(version))] {
        let deleted = t.store().delete(key, condition.clone()).await?;
        ensure!(!deleted, "delete {condition:?} met an expired key");
        let outcome = t.try_write(key, "new", Write::ALWAYS.condition(condition.clone())).await?;
        ensure_eq!(outcome, Outcome::ConditionFailed, "set {condition:?} of an expired key");
        t.holds(key, None).await?;
    }
    Ok(())
}

pub(crate) async fn an_expired_counter_starts_anew(t: &Trial<'_>) -> Tried {
    for (key, lifetime, left) in [("a", millis(80), Some(80)), ("b", Lifetime::Never, None)] {
        t.store().increment(key, 41, millis(50)).await?;
        t.outlive(50);
        ensure_eq!(t.store().increment(key, 1, lifetime).await?, 1, "increment after the end");
        t.expires_in(key, left).await?;
    }
    Ok(())
}
