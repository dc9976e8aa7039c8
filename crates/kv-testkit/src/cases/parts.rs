//! Time comes in parts of a millisecond, and no key ends early by one.

use std::time::Duration;

use kv_core::{Capabilities, Command, Condition, Lifetime, Remaining, Write};

use super::Tried;
use crate::Trial;
use crate::failure::{ensure, ensure_eq};
use crate::trial::{bytes, millis, ms_of};

/// Where in a millisecond the keys are written, in microseconds since the last time.
const PARTS: [u64; 4] = [1, 400, 550, 999];

pub(crate) async fn no_key_ends_early_by_a_part_of_a_millisecond(t: &Trial<'_>) -> Tried {
    for part in PARTS {
        t.advance(Duration::from_micros(part));
        let keys = write_by_every_verb(t, millis(50)).await?;
        t.advance(ms_of(50) - Duration::from_micros(1));
        for key in &keys {
            ensure!(t.value(key).await?.is_some(), "get {key:?}: gone, 1 us before its end");
            let left = t.store().ttl(key).await?.and_then(Remaining::duration);
            let some = left.is_some_and(|left| !left.is_zero());
            ensure!(some, "ttl {key:?}, 1 us before its end: got {left:?}, expected some time");
            ensure!(t.store().exists(key).await?, "exists {key:?}: gone, 1 us before its end");
        }
        let mut found = t.scanned("*").await?;
        found.retain(|key| keys.contains(key));
        ensure_eq!(found, keys, "scan *, 1 us before the end of each");
        // A store that counts in whole milliseconds may be late by a part of one.
        t.outlive(1);
        for key in &keys {
            t.holds(key, None).await?;
        }
    }
    Ok(())
}

/// Gives one key the lifetime by each verb that can; the keys, sorted.
async fn write_by_every_verb(
    t: &Trial<'_>,
    lifetime: Lifetime,
) -> Result<Vec<String>, crate::Failure> {
    let (store, write) = (t.store(), Write::ALWAYS.lifetime(lifetime));
    t.write("set", "v", write.clone()).await?;
    store.set_many(vec![("set_many".to_owned(), bytes("v"))], lifetime).await?;
    let set = Command::Set { key: "execute".to_owned(), value: bytes("v"), write: write.clone() };
    for reply in store.execute(vec![set]).await? {
        reply?;
    }
    t.write("keep", "v", write.clone()).await?;
    t.write("keep", "w", Write::ALWAYS.lifetime(Lifetime::Keep)).await?;
    let mut keys = vec!["execute", "keep", "set", "set_many"];
    if t.declares(Capabilities::COUNTERS) {
        store.increment("increment", 1, lifetime).await?;
        keys.push("increment");
    }
    if t.declares(Capabilities::CONDITIONS) {
        t.put("touch", "v").await?;
        ensure!(store.touch("touch", lifetime).await?, "touch: the key was set, but is missing");
        t.write("absent", "v", write.condition(Condition::Absent)).await?;
        keys.extend(["touch", "absent"]);
    }
    keys.sort_unstable();
    Ok(keys.into_iter().map(str::to_owned).collect())
}
