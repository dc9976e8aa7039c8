//! Keys and values that a store could take for something else, through every verb.

use kv_core::{Bytes, Command, Condition, Lifetime, Write};

use super::Tried;
use super::values::awkward_keys;
use crate::failure::{ensure, ensure_eq};
use crate::moves::{Move, Route, Verb, When, run};
use crate::{Failure, Trial};

use Route::{Batch, Many, Single};

const NEVER: Lifetime = Lifetime::Never;

/// Values that a column of a table, a C string or a parser could change.
fn awkward_values() -> Vec<Bytes> {
    let texts: [&[u8]; 26] = [
        b"",
        b" ",
        b"a ",
        b" a",
        b"a\n",
        b"\n",
        b"\0",
        b"a\0b",
        b"a\0",
        b"\0\0",
        b"1",
        b"01",
        b"1.0",
        b"1e3",
        b"+1",
        b"-0",
        b"9223372036854775808",
        b"0x41",
        b"null",
        b"NULL",
        b"true",
        b"'\"",
        b"\xff",
        b"a\x80",
        b"\xef\xbb\xbf",
        b"\xed\xa0\x80",
    ];
    texts.into_iter().map(Bytes::from_static).collect()
}

const WRITES: &[Move] = &[
    Move(Verb::Set(NEVER, When::Always), Single),
    Move(Verb::Set(NEVER, When::Always), Many),
    Move(Verb::Set(NEVER, When::Always), Batch),
    Move(Verb::Set(NEVER, When::Present), Single),
    Move(Verb::Set(Lifetime::Keep, When::Always), Single),
];

const READS: &[Move] = &[
    Move(Verb::Get, Single),
    Move(Verb::Get, Many),
    Move(Verb::Get, Batch),
    Move(Verb::Take, Single),
    Move(Verb::Take, Batch),
];

/// The value, by each way to read; the last one takes it.
async fn reads(t: &Trial<'_>, key: &str, value: &Bytes, how: Move) -> Tried {
    for read in READS.iter().filter(|read| t.offers(**read)) {
        if read.0 == Verb::Take {
            // What was taken is put back in the plainest way.
            t.store().set(key, value.clone(), Write::ALWAYS).await?;
        }
        let command = read.command(key, "", &kv_core::Version::from_number(0));
        let kv_core::Reply::Entry(entry) = run(t.store(), read.1, command).await? else {
            return Err(Failure::new(format!("{read:?} of {key:?}: no entry for an answer")));
        };
        let found = entry.map(|entry| entry.value);
        ensure!(
            found.as_ref() == Some(value),
            "{read:?} of {key:?} after {how:?}: got {found:?}, expected {value:?}"
        );
    }
    Ok(())
}

pub(crate) async fn a_value_of_any_shape_is_kept_by_every_verb(t: &Trial<'_>) -> Tried {
    for value in awkward_values() {
        for write in WRITES.iter().filter(|write| t.offers(**write)) {
            let key = format!("{write:?}");
            t.put(&key, "another value").await?;
            let Command::Set { key, write: how, .. } =
                write.command(&key, "", &kv_core::Version::from_number(0))
            else {
                continue;
            };
            let set = Command::Set { key: key.clone(), value: value.clone(), write: how };
            run(t.store(), write.1, set).await?;
            reads(t, &key, &value, *write).await?;
        }
    }
    Ok(())
}

/// Where a condition compares values, it compares all of their bytes.
pub(crate) async fn a_condition_tells_like_values_apart(t: &Trial<'_>) -> Tried {
    for like in [
        ["1", "01"],
        ["1", "1.0"],
        ["a", "A"],
        ["a", "a "],
        ["a", "a\0"],
        ["", "\0"],
        ["é", "e\u{301}"],
    ] {
        let [one, other] = like;
        let old = t.put("k", one).await?;
        t.put("k", other).await?;
        let condition = Condition::Version(old);
        let write = Write::ALWAYS.condition(condition.clone());
        let outcome = t.try_write("k", "new", write).await?;
        ensure!(
            !outcome.is_written(),
            "set \"k\", which holds {other:?}, under the version of {one:?}"
        );
        let deleted = t.store().delete("k", condition).await?;
        ensure!(!deleted, "delete \"k\", which holds {other:?}, under the version of {one:?}");
    }
    Ok(())
}

pub(crate) async fn a_key_of_any_shape_is_kept_apart_by_every_verb(t: &Trial<'_>) -> Tried {
    let keys = awkward_keys();
    let names: Vec<&str> = keys.iter().map(String::as_str).collect();
    let value = |number: usize| Bytes::from(number.to_string());
    let pairs = keys.iter().enumerate().map(|(number, key)| (key.clone(), value(number)));
    t.store().set_many(pairs.collect(), NEVER).await?;
    let found = t.store().get_many(&names).await?;
    ensure_eq!(found.len(), keys.len(), "answers of get_many");
    for (number, (key, entry)) in keys.iter().zip(found).enumerate() {
        let found = entry.map(|entry| entry.value);
        ensure_eq!(found, Some(value(number)), "get_many, {key:?}");
    }
    for call in [
        Move(Verb::Get, Batch),
        Move(Verb::Increment(NEVER), Single),
        Move(Verb::Touch(Lifetime::Never), Single),
        Move(Verb::Take, Single),
    ] {
        each_by_itself(t, &keys, call).await?;
    }
    let left = t.scanned("*").await?.len() as u64;
    ensure_eq!(t.store().delete_many(&names).await?, left, "delete_many of every key");
    Ok(())
}

/// One call on each key, each of which holds its number, or by then one more.
async fn each_by_itself(t: &Trial<'_>, keys: &[String], call: Move) -> Tried {
    if !t.offers(call) {
        return Ok(());
    }
    let counted = t.declares(kv_core::Capabilities::COUNTERS);
    for (number, key) in keys.iter().enumerate() {
        let told = call.told(t.store(), key, "", &kv_core::Version::from_number(0)).await;
        let expected = match call.0 {
            Verb::Get => format!("Some(\"{number}\")"),
            Verb::Increment(_) => (number + 1).to_string(),
            Verb::Take => format!("Some(\"{}\")", number + usize::from(counted)),
            _ => "true".to_owned(),
        };
        ensure_eq!(told, expected, "{call:?} of {key:?}");
    }
    Ok(())
}
