//! A condition that fails leaves everything as it was: value, lifetime, version, absence.

use kv_core::{Lifetime, Version, Write};

use super::Tried;
use crate::failure::{ensure, ensure_eq};
use crate::moves::{Move, OLD, Route, Seen, Start, Verb, When};
use crate::trial::{millis, ms_of};
use crate::{Failure, Trial};

const LIFETIMES: [Lifetime; 3] = [Lifetime::Never, Lifetime::Keep, millis(300)];

/// What finds nothing to do where there is no key.
const ON_NOTHING: [Verb; 4] = [
    Verb::Delete(When::Always),
    Verb::Take,
    Verb::Touch(millis(300)),
    Verb::Touch(Lifetime::Never),
];

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
        let failed = matches!(told.as_str(), "written false" | "false" | "None");
        ensure!(failed, "{call:?} of {key:?}: {told}");
        ensure_eq!(look(t, key).await?, before, "{key:?} after {call:?}, which failed");
        Ok(())
    }
}

/// Every set and delete whose condition does not hold at this start.
fn calls(start: Start) -> impl Iterator<Item = Move> {
    let (conditions, others) = match start {
        Start::Missing => ([When::Present, When::Version], &ON_NOTHING[..]),
        Start::Forever | Start::For(_) => ([When::Absent, When::Version], &[][..]),
    };
    let verbs = conditions.into_iter().flat_map(|when| {
        let sets = LIFETIMES.into_iter().map(move |lifetime| Verb::Set(lifetime, when));
        sets.chain([Verb::Delete(when)])
    });
    let verbs = verbs.chain(others.iter().copied());
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

/// Other keys, there or not, decide nothing.
pub(crate) async fn a_condition_looks_at_its_own_key(t: &Trial<'_>) -> Tried {
    let write = |when| Move(Verb::Set(Lifetime::Never, when), Route::Single);
    let (new, there) = (t.handle(1), t.store());
    let none = Version::from_number(u64::MAX);
    let missing = [write(When::Present), Move(Verb::Delete(When::Present), Route::Single)];
    ensure_eq!(write(When::Absent).told(new, "k", OLD, &none).await, "written true", "set \"k\"");
    for call in missing {
        let told = call.told(there, "missing", "v", &none).await;
        ensure!(told.ends_with("false"), "{call:?} of \"missing\", beside another key: {told}");
    }
    let told = write(When::Absent).told(there, "another", "v", &none).await;
    ensure_eq!(told, "written true", "set \"another\", if absent, beside \"k\"");
    let told = write(When::Absent).told(there, "k", "v", &none).await;
    ensure_eq!(told, "written false", "set \"k\", if absent");
    t.holds("k", Some(OLD)).await?;
    t.holds("missing", None).await
}

/// Reads leave the lifetime to run, and the version as it is.
pub(crate) async fn a_read_changes_nothing(t: &Trial<'_>) -> Tried {
    let reads = [Verb::Get, Verb::Exists, Verb::Ttl, Verb::Touch(Lifetime::Keep)];
    let routes = [Route::Single, Route::Many, Route::Batch];
    let calls = reads.into_iter().flat_map(|verb| routes.map(|route| Move(verb, route)));
    let calls: Vec<Move> = calls.filter(|call| t.offers(*call)).collect();
    let mut begun = Vec::new();
    for call in &calls {
        for start in [Start::Missing, Start::For(500)] {
            let key = format!("{start:?} {call:?}");
            begun.push((t.begin(&key, start).await?, key, *call, start));
        }
    }
    for ms in [100, 200] {
        t.advance(ms_of(100));
        for (number, (version, key, call, start)) in begun.iter().enumerate() {
            call.run(t.handle(number), key, "", version).await?;
            if *start == Start::Missing {
                ensure!(!t.store().exists(key).await?, "{call:?} created {key:?}");
                continue;
            }
            t.expires_in(key, Some(500 - ms)).await?;
            ensure_eq!(t.version(key).await?, *version, "the version of {key:?} after {call:?}");
        }
    }
    Ok(())
}
