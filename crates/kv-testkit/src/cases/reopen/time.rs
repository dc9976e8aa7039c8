//! Lifetimes go on by the date while nobody has the store open.

use std::time::Duration;

use kv_core::{Capabilities, Condition, Lifetime, Outcome, Remaining, Write};

use super::{ENDS, again};

use crate::cases::Tried;
use crate::failure::{ensure, ensure_eq};
use crate::suite::announce;
use crate::trial::{End, millis, ms_of};
use crate::{Failure, Trial};

const DAY: u64 = 86_400_000;

pub(crate) async fn a_lifetime_goes_on_over_a_reopen(t: Trial<'_>) -> Tried {
    let mut t = t;
    // So that a time since the start is far from that of the next start.
    t.advance(ms_of(40 * DAY));
    t.put("forever", "v").await?;
    t.put_for("k", "v", DAY).await?;
    t.put_for("kept", "v", DAY).await?;
    t.advance(ms_of(1_500));
    let mut left = DAY - 1_500;
    for end in ENDS {
        t.write("kept", "w", Write::ALWAYS.lifetime(Lifetime::Keep)).await?;
        t = again(t, end, 3_000).await?;
        left -= 3_000;
        t.expires_in("k", Some(left)).await?;
        t.expires_in("kept", Some(left)).await?;
        t.expires_in("forever", None).await?;
        // What is set now counts from now.
        t.put_for("new", "v", 1_000).await?;
        t.expires_in("new", Some(1_000)).await?;
        t.advance(ms_of(999));
        left -= 999;
        t.holds("new", Some("v")).await?;
        t.expires_in("k", Some(left)).await?;
    }
    t.outlive(left);
    t.holds("k", None).await?;
    t.holds("forever", Some("v")).await
}

pub(crate) async fn what_expires_while_the_store_is_closed_is_gone(t: Trial<'_>) -> Tried {
    let mut t = t;
    for end in ENDS {
        for key in ["a", "b", "c", "d", "e"] {
            t.put_for(key, "old", 500).await?;
        }
        t.put_for("lives", "v", DAY).await?;
        t = again(t, end, 500).await?;
        // Past the very end, which is the backend's.
        t.outlive(1);
        let store = t.store();
        ensure!(!store.exists("a").await?, "exists \"a\": it ended meanwhile ({end:?})");
        ensure_eq!(store.ttl("b").await?, None, "ttl \"b\", which ended meanwhile ({end:?})");
        ensure_eq!(t.scanned("*").await?, ["lives"], "scan * ({end:?})");
        ensure!(!store.delete("c", Condition::Always).await?, "delete \"c\": it ended meanwhile");
        t.holds("d", None).await?;
        t.write("e", "new", Write::ALWAYS.lifetime(Lifetime::Keep)).await?;
        t.expires_in("e", None).await?;
    }
    Ok(())
}

/// How long a key has left that expires.
async fn left(t: &Trial<'_>, key: &str) -> Result<Duration, Failure> {
    let found = t.store().ttl(key).await?;
    let wrong = || Failure::new(format!("ttl {key:?}: got {found:?}, expected some time"));
    found.and_then(Remaining::duration).ok_or_else(wrong)
}

pub(crate) async fn a_date_that_is_set_back_revives_nothing(t: Trial<'_>) -> Tried {
    t.put_for("gone", "v", 1_000).await?;
    t.put_for("lives", "v", 60_000).await?;
    t.outlive(1_000);
    // A write, for stores that keep the time of the last one.
    t.put("later", "v").await?;
    let before = left(&t, "lives").await?;
    if !t.set_back(ms_of(DAY)) {
        announce(
            "a_date_that_is_set_back_revives_nothing",
            "the backend's date cannot be set back",
        );
        return Ok(());
    }
    t.holds("gone", None).await?;
    t.advance(ms_of(5_000));
    let most = before.saturating_sub(ms_of(5_000));
    ensure_eq!(left(&t, "lives").await?, most, "ttl \"lives\" of the running store");
    t.put_for("new", "v", 1_000).await?;
    let t = again(t, End::Dropped, 0).await?;
    t.holds("gone", None).await?;
    let found = left(&t, "lives").await?;
    ensure!(found <= most, "ttl \"lives\": got {found:?}, expected at most {most:?}");
    let revived = t.try_write("gone", "w", Write::ALWAYS.condition(Condition::Present)).await;
    if t.declares(Capabilities::CONDITIONS) {
        ensure_eq!(revived?, Outcome::ConditionFailed, "set \"gone\" if it is there");
    }
    // Time goes on at once, however long the date needs to catch up.
    t.write("newer", "v", Write::ALWAYS.lifetime(millis(2_000))).await?;
    t.outlive(2_000);
    t.holds("new", None).await?;
    t.holds("newer", None).await?;
    t.outlive(60_000);
    t.holds("lives", None).await
}
