//! Versions mean the same to every process, and none is given twice.

use std::collections::BTreeMap;

use kv_core::{Capabilities, Condition, Outcome, Version, Write};

use super::{ENDS, again};
use crate::cases::Tried;
use crate::failure::{ensure, ensure_eq};
use crate::trial::millis;
use crate::{Failure, Trial};

fn only(version: &Version) -> Write {
    Write::ALWAYS.condition(Condition::Version(version.clone()))
}

pub(crate) async fn a_version_names_its_state_over_a_reopen(t: Trial<'_>) -> Tried {
    let mut t = t;
    for end in ENDS {
        t.put("other", "v").await?;
        let stale = t.put("k", "first").await?;
        let version = t.put("k", "second").await?;
        let deleted = t.put("deleted", "v").await?;
        t = again(t, end, 1_000).await?;
        ensure_eq!(t.version("k").await?, version, "the version of \"k\" ({end:?})");
        let outcome = t.try_write("k", "must not be stored", only(&stale)).await?;
        ensure_eq!(outcome, Outcome::ConditionFailed, "set \"k\" under an older version");
        t.write("k", "third", only(&version)).await?;
        let removed = t.store().delete("deleted", Condition::Version(deleted)).await?;
        ensure!(removed, "delete \"deleted\" under its version ({end:?})");
    }
    Ok(())
}

pub(crate) async fn no_version_is_given_again_after_a_reopen(t: Trial<'_>) -> Tried {
    let (mut t, mut given) = (t, BTreeMap::<&str, Vec<Version>>::new());
    let mut writes = 0;
    for end in ENDS {
        for key in ["stays", "expired", "deleted"] {
            let lifetime = t.declares(Capabilities::TTL) && key == "expired";
            let write = if lifetime { Write::ALWAYS.lifetime(millis(500)) } else { Write::ALWAYS };
            writes += 1;
            let version = t.write(key, &format!("before {writes}"), write).await?;
            given.entry(key).or_default().push(version);
        }
        // The last write before the end is the one whose number is easily given again.
        t.store().delete("deleted", Condition::Always).await?;
        t = again(t, end, 1_000).await?;
        for (key, given) in &mut given {
            for _ in 0..5 {
                writes += 1;
                write_anew(&t, key, &format!("after {writes}"), given).await?;
            }
        }
    }
    Ok(())
}

/// Writes a value that was never written, whose version must be a new one.
async fn write_anew(
    t: &Trial<'_>,
    key: &str,
    value: &str,
    given: &mut Vec<Version>,
) -> Result<(), Failure> {
    let version = t.put(key, value).await?;
    for old in &*given {
        ensure!(*old != version, "set {key:?}: a version that was given before the reopen");
        let outcome = t.try_write(key, "must not be stored", only(old)).await?;
        ensure_eq!(outcome, Outcome::ConditionFailed, "set {key:?} under an older version");
    }
    given.push(version);
    Ok(())
}
