//! What is left of a key that went, whichever way it went: nothing.

use kv_core::{Condition, Lifetime, Outcome, Remaining, Version, Write};

use super::Tried;
use crate::failure::{ensure, ensure_eq};
use crate::moves::{Move, OLD, Route, Start, Verb, When};
use crate::trial::{bytes, millis, ms_of};
use crate::{Failure, Trial};

use Route::{Batch, Many, Single};
use Verb::{Delete, Increment, Set, Take, Touch};
use When::{Absent, Always, Present};

const NEVER: Lifetime = Lifetime::Never;
const KEEP: Lifetime = Lifetime::Keep;

/// How long what is to expire has left.
const SHORT: u64 = 50;

/// Every call after which a key is gone, at once or when [`SHORT`] has passed.
const WAYS: &[Move] = &[
    Move(Delete(Always), Single),
    Move(Delete(Always), Many),
    Move(Delete(Always), Batch),
    Move(Delete(Present), Single),
    Move(Delete(Present), Batch),
    Move(Delete(When::Version), Single),
    Move(Delete(When::Version), Batch),
    Move(Take, Single),
    Move(Take, Batch),
    Move(Set(millis(SHORT), Always), Single),
    Move(Set(millis(SHORT), Always), Many),
    Move(Set(millis(SHORT), Always), Batch),
    Move(Set(millis(SHORT), When::Version), Single),
    Move(Touch(millis(SHORT)), Single),
    Move(Touch(millis(SHORT)), Batch),
];

/// Every call that makes a key which is not there.
const CREATIONS: &[Move] = &[
    Move(Set(KEEP, Always), Single),
    Move(Set(KEEP, Always), Many),
    Move(Set(KEEP, Always), Batch),
    Move(Set(KEEP, Absent), Single),
    Move(Set(KEEP, Absent), Batch),
    Move(Increment(KEEP), Single),
    Move(Increment(NEVER), Single),
    Move(Increment(KEEP), Batch),
    Move(Set(NEVER, Always), Single),
    Move(Set(NEVER, Absent), Single),
];

/// Calls that end the lifetime which a key had, and leave the key.
const RENEWALS: &[Move] = &[
    Move(Touch(NEVER), Single),
    Move(Touch(NEVER), Batch),
    Move(Touch(millis(5_000)), Single),
    Move(Touch(millis(5_000)), Batch),
    Move(Set(NEVER, Always), Single),
    Move(Set(NEVER, Always), Many),
    Move(Set(NEVER, Always), Batch),
    Move(Set(NEVER, When::Version), Single),
    Move(Set(millis(5_000), Always), Many),
    Move(Set(millis(5_000), Present), Batch),
];

/// What a test begins with, and a way out of it, through either handle.
struct Leaving<'t> {
    t: &'t Trial<'t>,
    key: String,
    way: Move,
}

impl<'t> Leaving<'t> {
    /// Every way that the store offers, with each of the calls.
    fn all(t: &'t Trial<'t>, calls: &'t [Move]) -> impl Iterator<Item = (Self, Move)> {
        let ways = WAYS.iter().filter(|way| t.offers(**way));
        ways.flat_map(move |way| {
            let offered = calls.iter().filter(|call| t.offers(**call));
            offered
                .map(move |call| (Self { t, key: format!("{way:?} {call:?}"), way: *way }, *call))
        })
    }

    /// Takes the way; the versions that the key had until then.
    async fn go(&self, start: Start) -> Result<Vec<Version>, Failure> {
        let Self { t, key, way } = self;
        let mut versions = vec![t.begin(key, start).await?];
        way.run(t.handle(key.len()), key, OLD, &versions[0]).await?;
        if let Some(entry) = t.store().get(key).await? {
            versions.push(entry.version);
            t.outlive(SHORT);
        }
        let left = t.seen(key).await?;
        ensure!(
            left.value.is_none() && left.left.is_none(),
            "{key:?} is still there after {way:?}"
        );
        Ok(versions)
    }
}

