//! Many verbs in one go.

use std::time::Duration;

use kv_core::{Command, Condition, ErrorKind, Lifetime, Reply, Result, Write};

use super::Tried;
use crate::failure::{ensure, ensure_eq};
use crate::trial::{bytes, millis, refused};
use crate::{Failure, Trial, answer};

fn get(key: &str) -> Command {
    Command::Get { key: key.to_owned() }
}

fn set(key: &str, value: &str, write: Write) -> Command {
    Command::Set { key: key.to_owned(), value: bytes(value), write }
}

fn put(key: &str, value: &str) -> Command {
    set(key, value, Write::ALWAYS)
}

fn delete(key: &str, condition: Condition) -> Command {
    Command::Delete { key: key.to_owned(), condition }
}

fn told(replies: &[Result<Reply>]) -> Vec<String> {
    replies.iter().map(answer::told).collect()
}

async fn run(t: &Trial<'_>, commands: Vec<Command>) -> Result<Vec<String>, Failure> {
    Ok(told(&t.store().execute(commands).await?))
}

pub(crate) async fn a_batch_runs_in_order_and_answers_in_kind(t: &Trial<'_>) -> Tried {
    let exists = |key: &str| Command::Exists { key: key.to_owned() };
    let ttl = |key: &str| Command::Ttl { key: key.to_owned() };
    let commands = vec![
        get("k"),
        put("k", "1"),
        get("k"),
        put("k", "2"),
        get("k"),
        exists("k"),
        ttl("k"),
        delete("k", Condition::Always),
        delete("k", Condition::Always),
        exists("k"),
        ttl("k"),
        put("left", "3"),
    ];
    let expected = [
        "None",
        "written true",
        "Some(\"1\")",
        "written true",
        "Some(\"2\")",
        "true",
        "Some(Forever)",
        "true",
        "false",
        "false",
        "None",
        "written true",
    ];
    ensure_eq!(run(t, commands).await?, expected, "execute");
    t.holds("k", None).await?;
    t.holds("left", Some("3")).await
}

pub(crate) async fn an_error_in_a_batch_leaves_the_others(t: &Trial<'_>) -> Tried {
    let zero = Write::ALWAYS.lifetime(Lifetime::In(Duration::ZERO));
    let commands = vec![put("a", "1"), set("b", "2", zero), put("c", "3"), get("a")];
    let mut replies = t.store().execute(commands).await?;
    ensure_eq!(replies.len(), 4, "replies to 4 commands");
    let kinds = [ErrorKind::InvalidTtl, ErrorKind::Unsupported];
    refused("a set for no time in a batch", replies.remove(1), &kinds)?;
    ensure_eq!(told(&replies), ["written true", "written true", "Some(\"1\")"], "the others");
    t.holds("a", Some("1")).await?;
    t.holds("b", None).await?;
    t.holds("c", Some("3")).await
}

pub(crate) async fn an_empty_batch_has_no_answers(t: &Trial<'_>) -> Tried {
    ensure!(t.store().execute(Vec::new()).await?.is_empty(), "replies to no commands");
    Ok(())
}

pub(crate) async fn a_batch_of_a_thousand_is_answered_in_full(t: &Trial<'_>) -> Tried {
    let key = |number: usize| format!("k{number}");
    let puts = (0..500).map(|number| put(&key(number), &number.to_string()));
    let gets = (0..500).map(|number| get(&key(number)));
    let replies = run(t, puts.chain(gets).collect()).await?;
    ensure_eq!(replies.len(), 1_000, "replies to 1,000 commands");
    for (number, reply) in replies.iter().skip(500).enumerate() {
        ensure_eq!(*reply, format!("Some(\"{number}\")"), "get {number}");
    }
    Ok(())
}

pub(crate) async fn a_batch_checks_conditions(t: &Trial<'_>) -> Tried {
    let stale = t.put("k", "1").await?;
    t.put("k", "2").await?;
    let when = |condition| Write::ALWAYS.condition(condition);
    let commands = vec![
        set("k", "no", when(Condition::Absent)),
        set("k", "no", when(Condition::Version(stale.clone()))),
        set("new", "no", when(Condition::Present)),
        delete("k", Condition::Version(stale)),
        delete("k", Condition::Absent),
        get("k"),
        set("k", "3", when(Condition::Present)),
        set("new", "4", when(Condition::Absent)),
        Command::Take { key: "k".to_owned() },
        Command::Take { key: "k".to_owned() },
        delete("new", Condition::Present),
    ];
    let expected = [
        "written false",
        "written false",
        "written false",
        "false",
        "false",
        "Some(\"2\")",
        "written true",
        "written true",
        "Some(\"3\")",
        "None",
        "true",
    ];
    ensure_eq!(run(t, commands).await?, expected, "execute");
    ensure!(t.scanned("*").await?.is_empty(), "a key is left");
    Ok(())
}

pub(crate) async fn a_batch_touches(t: &Trial<'_>) -> Tried {
    let touch = |key: &str, lifetime| Command::Touch { key: key.to_owned(), lifetime };
    let ttl = |key: &str| Command::Ttl { key: key.to_owned() };
    let commands = vec![
        set("k", "v", Write::ALWAYS.lifetime(millis(50))),
        ttl("k"),
        touch("k", millis(80)),
        ttl("k"),
        touch("k", Lifetime::Keep),
        ttl("k"),
        touch("missing", millis(80)),
        touch("k", Lifetime::Never),
        ttl("k"),
    ];
    let expected =
        ["written true", "50ms", "true", "80ms", "true", "80ms", "false", "true", "Some(Forever)"];
    ensure_eq!(run(t, commands).await?, expected, "execute");
    t.holds("k", Some("v")).await
}

pub(crate) async fn a_batch_increments(t: &Trial<'_>) -> Tried {
    let add = |by, lifetime| Command::Increment { key: "k".to_owned(), by, lifetime };
    let commands = vec![
        add(40, millis(50)),
        add(2, Lifetime::Never),
        Command::Ttl { key: "k".to_owned() },
        get("k"),
    ];
    ensure_eq!(run(t, commands).await?, ["40", "42", "50ms", "Some(\"42\")"], "execute");
    t.outlive(50);
    ensure_eq!(run(t, vec![add(1, Lifetime::Never)]).await?, ["1"], "execute after the end");
    Ok(())
}
