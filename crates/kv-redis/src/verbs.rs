//! Each verb of the contract as one request, and what its reply means.

use std::time::Duration;

use bytes::Bytes;
use kv_core::{
    CheckedRate, Command, Condition, Decision, Entry, Error, ErrorKind, Lifetime, Outcome,
    Remaining, Reply, Result, Version, Write,
};

use crate::driver::{Answer, BUDGET, Only, Request, SetExpiry, decimal, pieces};
use crate::scripts::{DELETE_IF_VALUE, INCREMENT, LIMIT, PERSIST, SET_IF_VALUE};

/// The most bytes that Redis takes in one string.
const LONGEST_VALUE: usize = 512 << 20;

/// How many keys one MGET, MSET or DEL names at most, so that no command blocks the server for
/// long.
pub(crate) const KEYS_AT_ONCE: usize = 1_000;

/// What a command needs from the server.
pub(crate) enum Plan {
    /// Nothing: the arguments decide the answer.
    Known(Reply),
    /// One request.
    Ask(Request, Decode),
}

/// How a reply is read.
pub(crate) enum Decode {
    Entry,
    /// Nil if the condition failed; otherwise the given value is stored.
    Stored(Bytes),
    /// 0 if the condition failed; otherwise the given value is stored.
    Swapped(Bytes),
    Flag,
    Remaining,
    Number,
    /// How many more may happen, or less than zero for the microseconds to wait.
    Decision,
}

/// Turns a command into a request.
pub(crate) fn plan(command: Command) -> Result<Plan> {
    Ok(match command {
        Command::Get { key } => Plan::Ask(Request::Get(key.into()), Decode::Entry),
        Command::Set { key, value, write } => plan_set(key.into(), value, write)?,
        Command::Delete { key, condition } => plan_delete(key.into(), condition),
        Command::Exists { key } => Plan::Ask(Request::Exists(vec![key.into()]), Decode::Flag),
        Command::Ttl { key } => Plan::Ask(Request::Pttl(key.into()), Decode::Remaining),
        Command::Touch { key, lifetime } => plan_touch(key.into(), lifetime)?,
        Command::Take { key } => Plan::Ask(Request::GetDel(key.into()), Decode::Entry),
        Command::Increment { key, by, lifetime } => plan_increment(key.into(), by, lifetime)?,
        Command::Limit { key, rate } => plan_limit(key.into(), rate),
        other => return Err(Error::unsupported(other.name())),
    })
}

fn plan_set(key: Bytes, value: Bytes, write: Write) -> Result<Plan> {
    check_size(&value)?;
    let expiry = expiry(write.lifetime)?;
    let only = match write.condition {
        Condition::Always => Only::Always,
        Condition::Absent => Only::IfAbsent,
        Condition::Present => Only::IfPresent,
        Condition::Version(version) => {
            let Some(expected) = version.as_value() else {
                return Ok(Plan::Known(Reply::Outcome(Outcome::ConditionFailed)));
            };
            let mut args = vec![expected.clone(), value.clone()];
            match expiry {
                SetExpiry::Never => {}
                SetExpiry::Keep => args.push(Bytes::from_static(b"KEEPTTL")),
                SetExpiry::Millis(millis) => {
                    args.extend([Bytes::from_static(b"PX"), decimal(millis)]);
                }
            }
            let request = Request::Script { script: &SET_IF_VALUE, keys: [key].into(), args };
            return Ok(Plan::Ask(request, Decode::Swapped(value)));
        }
    };
    let request = Request::Set { key, value: value.clone(), expiry, only };
    Ok(Plan::Ask(request, Decode::Stored(value)))
}

fn plan_delete(key: Bytes, condition: Condition) -> Plan {
    let never = Plan::Known(Reply::Flag(false));
    match condition {
        Condition::Always | Condition::Present => Plan::Ask(Request::Del(vec![key]), Decode::Flag),
        Condition::Absent => never,
        Condition::Version(version) => match version.as_value() {
            None => never,
            Some(value) => {
                let args = vec![value.clone()];
                Plan::Ask(
                    Request::Script { script: &DELETE_IF_VALUE, keys: [key].into(), args },
                    Decode::Flag,
                )
            }
        },
    }
}

fn plan_touch(key: Bytes, lifetime: Lifetime) -> Result<Plan> {
    let request = match expiry(lifetime)? {
        SetExpiry::Never => {
            Request::Script { script: &PERSIST, keys: [key].into(), args: Vec::new() }
        }
        SetExpiry::Keep => Request::Exists(vec![key]),
        SetExpiry::Millis(millis) => Request::Pexpire(key, millis),
    };
    Ok(Plan::Ask(request, Decode::Flag))
}

fn plan_increment(key: Bytes, by: i64, lifetime: Lifetime) -> Result<Plan> {
    let request = match expiry(lifetime)? {
        SetExpiry::Never | SetExpiry::Keep => Request::IncrBy(key, by),
        SetExpiry::Millis(millis) => Request::Script {
            script: &INCREMENT,
            keys: [key].into(),
            args: vec![decimal(by), decimal(millis)],
        },
    };
    Ok(Plan::Ask(request, Decode::Number))
}

fn plan_limit(key: Bytes, rate: CheckedRate) -> Plan {
    let args = vec![decimal(rate.interval), decimal(rate.window), decimal(rate.cost)];
    Plan::Ask(Request::Script { script: &LIMIT, keys: [key].into(), args }, Decode::Decision)
}

/// How SET treats the time to live.
pub(crate) fn expiry(lifetime: Lifetime) -> Result<SetExpiry> {
    Ok(match lifetime {
        Lifetime::Never => SetExpiry::Never,
        Lifetime::Keep => SetExpiry::Keep,
        Lifetime::In(_) => lifetime.as_millis()?.map_or(SetExpiry::Never, SetExpiry::Millis),
    })
}

