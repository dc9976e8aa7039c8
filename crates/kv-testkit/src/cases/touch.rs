//! Another lifetime for what is there.

use std::time::Duration;

use kv_core::{Command, ErrorKind, Lifetime, MAX_LIFETIME, Remaining};

use super::Tried;
use crate::Trial;
use crate::failure::{ensure, ensure_eq};
use crate::trial::{millis, ms_of, refused};

pub(crate) async fn touch_changes_the_lifetime_and_not_the_value(t: &Trial<'_>) -> Tried {
    t.put_for("k", "v", 50).await?;
    for (lifetime, left) in [(millis(500), Some(500)), (millis(20), Some(20))] {
        ensure!(t.store().touch("k", lifetime).await?, "touch of a key said false");
        t.expires_in("k", left).await?;
    }
    ensure!(t.store().touch("k", Lifetime::Never).await?, "touch of a key said false");
    t.expires_in("k", None).await?;
    t.advance(ms_of(1_000));
    t.holds("k", Some("v")).await?;
    t.store().touch("k", millis(30)).await?;
    t.outlive(30);
    t.holds("k", None).await
}

pub(crate) async fn touch_with_keep_changes_nothing(t: &Trial<'_>) -> Tried {
    t.put_for("k", "v", 50).await?;
    t.put("forever", "v").await?;
    t.advance(ms_of(10));
    for (key, left) in [("k", Some(40)), ("forever", None)] {
        ensure!(t.store().touch(key, Lifetime::Keep).await?, "touch of a key said false");
        t.expires_in(key, left).await?;
        t.holds(key, Some("v")).await?;
    }
    Ok(())
}

pub(crate) async fn touch_of_a_missing_key_is_false(t: &Trial<'_>) -> Tried {
    for lifetime in [millis(50), Lifetime::Never, Lifetime::Keep] {
        ensure!(!t.store().touch("missing", lifetime).await?, "touch {lifetime:?} said true");
        ensure!(!t.store().exists("missing").await?, "touch {lifetime:?} created the key");
    }
    Ok(())
}

pub(crate) async fn touch_refuses_a_zero_lifetime(t: &Trial<'_>) -> Tried {
    let zero = Lifetime::In(Duration::ZERO);
    t.put_for("k", "v", 500).await?;
    for key in ["k", "missing"] {
        refused("touch", t.store().touch(key, zero).await, &[ErrorKind::InvalidTtl])?;
        let touch = Command::Touch { key: key.to_owned(), lifetime: zero };
        let mut replies = t.store().execute(vec![touch]).await?;
        ensure_eq!(replies.len(), 1, "replies to one command");
        refused("execute", replies.remove(0), &[ErrorKind::InvalidTtl])?;
    }
    t.holds("k", Some("v")).await?;
    t.expires_in("k", Some(500)).await
}

pub(crate) async fn touch_clamps_a_huge_lifetime(t: &Trial<'_>) -> Tried {
    t.put("k", "v").await?;
    ensure!(t.store().touch("k", Lifetime::In(Duration::MAX)).await?, "touch said false");
    let left = t.store().ttl("k").await?;
    ensure_eq!(left, Some(Remaining::Expires(MAX_LIFETIME)), "ttl");
    t.holds("k", Some("v")).await
}
