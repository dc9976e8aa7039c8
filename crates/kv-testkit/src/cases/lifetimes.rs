//! Lifetimes by every verb and route that gives, keeps or clears one.

use std::time::Duration;

use kv_core::{Capabilities, Command, Condition, ErrorKind, Lifetime, MAX_LIFETIME, Remaining};

use super::Tried;
use crate::Trial;
use crate::failure::ensure_eq;
use crate::moves::{Move, OLD, Route, Start, Verb, When, run};
use crate::trial::{millis, ms_of, refused};

use Route::{Batch, Many, Single};
use Verb::{Increment, Set, Touch};
use When::{Absent, Always, Present};

const ROUTES: [Route; 3] = [Single, Many, Batch];

/// Every call that treats a lifetime, with this one.
fn calls(t: &Trial<'_>, lifetime: Lifetime) -> Vec<Move> {
    let sets = [Set(lifetime, Always), Set(lifetime, Present), Set(lifetime, When::Version)];
    let by_route = |verb: Verb| ROUTES.map(|route| Move(verb, route));
    let all = sets.into_iter().chain([Touch(lifetime)]).flat_map(by_route);
    let sensible = |call: &Move| call.1 != Many || call.0 == Set(lifetime, Always);
    all.filter(sensible).filter(|call| t.offers(*call)).collect()
}

/// Whole milliseconds and parts, which are rounded up.
const NANOS: [(u64, u64); 5] =
    [(80_000_000, 80), (1, 1), (999_999, 1), (1_000_001, 2), (900_000_000, 900)];

pub(crate) async fn every_verb_that_gives_a_lifetime_gives_it(t: &Trial<'_>) -> Tried {
    // The value that the key has, and another.
    for (start, value) in [
        (Start::Forever, OLD),
        (Start::Forever, "v"),
        (Start::For(500), OLD),
        (Start::For(500), "v"),
    ] {
        for (nanos, ms) in NANOS {
            let lifetime = Lifetime::In(Duration::from_nanos(nanos));
            for (number, call) in calls(t, lifetime).into_iter().enumerate() {
                let key = format!("{start:?} {call:?}");
                let version = t.begin(&key, start).await?;
                call.run(t.handle(number), &key, value, &version).await?;
                t.expires_in(&key, Some(ms)).await?;
            }
        }
    }
    Ok(())
}

pub(crate) async fn every_verb_that_makes_a_key_gives_it_its_lifetime(t: &Trial<'_>) -> Tried {
    let makes = [Set(millis(80), Always), Set(millis(80), Absent), Increment(millis(80))];
    let mut made = Vec::new();
    for verb in makes {
        for call in ROUTES.map(|route| Move(verb, route)).into_iter().filter(|call| t.offers(*call))
        {
            let key = format!("{call:?}");
            let none = kv_core::Version::from_number(0);
            call.run(t.store(), &key, "1", &none).await?;
            t.expires_in(&key, Some(80)).await?;
            made.push(key);
        }
    }
    t.advance(ms_of(79));
    for key in &made {
        t.expires_in(key, Some(1)).await?;
    }
    t.outlive(1);
    for key in &made {
        t.holds(key, None).await?;
    }
    Ok(())
}

pub(crate) async fn every_verb_that_clears_a_lifetime_clears_it(t: &Trial<'_>) -> Tried {
    for call in calls(t, Lifetime::Never) {
        let key = format!("{call:?}");
        let version = t.begin(&key, Start::For(500)).await?;
        call.run(t.store(), &key, OLD, &version).await?;
        t.expires_in(&key, None).await?;
    }
    Ok(())
}

/// The deadline stays where it was: it does not begin anew.
pub(crate) async fn every_verb_that_keeps_a_lifetime_keeps_its_end(t: &Trial<'_>) -> Tried {
    let mut kept = calls(t, Lifetime::Keep);
    let counts = [Increment(Lifetime::Keep), Increment(Lifetime::Never), Increment(millis(900))];
    let counts = counts.into_iter().flat_map(|verb| [Move(verb, Single), Move(verb, Batch)]);
    kept.extend(counts.filter(|call| t.offers(*call)));
    let mut begun = Vec::new();
    for call in kept {
        let key = format!("{call:?}");
        begun.push((t.begin(&key, Start::For(500)).await?, key, call));
    }
    t.advance(ms_of(100));
    for (number, (version, key, call)) in begun.iter().enumerate() {
        call.run(t.handle(number), key, "7", version).await?;
        t.expires_in(key, Some(400)).await?;
    }
    t.outlive(400);
    for (_, key, _) in &begun {
        t.holds(key, None).await?;
    }
    Ok(())
}