/// Fails unless nothing can be done under these versions.
async fn match_nothing(t: &Trial<'_>, key: &str, versions: &[Version]) -> Tried {
    let before = t.seen(key).await?;
    for version in versions {
        let condition = Condition::Version(version.clone());
        let write = Write::ALWAYS.condition(condition.clone());
        let outcome = t.try_write(key, "under an old version", write).await?;
        ensure_eq!(outcome, Outcome::ConditionFailed, "set {key:?} under a version from before");
        let deleted = t.store().delete(key, condition).await?;
        ensure!(!deleted, "delete {key:?} under a version from before said true");
    }
    ensure_eq!(t.seen(key).await?, before, "{key:?} after writes under versions from before");
    Ok(())
}

pub(crate) async fn no_version_outlives_its_key_whichever_way_it_goes(t: &Trial<'_>) -> Tried {
    for (leaving, creation) in Leaving::all(t, CREATIONS) {
        let (key, number) = (&leaving.key, leaving.key.len() / 2);
        let versions = leaving.go(Start::Forever).await?;
        match_nothing(t, key, &versions).await?;
        creation.run(t.handle(number), key, "100", &versions[0]).await?;
        match_nothing(t, key, &versions).await?;
    }
    Ok(())
}

/// Where writes are numbered; where values are compared, A after A is A, as is documented.
pub(crate) async fn a_numbered_version_does_not_come_back_with_its_value(t: &Trial<'_>) -> Tried {
    for (leaving, creation) in Leaving::all(t, CREATIONS) {
        if matches!(creation.0, Increment(_)) {
            continue;
        }
        let versions = leaving.go(Start::Forever).await?;
        if versions.iter().any(|version| version.as_number().is_none()) {
            return Ok(());
        }
        let number = leaving.key.len() / 2;
        creation.run(t.handle(number), &leaving.key, OLD, &versions[0]).await?;
        match_nothing(t, &leaving.key, &versions).await?;
    }
    Ok(())
}

pub(crate) async fn keep_keeps_nothing_of_a_key_that_went(t: &Trial<'_>) -> Tried {
    let mut created = Vec::new();
    for (leaving, creation) in Leaving::all(t, CREATIONS) {
        let versions = leaving.go(Start::For(500)).await?;
        creation.run(t.store(), &leaving.key, "100", &versions[0]).await?;
        let left = t.store().ttl(&leaving.key).await?;
        ensure_eq!(left, Some(Remaining::Forever), "ttl of {:?}, created anew", leaving.key);
        created.push(leaving.key);
    }
    t.advance(ms_of(1_000));
    for key in created {
        ensure!(t.store().exists(&key).await?, "{key:?} went with a deadline from before");
    }
    Ok(())
}

pub(crate) async fn an_old_deadline_ends_nothing_that_came_later(t: &Trial<'_>) -> Tried {
    let mut renewed = Vec::new();
    for renewal in RENEWALS.iter().filter(|renewal| t.offers(**renewal)) {
        let key = format!("{renewal:?}");
        let version = t.begin(&key, Start::For(80)).await?;
        renewal.run(t.handle(key.len()), &key, OLD, &version).await?;
        renewed.push(key);
    }
    t.advance(ms_of(200));
    for key in renewed {
        let found = t.value(&key).await?;
        ensure_eq!(found, Some(bytes(OLD)), "get {key:?}, after the deadline from before");
    }
    Ok(())
}

pub(crate) async fn a_counter_that_went_starts_anew_whichever_way_it_goes(t: &Trial<'_>) -> Tried {
    const COUNTS: &[Move] = &[Move(Increment(NEVER), Single), Move(Increment(NEVER), Batch)];
    for (leaving, count) in Leaving::all(t, COUNTS) {
        let versions = leaving.go(Start::Forever).await?;
        let told = count.told(t.store(), &leaving.key, "", &versions[0]).await;
        ensure_eq!(told, "1", "{count:?} of {:?}, which went", leaving.key);
        t.holds(&leaving.key, Some("1")).await?;
    }
    Ok(())
}
