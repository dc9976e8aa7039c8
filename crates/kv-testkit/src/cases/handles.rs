//! Several handles of one store: what one does, the others see, at once.

use std::sync::Arc;

use kv_core::{Command, KeyValueStore, Lifetime, Pattern, Reply, ScanRequest};

use super::Tried;
use crate::failure::{ensure, ensure_eq};
use crate::moves::{Move, Route, Seen, Start, Verb, When, seen};
use crate::trial::{millis, ms_of};
use crate::{Failure, Trial};

use Route::{Batch, Many, Single};
use Verb::{Delete, Increment, Set, Take, Touch};
use When::{Absent, Always, Present};

const NEVER: Lifetime = Lifetime::Never;
const KEEP: Lifetime = Lifetime::Keep;
const STARTS: [Start; 3] = [Start::Missing, Start::Forever, Start::For(500)];

const CALLS: &[Move] = &[
    Move(Set(NEVER, Always), Single),
    Move(Set(NEVER, Always), Many),
    Move(Set(NEVER, Always), Batch),
    Move(Set(KEEP, Always), Single),
    Move(Set(millis(300), Always), Single),
    Move(Set(millis(300), Always), Many),
    Move(Set(millis(300), Always), Batch),
    Move(Set(NEVER, Absent), Single),
    Move(Set(NEVER, Absent), Batch),
    Move(Set(NEVER, Present), Single),
    Move(Set(NEVER, When::Version), Single),
    Move(Set(NEVER, When::Version), Batch),
    Move(Delete(Always), Single),
    Move(Delete(Always), Many),
    Move(Delete(Always), Batch),
    Move(Delete(Present), Single),
    Move(Delete(When::Version), Single),
    Move(Delete(When::Version), Batch),
    Move(Take, Single),
    Move(Take, Batch),
    Move(Touch(millis(300)), Single),
    Move(Touch(millis(300)), Batch),
    Move(Touch(NEVER), Single),
    Move(Increment(KEEP), Single),
    Move(Increment(KEEP), Batch),
];

/// Everything that a handle says of a key, all of which has to agree.
async fn view(store: &Arc<dyn KeyValueStore>, key: &str) -> Result<Seen, Failure> {
    // First what could be known from an earlier look.
    let (exists, before) = (store.exists(key).await?, store.get_now(key));
    let seen = seen(store, key).await?;
    let there = seen.value.is_some();
    ensure_eq!(exists, there, "exists {key:?}, before get");
    for at_hand in [before, store.get_now(key)].into_iter().flatten() {
        let at_hand = at_hand?.map(|entry| entry.value);
        ensure_eq!(at_hand, seen.value, "get_now {key:?}, beside get");
    }
    ensure_eq!(store.exists(key).await?, there, "exists {key:?}, beside get");
    ensure_eq!(seen.left.is_some(), there, "ttl {key:?}, beside get");
    let many = store.get_many(&[key]).await?.pop().flatten().map(|entry| entry.value);
    ensure_eq!(many, seen.value, "get_many {key:?}, beside get");
    let get = Command::Get { key: key.to_owned() };
    if let Some(Ok(Reply::Entry(entry))) = store.execute(vec![get]).await?.pop() {
        ensure_eq!(entry.map(|entry| entry.value), seen.value, "a get of {key:?} in a batch");
    }
    Ok(seen)
}

/// Whether a walk through this handle shows the key.
async fn shows(store: &Arc<dyn KeyValueStore>, key: &str) -> Result<bool, Failure> {
    let pattern = Pattern::new(Pattern::escape(key))?;
    let (mut cursor, mut shown) = (None, false);
    for _ in 0..10_000 {
        let request = ScanRequest { pattern: &pattern, cursor: cursor.as_ref(), limit: 1_000 };
        let page = store.scan(request).await?;
        shown |= page.keys.iter().any(|one| one == key);
        cursor = page.next;
        if cursor.is_none() {
            return Ok(shown);
        }
    }
    Err(Failure::new(format!("scan for {key:?}: no end after 10,000 pages")))
}

pub(crate) async fn every_handle_sees_what_another_did(t: &Trial<'_>) -> Tried {
    let mut keys = Vec::new();
    for start in STARTS.into_iter().filter(|start| t.can_begin(*start)) {
        for (number, call) in CALLS.iter().filter(|call| t.offers(**call)).enumerate() {
            let (writer, reader) = (t.handle(number), t.handle(number + 1));
            let key = format!("{start:?} {call:?}");
            let version = t.begin(&key, start).await?;
            for store in [reader, writer] {
                view(store, &key).await?;
            }
            let told = call.told(writer, &key, "100", &version).await;
            let (seen, own) = (view(reader, &key).await?, view(writer, &key).await?);
            ensure_eq!(seen, own, "{key:?} through another handle, after {call:?} ({told})");
            let there = seen.value.is_some();
            ensure_eq!(shows(reader, &key).await?, there, "whether a walk shows {key:?}");
            keys.push(key);
        }
    }
    // Past every lifetime that was given.
    t.advance(ms_of(1_000));
    for key in keys {
        let (one, other) = (view(t.handle(0), &key).await?, view(t.handle(1), &key).await?);
        ensure_eq!(one, other, "{key:?} through two handles, after the end of its lifetime");
    }
    Ok(())
}

pub(crate) async fn a_value_at_hand_ends_with_its_lifetime(t: &Trial<'_>) -> Tried {
    for (key, ways) in [("a", 0), ("b", 1)] {
        t.put_for(key, "v", 50).await?;
        let store = t.handle(ways);
        view(store, key).await?;
        t.outlive(50);
        let seen = view(store, key).await?;
        ensure_eq!(seen.value, None, "get {key:?}, after the end of its lifetime");
    }
    Ok(())
}

pub(crate) async fn a_dropped_handle_leaves_the_others_open(t: &Trial<'_>) -> Tried {
    t.put("k", "v").await?;
    if let Some(spare) = t.take_spare() {
        ensure!(spare.get("k").await?.is_some(), "another handle sees another store");
        spare.set("spare", "w".into(), kv_core::Write::ALWAYS).await?;
        drop(spare);
    }
    t.holds("k", Some("v")).await?;
    t.put("k", "new").await?;
    t.holds("k", Some("new")).await?;
    for number in 0..2 {
        ensure!(t.handle(number).get("k").await?.is_some(), "\"k\" went with a dropped handle");
    }
    Ok(())
}
