//! What a store holds outlives its process, for backends that reopen.

mod queue;
mod time;
mod versions;
mod writes;

use kv_core::ErrorKind;

pub(crate) use self::queue::a_queue_outlives_a_reopen;
pub(crate) use self::time::{
    a_date_that_is_set_back_revives_nothing, a_lifetime_goes_on_over_a_reopen,
    what_expires_while_the_store_is_closed_is_gone,
};
pub(crate) use self::versions::{
    a_version_names_its_state_over_a_reopen, no_version_is_given_again_after_a_reopen,
};
pub(crate) use self::writes::{
    each_verbs_write_outlives_a_kill_right_after_it, what_every_verb_wrote_outlives_a_reopen,
};
use super::Tried;
use crate::failure::ensure_eq;
use crate::trial::{End, millis, ms_of};
use crate::{Failure, Trial};

/// Both ways in which a store ends: nothing that was acknowledged may depend on a close.
const ENDS: [End; 2] = [End::Closed, End::Dropped];

/// The same data in a new store, some milliseconds later.
async fn again(t: Trial<'_>, end: End, later: u64) -> Result<Trial<'_>, Failure> {
    let opened = t.reopen(end, ms_of(later)).await?;
    opened.ok_or_else(|| Failure::new("reopen: offered once, and not the next time"))
}

pub(crate) async fn the_stores_clock_goes_on_over_a_reopen(t: Trial<'_>) -> Tried {
    let mut t = t;
    t.advance(ms_of(90_000));
    for end in ENDS {
        let before = match t.store().now().await {
            Ok(now) => now,
            Err(error) => {
                ensure_eq!(error.kind(), ErrorKind::Unsupported, "now");
                return Ok(());
            }
        };
        // A write, for stores that keep the time of the last one.
        t.put("k", "v").await?;
        t = again(t, end, 1_500).await?;
        let after = t.store().now().await?;
        ensure_eq!(after, before + ms_of(1_500), "now, 1,500 ms later ({end:?})");
    }
    Ok(())
}

pub(crate) async fn a_counter_counts_on_over_a_reopen(t: Trial<'_>) -> Tried {
    let mut t = t;
    let add = async |t: &Trial<'_>, key: &str, ms: u64| -> Result<i64, Failure> {
        Ok(t.store().increment(key, 40, millis(ms)).await?)
    };
    for (count, end) in [40, 80, 120, 160].into_iter().zip(ENDS.into_iter().cycle()) {
        ensure_eq!(add(&t, "n", 60_000).await?, count, "increment \"n\", {count} / 40 times");
        ensure_eq!(add(&t, "short", 1_000).await?, 40, "increment \"short\", anew each time");
        t = again(t, end, 2_000).await?;
        t.holds("n", Some(&count.to_string())).await?;
        t.holds("short", None).await?;
    }
    t.expires_in("n", Some(60_000 - 4 * 2_000)).await
}
