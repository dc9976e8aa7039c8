//! Errors name keys, never values.

use std::error::Error as _;
use std::fmt::Write as _;

use kv_core::{
    Capabilities, Command, Condition, Cursor, Durability, Error, Lifetime, Pattern, Result,
    ScanRequest, Write,
};

use super::Tried;
use crate::failure::ensure;
use crate::moves::{Move, Route, Verb, When, run};
use crate::trial::{bytes, millis};
use crate::{Failure, Trial};

use Route::{Batch, Many, Single};

/// Two values that are nowhere else: a text, and a number close to the end of its range.
const TEXT: &str = "hunter2-correct-horse";
const NUMBER: &str = "9223372036854775123";

const ZERO: Lifetime = Lifetime::In(std::time::Duration::ZERO);

/// Everything that an error prints, its causes included.
fn prints(error: &Error) -> String {
    let mut text = format!("{error}\n{error:?}\n{error:#?}\n");
    let mut cause = error.source();
    while let Some(one) = cause {
        let _ = writeln!(text, "{one}\n{one:?}");
        cause = one.source();
    }
    text
}

/// How a value can appear: as it is, as a list of bytes, in hexadecimal.
fn forms(value: &str) -> [String; 4] {
    let list: Vec<String> = value.bytes().take(8).map(|byte| byte.to_string()).collect();
    let hex: String = value.bytes().take(8).map(|byte| format!("{byte:02x}")).collect();
    let start = value.chars().take(8).collect();
    [start, list.join(", "), hex.to_uppercase(), hex]
}

/// Fails if an error shows a value that was stored or handed in.
fn is_silent<T>(what: &str, result: Result<T>) -> Tried {
    let Err(error) = result else { return Ok(()) };
    let text = prints(&error);
    for value in [TEXT, NUMBER] {
        let shown = forms(value).into_iter().find(|form| text.contains(form.as_str()));
        ensure!(shown.is_none(), "the error of {what} shows a value: {text}");
    }
    Ok(())
}

/// Fails if a call by any route shows a value.
async fn all_silent(t: &Trial<'_>, key: &str, verbs: &[Verb]) -> Tried {
    let version = kv_core::Version::of_value(bytes(TEXT));
    for verb in verbs {
        for route in [Single, Many, Batch] {
            let call = Move(*verb, route);
            let result = run(t.store(), route, call.command(key, TEXT, &version)).await;
            is_silent(&format!("{call:?} of {key:?}"), result)?;
        }
    }
    Ok(())
}

/// Calls that a store refuses for what is asked, for what it finds, or for what it lacks.
const REFUSED: &[Verb] = &[
    Verb::Set(ZERO, When::Always),
    Verb::Set(ZERO, When::Version),
    Verb::Touch(ZERO),
    Verb::Increment(ZERO),
    Verb::Increment(Lifetime::Never),
    Verb::Set(millis(50), When::Absent),
    Verb::Set(Lifetime::Never, When::Version),
    Verb::Delete(When::Version),
    Verb::Delete(When::Absent),
    Verb::Touch(millis(50)),
];

pub(crate) async fn no_error_of_a_verb_shows_a_value(t: &Trial<'_>) -> Tried {
    t.put("text", TEXT).await?;
    all_silent(t, "text", REFUSED).await?;
    all_silent(t, "missing", REFUSED).await?;
    t.put("number", NUMBER).await?;
    let add = |by| Command::Increment { key: "number".into(), by, lifetime: Lifetime::Never };
    for route in [Single, Batch] {
        is_silent("an increment that overflows", run(t.store(), route, add(1_000)).await)?;
    }
    let many = t.store().set_many(vec![("text".into(), bytes(TEXT)); 2], ZERO).await;
    is_silent("set_many", many)
}

pub(crate) async fn no_error_of_the_store_shows_a_value(t: &Trial<'_>) -> Tried {
    t.put("text", TEXT).await?;
    let pattern = Pattern::new("*")?;
    let cursor = Cursor::new("no cursor of this store's");
    let request = ScanRequest { pattern: &pattern, cursor: Some(&cursor), limit: 10 };
    is_silent("scan", t.store().scan(request).await)?;
    let durability = Durability::replicas(0).within(std::time::Duration::ZERO);
    let write = Write::ALWAYS.condition(Condition::Present);
    is_silent("set_durable", t.store().set_durable("text", bytes(TEXT), write, durability).await)?;
    if t.declares(Capabilities::COUNTERS) {
        let typed = t.typed();
        is_silent("Store::take", typed.take::<i64>("text").await)?;
    }
    t.store().close().await?;
    if t.closes() {
        all_silent(t, "text", REFUSED).await?;
        all_silent(t, "text", &[Verb::Get, Verb::Set(Lifetime::Never, When::Always)]).await?;
    }
    Ok(())
}

/// What is refused for what was asked, or found, was not begun.
pub(crate) async fn a_refused_call_says_that_nothing_was_applied(t: &Trial<'_>) -> Tried {
    t.put("text", TEXT).await?;
    let version = kv_core::Version::of_value(bytes(TEXT));
    let zero = [Verb::Set(ZERO, When::Always), Verb::Increment(Lifetime::Never), Verb::Touch(ZERO)];
    for verb in zero {
        for route in [Single, Batch] {
            let call = Move(verb, route);
            let Err(error) = run(t.store(), route, call.command("text", TEXT, &version)).await
            else {
                return Err(Failure::new(format!("{call:?} of a text was done")));
            };
            let effect = error.effect();
            ensure!(effect == kv_core::Effect::NotApplied, "{call:?}: {effect:?}: {error}");
        }
    }
    t.holds("text", Some(TEXT)).await
}