/// Refuses, before sending, a value or lifetime that Redis would refuse.
pub(crate) fn check_size(value: &Bytes) -> Result<()> {
    if value.len() <= LONGEST_VALUE {
        return Ok(());
    }
    let message = format!("a value of {} bytes; expected at most {LONGEST_VALUE}", value.len());
    Err(Error::new(ErrorKind::TooLarge, message))
}

/// All keys, as slices of one allocation.
pub(crate) fn keys(keys: &[&str]) -> Vec<Bytes> {
    let mut rest = Bytes::from(keys.concat());
    keys.iter().map(|key| rest.split_to(key.len())).collect()
}

/// One MGET, or a GET for a single key.
pub(crate) fn get_many(mut keys: Vec<Bytes>) -> Request {
    match keys.pop() {
        Some(key) if keys.is_empty() => Request::Get(key),
        last => Request::Mget(keys.into_iter().chain(last).collect()),
    }
}

/// The values of this many keys. A GET here skips a key of another type, as MGET does.
pub(crate) fn entries(answer: Result<Answer>, wanted: usize) -> Result<Vec<Option<Entry>>> {
    let entries = match answer {
        Ok(Answer::List(values)) => values.into_iter().map(entry).collect::<Result<Vec<_>>>()?,
        Ok(value) => vec![entry(value)?],
        Err(error) => return Err(error),
    };
    if entries.len() == wanted { Ok(entries) } else { Err(unexpected()) }
}

/// MSETs for values that never expire, each within the bytes of one request; otherwise a SET for
/// each value.
pub(crate) fn set_many(
    entries: Vec<(String, Bytes)>,
    lifetime: Lifetime,
    together: impl FnOnce(&[Bytes]) -> Vec<Vec<usize>>,
) -> Result<Vec<Request>> {
    let expiry = expiry(lifetime)?;
    entries.iter().try_for_each(|(_, value)| check_size(value))?;
    let (keys, values): (Vec<Bytes>, Vec<Bytes>) =
        entries.into_iter().map(|(key, value)| (Bytes::from(key), value)).unzip();
    if !matches!(expiry, SetExpiry::Never) {
        let set = |(key, value)| Request::Set { key, value, expiry, only: Only::Always };
        return Ok(keys.into_iter().zip(values).map(set).collect());
    }
    let pair = |place: &usize| Some((keys.get(*place)?.clone(), values.get(*place)?.clone()));
    let bytes = |place: &usize| pair(place).map_or(0, |(key, value)| key.len() + value.len());
    let pairs = |places: Vec<usize>| Request::Mset(places.iter().filter_map(pair).collect());
    let together = together(&keys).into_iter();
    Ok(together.flat_map(|places| pieces(places, BUDGET, bytes)).map(pairs).collect())
}

impl Decode {
    /// Reads a reply.
    pub(crate) fn reply(self, answer: Answer) -> Result<Reply> {
        Ok(match (self, answer) {
            (Self::Entry, answer) => Reply::Entry(entry(answer)?),
            (Self::Stored(_), Answer::Nil) | (Self::Swapped(_), Answer::Int(0)) => {
                Reply::Outcome(Outcome::ConditionFailed)
            }
            (Self::Stored(value), Answer::Data(_)) | (Self::Swapped(value), Answer::Int(1)) => {
                Reply::Outcome(Outcome::Written(Version::of_value(value)))
            }
            (Self::Flag, Answer::Int(count)) => Reply::Flag(count > 0),
            (Self::Remaining, Answer::Int(millis)) => Reply::Remaining(remaining(millis)),
            (Self::Number, Answer::Int(number)) => Reply::Number(number),
            (Self::Decision, Answer::Int(number)) => Reply::Decision(Decision::from_number(number)),
            (Self::Number, Answer::Data(text)) => Reply::Number(number(&text)?),
            _ => return Err(unexpected()),
        })
    }
}

/// A value, or `None`.
pub(crate) fn entry(answer: Answer) -> Result<Option<Entry>> {
    match answer {
        Answer::Nil => Ok(None),
        Answer::Data(value) => Ok(Some(Entry { version: Version::of_value(value.clone()), value })),
        Answer::Int(_) | Answer::List(_) | Answer::Other => Err(unexpected()),
    }
}

/// PTTL's reply: -2 for no key, -1 for no time. A key in its last millisecond has 0 left.
pub(crate) fn remaining(millis: i64) -> Option<Remaining> {
    match millis {
        ..=-2 => None,
        -1 => Some(Remaining::Forever),
        _ => Some(Remaining::Expires(Duration::from_millis(millis.max(1).unsigned_abs()))),
    }
}

/// TIME's reply: seconds, and microseconds of the next one.
pub(crate) fn time(answer: Answer) -> Result<Duration> {
    match answer {
        Answer::List(parts) => match parts.as_slice() {
            [Answer::Data(seconds), Answer::Data(micros)] => {
                Ok(Duration::from_secs(number(seconds)?) + Duration::from_micros(number(micros)?))
            }
            _ => Err(unexpected()),
        },
        _ => Err(unexpected()),
    }
}

/// A decimal number, as the server writes it.
pub(crate) fn number<T: std::str::FromStr>(text: &[u8]) -> Result<T> {
    let number = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
    number.ok_or_else(unexpected)
}

/// An error: the reply has a shape that the command never returns.
pub(crate) fn unexpected() -> Error {
    Error::new(ErrorKind::Backend, "the server answered in an unexpected shape")
}
