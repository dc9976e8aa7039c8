//! A write that is dropped at any point where it waits is done whole, or not at all.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use kv_core::{Bytes, Condition, Lifetime, Version, Write};

use super::Tried;
use crate::failure::ensure;
use crate::moves::{Move, OLD, Route, Seen, Start, Verb, When};
use crate::trial::{bytes, millis};
use crate::{Failure, Trial};

use Route::{Batch, Many, Single};
use Verb::{Delete, Increment, Set, Take, Touch};
use When::{Absent, Always, Present};

const NEVER: Lifetime = Lifetime::Never;
const KEEP: Lifetime = Lifetime::Keep;
const STARTS: [Start; 3] = [Start::Missing, Start::Forever, Start::For(500)];

/// More waits than one write has.
const MOST_POINTS: usize = 24;

/// How often a key is looked at again: a dropped write may still be under way.
const LOOKS: usize = 200;

const CALLS: &[Move] = &[
    Move(Set(NEVER, Always), Single),
    Move(Set(KEEP, Always), Single),
    Move(Set(millis(300), Always), Single),
    Move(Set(NEVER, Absent), Single),
    Move(Set(millis(300), Present), Single),
    Move(Set(KEEP, When::Version), Single),
    Move(Set(NEVER, Always), Many),
    Move(Set(KEEP, Always), Many),
    Move(Set(millis(300), Always), Many),
    Move(Set(millis(300), Always), Batch),
    Move(Set(NEVER, When::Version), Batch),
    Move(Delete(Always), Single),
    Move(Delete(When::Version), Single),
    Move(Delete(Always), Many),
    Move(Delete(Always), Batch),
    Move(Take, Single),
    Move(Take, Batch),
    Move(Touch(millis(300)), Single),
    Move(Touch(NEVER), Single),
    Move(Touch(millis(300)), Batch),
    Move(Increment(KEEP), Single),
    Move(Increment(NEVER), Batch),
];

/// Runs the future until it has waited so many times, and drops it: at once, or when it could go
/// on. Whether it ended before.
async fn dropped_at(point: usize, at_once: bool, future: impl Future + Send) -> bool {
    let mut future = pin!(future);
    for number in 1..=point {
        let ended = poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_ready())).await;
        if ended {
            return true;
        }
        if number < point || !at_once {
            woken().await;
        }
    }
    false
}

/// Until the task is woken: by what the future waits for.
async fn woken() {
    let mut asked = false;
    poll_fn(|_| {
        let again = std::mem::replace(&mut asked, true);
        if again { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

/// One write, the key that it is tried on, and what may be there afterwards.
struct Drop {
    key: String,
    call: Move,
    old: Version,
    expected: [Seen; 2],
}

impl Drop {
    /// Fails if the key is in neither state for as long as one looks.
    async fn is_whole(&self, t: &Trial<'_>) -> Tried {
        let mut found = t.seen(&self.key).await?;
        for _ in 0..LOOKS {
            if self.expected.contains(&found) {
                return self.version_is_whole(t).await;
            }
            tokio::task::yield_now().await;
            found = t.seen(&self.key).await?;
        }
        let Self { key, call, expected: [before, after], .. } = self;
        let text = format!(
            "{key:?} after {call:?} was dropped: {found:?}, neither {before:?} nor {after:?}"
        );
        Err(Failure::new(text))
    }

    /// A new value has a new version, and an old one its own.
    async fn version_is_whole(&self, t: &Trial<'_>) -> Tried {
        let Some(entry) = t.store().get(&self.key).await? else { return Ok(()) };
        let (same_value, same_version) = (entry.value == bytes(OLD), entry.version == self.old);
        ensure!(
            same_value || !same_version,
            "{:?} after {:?} was dropped: a new value under the version of the old one",
            self.key,
            self.call
        );
        Ok(())
    }
}

async fn after(t: &Trial<'_>, start: Start, call: Move) -> Result<[Seen; 2], Failure> {
    let key = format!("{start:?} {call:?} to the end");
    let version = t.begin(&key, start).await?;
    let before = t.seen(&key).await?;
    call.told(t.store(), &key, "100", &version).await;
    Ok([before, t.seen(&key).await?])
}

/// Drops one write at each point where it waits; all that was tried.
async fn at_every_point(t: &Trial<'_>, start: Start, call: Move) -> Result<Vec<Drop>, Failure> {
    let expected = after(t, start, call).await?;
    let mut tried = Vec::new();
    for point in 0..MOST_POINTS {
        let mut ended = true;
        for at_once in [true, false] {
            let key = format!("{start:?} {call:?} {point} {at_once}");
            let old = t.begin(&key, start).await?;
            let handle = t.handle(point);
            ended &= dropped_at(point, at_once, call.run(handle, &key, "100", &old)).await;
            let drop = Drop { key, call, old, expected: expected.clone() };
            drop.is_whole(t).await?;
            tried.push(drop);
        }
        if ended {
            break;
        }
    }
    Ok(tried)
}

pub(crate) async fn a_dropped_write_leaves_the_old_state_or_the_new(t: &Trial<'_>) -> Tried {
    let mut tried = Vec::new();
    for start in STARTS.into_iter().filter(|start| t.can_begin(*start)) {
        for call in CALLS.iter().filter(|call| t.offers(**call)) {
            tried.extend(at_every_point(t, start, *call).await?);
        }
    }
    // Once more: what went on behind the drops has ended by now.
    for drop in tried {
        drop.is_whole(t).await?;
    }
    Ok(())
}

pub(crate) async fn a_dropped_write_of_many_leaves_each_key_whole(t: &Trial<'_>) -> Tried {
    for point in 0..MOST_POINTS {
        let keys: Vec<String> = (0..4).map(|number| format!("{point}:{number}")).collect();
        for key in &keys {
            t.put(key, &format!("old {key}")).await?;
        }
        let pair = |key: &String| (key.clone(), Bytes::from(format!("new {key}")));
        let pairs: Vec<_> = keys.iter().map(pair).collect();
        let ended = dropped_at(point, point % 2 == 0, t.store().set_many(pairs, NEVER)).await;
        for key in &keys {
            let found = t.value(key).await?;
            let own = ["old", "new"].map(|age| Some(Bytes::from(format!("{age} {key}"))));
            ensure!(own.contains(&found), "get {key:?} after a dropped set_many: {found:?}");
        }
        if ended {
            break;
        }
    }
    Ok(())
}

pub(crate) async fn a_dropped_write_leaves_the_key_free_for_others(t: &Trial<'_>) -> Tried {
    for call in CALLS.iter().filter(|call| t.offers(**call)) {
        for point in 1..4 {
            let key = format!("{call:?} {point}");
            let version = t.begin(&key, Start::Forever).await?;
            dropped_at(point, true, call.run(t.store(), &key, "100", &version)).await;
        }
    }
    for (number, call) in CALLS.iter().filter(|call| t.offers(**call)).enumerate() {
        let (key, store) = (format!("{call:?} 1"), t.handle(number));
        store.set(&key, bytes("later"), Write::ALWAYS).await?;
        store.delete(&key, Condition::Always).await?;
    }
    t.put("last", "v").await?;
    t.holds("last", Some("v")).await
}
