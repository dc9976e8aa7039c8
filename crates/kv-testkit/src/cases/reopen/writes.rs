//! What was acknowledged is there, whichever verb wrote it.

use kv_core::{Bytes, Capabilities, Command, Condition, Lifetime, Remaining, Reply, Write};

use super::{ENDS, again};
use crate::cases::Tried;
use crate::failure::{ensure, ensure_eq};
use crate::trial::{End, bytes, millis};
use crate::{Failure, Trial};

/// One way to write, and what it leaves behind.
#[derive(Clone, Copy, Debug)]
enum Verb {
    Set,
    SetAwkward,
    SetEmpty,
    Overwrite,
    SetMany,
    SetInABatch,
    SetIfAbsent,
    SetIfUnchanged,
    Delete,
    DeleteMany,
    DeleteInABatch,
    DeleteIfUnchanged,
    Take,
    TouchAway,
    TouchTo,
    Increment,
}

use Verb::*;

const PLAIN: [Verb; 9] = [
    Set,
    SetAwkward,
    SetEmpty,
    Overwrite,
    SetMany,
    SetInABatch,
    Delete,
    DeleteMany,
    DeleteInABatch,
];
const CONDITIONAL: [Verb; 4] = [SetIfAbsent, SetIfUnchanged, DeleteIfUnchanged, Take];

/// The verbs that the store declares.
fn verbs(t: &Trial<'_>) -> Vec<Verb> {
    let mut verbs = PLAIN.to_vec();
    if t.declares(Capabilities::CONDITIONS) {
        verbs.extend(CONDITIONAL);
    }
    if t.declares(Capabilities::CONDITIONS | Capabilities::TTL) {
        verbs.extend([TouchAway, TouchTo]);
    }
    if t.declares(Capabilities::COUNTERS) {
        verbs.push(Increment);
    }
    verbs
}

/// Bytes that a text column, a line or a terminated string would not bring back.
fn awkward() -> Bytes {
    let counted = (0..100_000_u32).map(|n| (n % 251) as u8);
    counted.chain([0, 255, 254, 0]).collect::<Vec<_>>().into()
}

/// What the verb finds under its key.
async fn before(t: &Trial<'_>, verb: Verb, key: &str) -> Tried {
    match verb {
        Set | SetAwkward | SetEmpty | SetMany | SetInABatch | SetIfAbsent => {}
        Increment => drop(t.put(key, "40").await?),
        TouchAway => drop(t.put_for(key, "old", 500).await?),
        _ => drop(t.put(key, "old").await?),
    }
    Ok(())
}

async fn write(t: &Trial<'_>, verb: Verb, key: &str) -> Tried {
    let (store, always) = (t.store(), Condition::Always);
    match verb {
        SetAwkward => drop(store.set(key, awkward(), Write::ALWAYS).await?),
        SetEmpty => drop(t.put(key, "").await?),
        Set | Overwrite => drop(t.put(key, "new").await?),
        SetMany => {
            let pairs = vec![(key.to_owned(), bytes("new")), (key.to_owned() + "2", bytes("new"))];
            store.set_many(pairs, Lifetime::Never).await?;
        }
        SetInABatch => {
            let (value, write) = (bytes("new"), Write::ALWAYS);
            in_a_batch(t, Command::Set { key: key.to_owned(), value, write }).await?;
        }
        SetIfAbsent => {
            t.write(key, "new", Write::ALWAYS.condition(Condition::Absent)).await?;
        }
        SetIfUnchanged => {
            let unchanged = Condition::Version(t.version(key).await?);
            t.write(key, "new", Write::ALWAYS.condition(unchanged)).await?;
        }
        Delete => did(store.delete(key, always).await?, verb)?,
        DeleteMany => ensure_eq!(store.delete_many(&[key]).await?, 1, "delete_many {key:?}"),
        DeleteInABatch => {
            in_a_batch(t, Command::Delete { key: key.to_owned(), condition: always }).await?;
        }
        DeleteIfUnchanged => {
            let unchanged = Condition::Version(t.version(key).await?);
            did(store.delete(key, unchanged).await?, verb)?;
        }
        Take => did(store.take(key).await?.is_some(), verb)?,
        TouchAway => did(store.touch(key, Lifetime::Never).await?, verb)?,
        TouchTo => did(store.touch(key, millis(500)).await?, verb)?,
        Increment => drop(store.increment(key, 2, Lifetime::Never).await?),
    }
    Ok(())
}

fn did(done: bool, verb: Verb) -> Tried {
    ensure!(done, "{verb:?}: the key is there, but was not found");
    Ok(())
}

async fn in_a_batch(t: &Trial<'_>, command: Command) -> Tried {
    for reply in t.store().execute(vec![command]).await? {
        ensure!(!matches!(reply?, Reply::Flag(false)), "execute: the key is there");
    }
    Ok(())
}

/// Fails unless the key is as the verb left it, more than 500 ms ago.
async fn is_as_left(t: &Trial<'_>, verb: Verb, key: &str) -> Tried {
    match verb {
        SetAwkward => {
            let found = t.value(key).await?;
            ensure!(found == Some(awkward()), "get {key:?}: another value than was set");
        }
        SetEmpty => t.holds(key, Some("")).await?,
        SetMany => {
            t.holds(key, Some("new")).await?;
            t.holds(&(key.to_owned() + "2"), Some("new")).await?;
        }
        Increment => t.holds(key, Some("42")).await?,
        TouchAway => {
            t.holds(key, Some("old")).await?;
            let left = t.store().ttl(key).await?;
            ensure_eq!(left, Some(Remaining::Forever), "ttl {key:?}");
        }
        Set | Overwrite | SetInABatch | SetIfAbsent | SetIfUnchanged => {
            t.holds(key, Some("new")).await?;
        }
        Delete | DeleteMany | DeleteInABatch | DeleteIfUnchanged | Take | TouchTo => {
            t.holds(key, None).await?;
            ensure!(!t.scanned("*").await?.contains(&key.to_owned()), "scan: {key:?} is gone");
        }
    }
    Ok(())
}

fn named(round: usize, verb: Verb) -> String {
    format!("{verb:?} {round}")
}

pub(crate) async fn what_every_verb_wrote_outlives_a_reopen(t: Trial<'_>) -> Tried {
    let mut t = t;
    let verbs = verbs(&t);
    for (round, end) in ENDS.into_iter().enumerate() {
        for verb in &verbs {
            let key = named(round, *verb);
            before(&t, *verb, &key).await?;
            write(&t, *verb, &key).await?;
        }
        t = again(t, end, 1_000).await?;
        // What the first round wrote outlives the second end too.
        for round in 0..=round {
            for verb in &verbs {
                let checked = is_as_left(&t, *verb, &named(round, *verb)).await;
                checked.map_err(|failure| told(failure, *verb, end))?;
            }
        }
    }
    Ok(())
}

pub(crate) async fn each_verbs_write_outlives_a_kill_right_after_it(t: Trial<'_>) -> Tried {
    let mut t = t;
    for verb in verbs(&t) {
        let key = named(0, verb);
        before(&t, verb, &key).await?;
        write(&t, verb, &key).await?;
        t = again(t, End::Dropped, 1_000).await?;
        let checked = is_as_left(&t, verb, &key).await;
        checked.map_err(|failure| told(failure, verb, End::Dropped))?;
    }
    Ok(())
}

fn told(failure: Failure, verb: Verb, end: End) -> Failure {
    failure.during(&format!("after {verb:?}, and the store's end by {end:?}"))
}
