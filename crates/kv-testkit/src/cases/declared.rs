//! A store offers what it declares, and refuses the rest.

use kv_core::{Capabilities, Condition, Lifetime, Write};

use super::Tried;
use crate::failure::ensure_eq;
use crate::trial::millis;
use crate::{Trial, refusals};

pub(crate) async fn what_is_not_declared_is_refused(t: &Trial<'_>) -> Tried {
    let all = Capabilities::TTL | Capabilities::CONDITIONS | Capabilities::COUNTERS;
    let all = all | Capabilities::WATCH;
    refusals::check(t, &refusals::missing(t, all)).await?;
    if t.declares(Capabilities::TTL) {
        t.put_for("k", "v", 50).await?;
        t.expires_in("k", Some(50)).await?;
        t.store().set_many(Vec::new(), millis(50)).await?;
    }
    if t.declares(Capabilities::CONDITIONS) {
        t.write("new", "v", Write::ALWAYS.condition(Condition::Absent)).await?;
        t.store().take("new").await?;
    }
    if t.declares(Capabilities::COUNTERS) {
        ensure_eq!(t.store().increment("n", 2, Lifetime::Never).await?, 2, "increment");
    }
    Ok(())
}
