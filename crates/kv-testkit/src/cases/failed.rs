//! A condition that fails leaves everything as it was: value, lifetime, version, absence.

use kv_core::{Condition, Lifetime, Version, Write};

use super::Tried;
use crate::failure::{ensure, ensure_eq};
use crate::moves::{Move, OLD, Route, Seen, Start, Verb, When};
use crate::trial::{millis, ms_of};
use crate::{Failure, Trial};

const LIFETIMES: [Lifetime; 3] = [Lifetime::Never, Lifetime::Keep, millis(300)];

/// A call whose condition does not hold, and the key as it is then.
struct Attempt {
    key: String,
    start: Start,
    call: Move,
    /// Names no state that the key is in.
    version: Version,
}

impl Attempt {
    fn all(t: &Trial<'_>) -> Vec<Attempt> {
        let starts = [Start::Missing, Start::Forever, Start::For(500)];
        let starts = starts.into_iter().filter(|start| t.can_begin(*start));
        let calls = starts.flat_map(|start| calls(start).map(move |call| (start, call)));
        let offered = calls.filter(|(_, call)| t.offers(*call));
        let attempt = |(start, call)| Attempt {
            key: format!("{start:?} {call:?}"),
            start,
            call,
            version: Version::from_number(u64::MAX),
        };
        offered.map(attempt).collect()
    }

    async fn begin(&mut self, t: &Trial<'_>) -> Tried {
        if self.start != Start::Missing {
            self.version = t.put(&self.key, "before").await?;
            t.begin(&self.key, self.start).await?;
        }
        Ok(())
    }

    async fn fails(&self, t: &Trial<'_>, number: usize) -> Tried {
        let Self { key, call, version, .. } = self;
        let before = look(t, key).await?;
        let told = call.told(t.handle(number), key, "must not be stored", version).await;
        ensure!(told == "written false" || told == "false", "{call:?} of {key:?}: {told}");
        ensure_eq!(look(t, key).await?, before, "{key:?} after {call:?}, which failed");
        Ok(())
    }
}

/// Every set and delete whose condition does not hold at this start.
fn calls(start: Start) -> impl Iterator<Item = Move> {
    let conditions = match start {
        Start::Missing => [When::Present, When::Version],
        Start::Forever | Start::For(_) => [When::Absent, When::Version],
    };
    let verbs = conditions.into_iter().flat_map(|when| {
        let sets = LIFETIMES.into_iter().map(move |lifetime| Verb::Set(lifetime, when));
        sets.chain([Verb::Delete(when)])
    });
    verbs.flat_map(|verb| [Route::Single, Route::Batch].map(|route| Move(verb, route)))
}

async fn look(t: &Trial<'_>, key: &str) -> Result<(Seen, Option<Version>, bool), Failure> {
    let version = t.store().get(key).await?.map(|entry| entry.version);
    Ok((t.seen(key).await?, version, t.store().exists(key).await?))
}

pub(crate) async fn a_condition_that_fails_changes_nothing(t: &Trial<'_>) -> Tried {
    let mut attempts = Attempt::all(t);
    for attempt in &mut attempts {
        attempt.begin(t).await?;
    }
    // What is left of a lifetime differs then from the whole of it.
    t.advance(ms_of(100));
    let shown = t.scanned("*").await?;
    for (number, attempt) in attempts.iter().enumerate() {
        attempt.fails(t, number).await?;
    }
    ensure_eq!(t.scanned("*").await?, shown, "the keys after calls that failed");
    for Attempt { key, .. } in attempts.iter().filter(|one| one.start == Start::Missing) {
        t.write(key, "new", Write::ALWAYS.lifetime(Lifetime::Keep)).await?;
        t.expires_in(key, None).await?;
    }
    Ok(())
}

/// A version of one key says nothing of another, whatever the store makes of versions.
pub(crate) async fn a_condition_looks_at_its_own_key(t: &Trial<'_>) -> Tried {
    let other = t.put("other", "another value").await?;
    t.put("k", OLD).await?;
    for condition in [Condition::Version(other.clone()), Condition::Absent] {
        let deleted = t.store().delete("k", condition.clone()).await?;
        ensure!(!deleted, "delete of \"k\" under {condition:?} said true");
    }
    let write = Write::ALWAYS.condition(Condition::Version(other));
    let outcome = t.try_write("k", "new", write).await?;
    ensure!(!outcome.is_written(), "set \"k\" under the version of another key was done");
    t.holds("k", Some(OLD)).await?;
    t.holds("other", Some("another value")).await
}
