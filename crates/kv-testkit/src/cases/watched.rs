//! A watch tells what changed, and where it may have missed something.

use std::time::Duration;

use kv_core::{Capabilities, Change, Expiry, Lifetime, RESERVED, Watch, Write};

use super::Tried;
use crate::failure::{ensure, ensure_eq};
use crate::moves::{Move, Route, Verb, When};
use crate::suite::announce;
use crate::trial::{bytes, millis};
use crate::{Failure, Trial};

use Route::{Batch, Many, Single};
use Verb::{Delete, Increment, Set, Take, Touch};
use When::{Always, Present};

/// How long a change may take to be told. Only a failure waits for so long.
const PATIENCE: Duration = Duration::from_secs(20);

const NEVER: Lifetime = Lifetime::Never;

const CHANGES: [Move; 16] = [
    Move(Set(NEVER, Always), Single),
    Move(Set(NEVER, Always), Many),
    Move(Set(NEVER, Always), Batch),
    Move(Set(millis(9_000), Always), Single),
    Move(Set(millis(9_000), Always), Many),
    Move(Set(NEVER, Present), Single),
    Move(Set(NEVER, When::Version), Batch),
    Move(Delete(Always), Single),
    Move(Delete(Always), Many),
    Move(Delete(Always), Batch),
    Move(Delete(When::Version), Single),
    Move(Take, Single),
    Move(Touch(millis(9_000)), Single),
    Move(Touch(millis(9_000)), Batch),
    Move(Increment(NEVER), Single),
    Move(Increment(NEVER), Batch),
];

/// A key as it is stored that a typed store has under this name.
fn of(t: &Trial<'_>, key: &str) -> String {
    [t.store().key_prefix(), key].concat()
}

/// The next thing told.
async fn next(watch: &mut Watch) -> Result<Option<Change>, Failure> {
    let told = tokio::time::timeout(PATIENCE, watch.next()).await;
    told.map_err(|_| Failure::new(format!("nothing was told for {PATIENCE:?}")))
}

/// A watch that has begun to tell.
async fn begun(t: &Trial<'_>, prefix: &str) -> Result<Watch, Failure> {
    let mut watch = t.typed().watch(prefix)?;
    loop {
        match next(&mut watch).await? {
            Some(Change::Gap) => return Ok(watch),
            // What changed before may be told too.
            Some(Change::Key(_)) => {}
            other => return Err(Failure::new(format!("{other:?} before the first gap"))),
        }
    }
}

/// Everything that is told until this key is.
async fn told_until(watch: &mut Watch, wanted: &str) -> Result<Vec<String>, Failure> {
    let mut told = Vec::new();
    loop {
        match next(watch).await? {
            Some(Change::Key(key)) if key == wanted => return Ok(told),
            Some(Change::Key(key)) => told.push(key),
            other => return Err(Failure::new(format!("{other:?} before {wanted:?} was told"))),
        }
    }
}

pub(crate) async fn a_watch_begins_with_a_gap(t: &Trial<'_>) -> Tried {
    t.put(&of(t, "before"), "v").await?;
    begun(t, "").await.map(drop)
}

pub(crate) async fn every_way_to_change_a_key_is_told(t: &Trial<'_>) -> Tried {
    let mut watch = begun(t, "").await?;
    for (number, change) in CHANGES.into_iter().enumerate() {
        if !t.declares(change.needs()) {
            continue;
        }
        let told = format!("k{number}");
        let key = of(t, &told);
        t.put(&key, "1").await?;
        told_until(&mut watch, &told).await?;
        let version = t.store().get(&key).await?.map(|entry| entry.version);
        let version = version.ok_or_else(|| Failure::new(format!("{key:?} is not there")))?;
        change.run(t.store(), &key, "2", &version).await?;
        let told = told_until(&mut watch, &told).await;
        told.map_err(|failure| failure.during(&format!("{change:?}")))?;
    }
    if t.declares(Capabilities::CONDITIONS) {
        t.write(&of(t, "new"), "v", Write::ALWAYS.condition(kv_core::Condition::Absent)).await?;
        told_until(&mut watch, "new").await?;
    }
    t.store().set_cached(&of(t, "cached"), bytes("v"), Write::ALWAYS).await?;
    told_until(&mut watch, "cached").await?;
    Ok(())
}

/// Also where a prefix would be a pattern, and where a key is shorter than the prefix.
pub(crate) async fn a_watch_tells_the_keys_of_its_prefix_alone(t: &Trial<'_>) -> Tried {
    let store = t.typed().namespace("n");
    let mut watch = store.watch("a*")?;
    while !matches!(next(&mut watch).await?, Some(Change::Gap)) {}
    for key in ["n:ab", "n:a", "a*", "m:a*", "n:a*b"] {
        t.put(&of(t, key), "v").await?;
    }
    ensure_eq!(told_until(&mut watch, "a*b").await?, Vec::<String>::new(), "told of {{a*}}");
    Ok(())
}

pub(crate) async fn the_librarys_own_keys_are_not_told(t: &Trial<'_>) -> Tried {
    let mut watch = begun(t, "").await?;
    t.put(&of(t, &[RESERVED, "mine"].concat()), "v").await?;
    if t.declares(Capabilities::COUNTERS) {
        t.typed().increment("n", 1, Expiry::Never).await?;
    }
    t.put(&of(t, "k"), "v").await?;
    ensure_eq!(told_until(&mut watch, "k").await?, Vec::<String>::new(), "told of the library's");
    Ok(())
}

pub(crate) async fn every_watch_is_told_what_every_handle_did(t: &Trial<'_>) -> Tried {
    let Some(other) = t.another() else {
        announce("every_watch_is_told_what_every_handle_did", "no other handle");
        return Ok(());
    };
    let (mut first, mut second) = (begun(t, "").await?, begun(t, "").await?);
    drop(begun(t, "").await?);
    t.put(&of(t, "one"), "v").await?;
    other.set(&of(t, "two"), bytes("v"), Write::ALWAYS).await?;
    for watch in [&mut first, &mut second] {
        let mut told = [false; 2];
        while told != [true; 2] {
            match next(watch).await? {
                Some(Change::Key(key)) => {
                    told = [told[0] || key == "one", told[1] || key == "two"];
                }
                other => return Err(Failure::new(format!("{other:?} instead of a key"))),
            }
        }
    }
    Ok(())
}

pub(crate) async fn a_closed_store_ends_its_watches(t: &Trial<'_>) -> Tried {
    if !t.closes() {
        announce("a_closed_store_ends_its_watches", "the store has no close of its own");
        return Ok(());
    }
    let mut watch = begun(t, "").await?;
    t.store().close().await?;
    let told = next(&mut watch).await?;
    ensure!(told.is_none(), "{told:?} after close, expected the end");
    Ok(())
}

pub(crate) async fn a_key_that_expired_is_told_when_it_is_removed(t: &Trial<'_>) -> Tried {
    let mut watch = begun(t, "").await?;
    t.put_for(&of(t, "k"), "v", 50).await?;
    told_until(&mut watch, "k").await?;
    t.outlive(50);
    ensure!(t.store().get(&of(t, "k")).await?.is_none(), "\"k\" outlived its lifetime");
    // At the latest when somebody looks at the key.
    told_until(&mut watch, "k").await?;
    Ok(())
}