pub(crate) async fn every_verb_clamps_a_huge_lifetime_and_refuses_none(t: &Trial<'_>) -> Tried {
    for call in calls(t, Lifetime::In(Duration::MAX)) {
        let key = format!("{call:?}");
        let version = t.begin(&key, Start::For(500)).await?;
        call.run(t.store(), &key, OLD, &version).await?;
        let left = t.store().ttl(&key).await?;
        ensure_eq!(left, Some(Remaining::Expires(MAX_LIFETIME)), "ttl after {call:?}");
    }
    for call in calls(t, Lifetime::In(Duration::ZERO)) {
        let key = format!("{call:?}");
        let version = t.begin(&key, Start::For(500)).await?;
        let result = run(t.store(), call.1, call.command(&key, "v", &version)).await;
        refused(&format!("{call:?}"), result, &[ErrorKind::InvalidTtl])?;
        t.holds(&key, Some(OLD)).await?;
        t.expires_in(&key, Some(500)).await?;
    }
    Ok(())
}

/// A batch meets a key that has expired as one that is not there, whatever the command.
pub(crate) async fn an_expired_key_is_invisible_to_every_command(t: &Trial<'_>) -> Tried {
    let verbs = [
        (Verb::Get, "None"),
        (Verb::Exists, "false"),
        (Verb::Ttl, "None"),
        (Verb::Delete(Always), "false"),
        (Verb::Delete(Present), "false"),
        (Verb::Delete(When::Version), "false"),
        (Verb::Take, "None"),
        (Touch(millis(500)), "false"),
        (Touch(Lifetime::Never), "false"),
        (Set(Lifetime::Never, Present), "written false"),
        (Set(Lifetime::Keep, When::Version), "written false"),
        (Set(Lifetime::Keep, Absent), "written true"),
        (Increment(Lifetime::Never), "1"),
    ];
    let mut begun = Vec::new();
    for (verb, expected) in verbs {
        for call in
            [Move(verb, Single), Move(verb, Batch)].into_iter().filter(|call| t.offers(*call))
        {
            let key = format!("{call:?}");
            begun.push((t.begin(&key, Start::For(50)).await?, key, call, expected));
        }
    }
    t.outlive(50);
    for (number, (version, key, call, expected)) in begun.iter().enumerate() {
        let told = call.told(t.handle(number), key, "v", version).await;
        ensure_eq!(told, *expected, "{call:?} of {key:?}, which has expired");
        if matches!(*expected, "written true" | "1") {
            t.expires_in(key, None).await?;
        } else {
            t.holds(key, None).await?;
        }
    }
    Ok(())
}

/// A number that is created with a lifetime, counted, moved, and counted again.
pub(crate) async fn a_counter_keeps_what_a_touch_gave_it(t: &Trial<'_>) -> Tried {
    let store = t.store();
    store.increment("k", 1, millis(100)).await?;
    store.touch("k", millis(500)).await?;
    store.increment("k", 1, millis(50)).await?;
    t.expires_in("k", Some(500)).await?;
    store.touch("k", Lifetime::Never).await?;
    let add = Command::Increment { key: "k".into(), by: 1, lifetime: millis(50) };
    run(store, Batch, add).await?;
    t.expires_in("k", None).await?;
    t.advance(ms_of(1_000));
    t.holds("k", Some("3")).await
}

pub(crate) async fn a_refused_increment_leaves_lifetime_and_version(t: &Trial<'_>) -> Tried {
    for (number, value) in ["text", &i64::MAX.to_string()].into_iter().enumerate() {
        for route in [Single, Batch] {
            let version = t.put_for("k", value, 500).await?;
            let call = Move(Increment(millis(50)), route);
            let result = run(t.handle(number), route, call.command("k", "", &version)).await;
            refused(&format!("{call:?} of {value:?}"), result, &[ErrorKind::WrongType])?;
            t.holds("k", Some(value)).await?;
            t.expires_in("k", Some(500)).await?;
            if t.declares(Capabilities::CONDITIONS) {
                let deleted = t.store().delete("k", Condition::Version(version)).await?;
                ensure_eq!(deleted, true, "delete under the version before {call:?}, which failed");
            }
        }
    }
    Ok(())
}
