//! Much at once: large values, many keys.

use kv_core::{Bytes, Command, Condition, Lifetime, Reply, Write};

use super::Tried;
use crate::failure::{ensure, ensure_eq};
use crate::{Failure, Trial};

const NEVER: Lifetime = Lifetime::Never;

/// One more than a limit of a thousand, of what one statement of SQL takes, and of 15 bits.
const MANY: usize = 33_001;

fn filled(length: usize) -> Bytes {
    (0..length).map(|place| u8::try_from(place % 251).unwrap_or_default()).collect()
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("k{number}")).collect()
}

fn borrowed(names: &[String]) -> Vec<&str> {
    names.iter().map(String::as_str).collect()
}

async fn set(t: &Trial<'_>, names: &[String]) -> Result<(), Failure> {
    let pairs = names.iter().map(|name| (name.clone(), Bytes::from(name.clone())));
    Ok(t.store().set_many(pairs.collect(), NEVER).await?)
}

async fn is_kept(t: &Trial<'_>, key: &str, value: &Bytes) -> Tried {
    let (found, length) = (t.value(key).await?, value.len());
    ensure!(
        found.as_ref() == Some(value),
        "get {key:?}: a value of {length} bytes came back changed"
    );
    Ok(())
}

pub(crate) async fn a_value_beyond_a_mebibyte_is_kept_by_every_verb(t: &Trial<'_>) -> Tried {
    let value = filled((1 << 20) + 1);
    t.store().set("single", value.clone(), Write::ALWAYS).await?;
    t.store().set_many(vec![("many".into(), value.clone())], NEVER).await?;
    let put = Command::Set { key: "batch".into(), value: value.clone(), write: Write::ALWAYS };
    for reply in t.store().execute(vec![put]).await? {
        reply?;
    }
    for key in ["single", "many", "batch"] {
        is_kept(t, key, &value).await?;
    }
    let found = t.store().get_many(&["single", "batch"]).await?;
    let kept = found.iter().flatten().filter(|entry| entry.value == value).count();
    ensure_eq!(kept, 2, "values of a mebibyte and a byte that get_many brings whole");
    let get = Command::Get { key: "many".into() };
    let replies = t.store().execute(vec![get]).await?;
    let whole = |reply: &kv_core::Result<Reply>| matches!(reply, Ok(Reply::Entry(Some(entry))) if entry.value == value);
    ensure!(replies.iter().all(whole), "a batch brings a value of a mebibyte and a byte changed");
    Ok(())
}

pub(crate) async fn a_value_of_sixteen_mebibytes_is_kept(t: &Trial<'_>) -> Tried {
    let value = filled(16 << 20);
    t.store().set("k", value.clone(), Write::ALWAYS).await?;
    is_kept(t, "k", &value).await?;
    ensure!(t.store().delete("k", Condition::Always).await?, "delete of \"k\", 16 MiB, said false");
    Ok(())
}

pub(crate) async fn a_condition_on_a_large_value_holds(t: &Trial<'_>) -> Tried {
    let (value, mut other) = (filled(1 << 20), filled((1 << 20) - 1).to_vec());
    t.store().set("k", value.clone(), Write::ALWAYS).await?;
    let version = t.version("k").await?;
    // Of one length, and alike but for the last byte.
    other.push(0xff);
    t.store().set("k", other.into(), Write::ALWAYS).await?;
    let write = Write::ALWAYS.condition(Condition::Version(version));
    let outcome = t.store().set("k", value, write).await?;
    ensure!(!outcome.is_written(), "set \"k\" under the version of another value of 1 MiB");
    let version = t.version("k").await?;
    let write = Write::ALWAYS.condition(Condition::Version(version));
    t.write("k", "small", write).await?;
    t.holds("k", Some("small")).await
}

/// Fails unless each of the keys, some of them missing or asked for twice, has its own answer.
async fn reads_back(t: &Trial<'_>, keys: &[String]) -> Tried {
    let mut asked = borrowed(keys);
    asked.extend(["missing", "k0", "missing", "k998", "k0"]);
    let found = t.store().get_many(&asked).await?;
    ensure_eq!(found.len(), asked.len(), "answers of get_many to {} keys", asked.len());
    for (key, entry) in asked.iter().zip(found) {
        let found = entry.map(|entry| entry.value);
        let expected = (*key != "missing").then(|| Bytes::from((*key).to_owned()));
        ensure_eq!(found, expected, "get_many of {} keys, {key:?}", asked.len());
    }
    Ok(())
}

/// Fails unless the keys are set, read, walked over and deleted in one call each.
async fn at_once(t: &Trial<'_>, count: usize) -> Tried {
    let names = names(count);
    set(t, &names).await?;
    ensure_eq!(t.scanned("*").await?.len(), count, "keys after set_many of {count}");
    reads_back(t, &names).await?;
    t.put("stays", "v").await?;
    let mut asked = borrowed(&names);
    asked.extend(["missing", "k0", "k0", "k998"]);
    let deleted = t.store().delete_many(&asked).await?;
    ensure_eq!(deleted, count as u64, "delete_many of {} keys, three of them again", asked.len());
    ensure_eq!(t.scanned("*").await?, ["stays"], "keys after delete_many of {count}");
    t.store().delete("stays", Condition::Always).await?;
    Ok(())
}

/// Around what one statement of a database takes.
pub(crate) async fn a_thousand_keys_are_set_read_and_deleted_at_once(t: &Trial<'_>) -> Tried {
    for count in [999, 1_000, 1_001, 2_049] {
        at_once(t, count).await?;
    }
    Ok(())
}

pub(crate) async fn tens_of_thousands_of_keys_are_set_read_and_deleted_at_once(
    t: &Trial<'_>,
) -> Tried {
    at_once(t, MANY).await
}

/// More commands than one statement, round trip or buffer may take.
pub(crate) async fn a_batch_takes_any_number_of_commands(t: &Trial<'_>) -> Tried {
    let names = names(4_000);
    let puts = names.iter().map(|name| Command::Set {
        key: name.clone(),
        value: Bytes::from(name.clone()),
        write: Write::ALWAYS,
    });
    let gets = names.iter().map(|name| Command::Get { key: name.clone() });
    let deletes = names
        .iter()
        .map(|name| Command::Delete { key: name.clone(), condition: Condition::Always });
    let replies = t.store().execute(puts.chain(gets).chain(deletes).collect()).await?;
    ensure_eq!(replies.len(), 12_000, "replies to 12,000 commands");
    for (number, reply) in replies.into_iter().enumerate().skip(4_000) {
        let name = &names[number % 4_000];
        match reply? {
            Reply::Entry(Some(entry)) if number < 8_000 && entry.value == name.as_bytes() => {}
            Reply::Flag(true) if number >= 8_000 => {}
            other => return Err(Failure::new(format!("command {number}, of {name:?}: {other:?}"))),
        }
    }
    ensure!(t.scanned("*").await?.is_empty(), "a key is left after a batch that deletes all");
    Ok(())
}
