//! How long a key lives.

use std::time::Duration;

use kv_core::{ErrorKind, Lifetime, MAX_LIFETIME, Remaining, Write};

use super::Tried;
use crate::Trial;
use crate::failure::{ensure, ensure_eq};
use crate::trial::{bytes, millis, ms_of, refused};

pub(crate) async fn set_clears_the_lifetime(t: &Trial<'_>) -> Tried {
    t.put_for("k", "old", 100).await?;
    t.put("k", "new").await?;
    t.expires_in("k", None).await?;
    t.advance(ms_of(1_000));
    t.holds("k", Some("new")).await
}

pub(crate) async fn keep_keeps_the_lifetime(t: &Trial<'_>) -> Tried {
    t.put_for("k", "old", 100).await?;
    t.put("forever", "old").await?;
    t.advance(ms_of(40));
    for key in ["k", "forever"] {
        t.write(key, "new", Write::ALWAYS.lifetime(Lifetime::Keep)).await?;
        t.holds(key, Some("new")).await?;
    }
    t.expires_in("k", Some(60)).await?;
    t.expires_in("forever", None).await?;
    t.outlive(60);
    t.holds("k", None).await?;
    t.holds("forever", Some("new")).await
}

pub(crate) async fn keep_on_a_new_key_never_expires(t: &Trial<'_>) -> Tried {
    t.write("k", "v", Write::ALWAYS.lifetime(Lifetime::Keep)).await?;
    t.expires_in("k", None).await?;
    t.holds("k", Some("v")).await
}

pub(crate) async fn an_expired_key_leaves_no_lifetime_to_keep(t: &Trial<'_>) -> Tried {
    t.put_for("k", "old", 50).await?;
    t.outlive(50);
    t.write("k", "new", Write::ALWAYS.lifetime(Lifetime::Keep)).await?;
    t.expires_in("k", None).await?;
    t.holds("k", Some("new")).await
}

pub(crate) async fn a_passed_deadline_does_not_end_a_later_value(t: &Trial<'_>) -> Tried {
    for (key, later) in [("longer", millis(500)), ("forever", Lifetime::Never)] {
        t.put_for(key, "old", 50).await?;
        t.write(key, "new", Write::ALWAYS.lifetime(later)).await?;
    }
    t.put_for("again", "old", 50).await?;
    t.store().delete("again", kv_core::Condition::Always).await?;
    t.put_for("again", "new", 500).await?;
    t.advance(ms_of(100));
    for key in ["longer", "forever", "again"] {
        t.holds(key, Some("new")).await?;
    }
    t.expires_in("longer", Some(400)).await?;
    t.outlive(400);
    t.holds("longer", None).await?;
    t.holds("forever", Some("new")).await
}

pub(crate) async fn the_time_left_counts_down_in_milliseconds(t: &Trial<'_>) -> Tried {
    t.put_for("k", "v", 86_400_000).await?;
    t.expires_in("k", Some(86_400_000)).await?;
    t.advance(ms_of(1));
    t.expires_in("k", Some(86_399_999)).await?;
    t.advance(ms_of(86_399_998));
    t.expires_in("k", Some(1)).await?;
    t.outlive(1);
    ensure_eq!(t.store().ttl("k").await?, None, "ttl after the end");
    Ok(())
}

pub(crate) async fn a_part_of_a_millisecond_is_rounded_up(t: &Trial<'_>) -> Tried {
    for (nanos, ms) in [(1, 1), (999_999, 1), (1_000_001, 2), (2_500_000, 3)] {
        let lifetime = Lifetime::In(Duration::from_nanos(nanos));
        t.write("k", "v", Write::ALWAYS.lifetime(lifetime)).await?;
        t.expires_in("k", Some(ms)).await?;
    }
    Ok(())
}

pub(crate) async fn a_huge_lifetime_is_clamped(t: &Trial<'_>) -> Tried {
    let i64_ms = Duration::from_millis(i64::MAX.unsigned_abs());
    let huge = [MAX_LIFETIME, MAX_LIFETIME + ms_of(1), i64_ms, Duration::MAX];
    for (number, lifetime) in huge.into_iter().enumerate() {
        let key = format!("k{number}");
        let write = Write::ALWAYS.lifetime(Lifetime::In(lifetime));
        t.write(&key, "v", write).await?;
        let left = t.store().ttl(&key).await?;
        ensure_eq!(left, Some(Remaining::Expires(MAX_LIFETIME)), "ttl after {lifetime:?}");
    }
    let many = vec![("many".to_owned(), bytes("v"))];
    t.store().set_many(many, Lifetime::In(Duration::MAX)).await?;
    t.advance(Duration::from_secs(10 * 365 * 86_400));
    for key in ["k0", "k1", "k2", "k3", "many"] {
        t.holds(key, Some("v")).await?;
    }
    Ok(())
}

pub(crate) async fn a_zero_lifetime_is_refused_and_changes_nothing(t: &Trial<'_>) -> Tried {
    t.put_for("k", "old", 500).await?;
    let zero = Write::ALWAYS.lifetime(Lifetime::In(Duration::ZERO));
    for key in ["k", "new"] {
        refused("set", t.try_write(key, "v", zero.clone()).await, &[ErrorKind::InvalidTtl])?;
        let set =
            kv_core::Command::Set { key: key.to_owned(), value: bytes("v"), write: zero.clone() };
        let mut replies = t.store().execute(vec![set]).await?;
        ensure_eq!(replies.len(), 1, "replies to one command");
        refused("execute", replies.remove(0), &[ErrorKind::InvalidTtl])?;
    }
    t.holds("k", Some("old")).await?;
    t.expires_in("k", Some(500)).await?;
    ensure!(!t.store().exists("new").await?, "a refused set created the key");
    Ok(())
}
