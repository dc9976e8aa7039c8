//! One request through the driver's library.

use std::pin::Pin;

use bytes::Bytes;
use fred::clients::Client;
use fred::error::Error as FredError;
use fred::interfaces::{ClientLike, KeysInterface, LuaInterface};
use fred::types::{CustomCommand, Expiration, Key, SetOptions, Value};

use super::request::{Answer, Only, Request, SetExpiry};
use crate::scripts::Script;

/// The library takes an array of three to five that begins with a word such as `message` or
/// `subscribe` for a notice, drops it, and from then on gives each reply to the wrong caller.
/// The first values of MGET are the program's, so its arrays are kept longer.
const SAFE_ARRAY: usize = 6;

/// Sends one request and waits for the reply. The first poll hands it over.
///
/// `whole` sends a script's source in place of its digest.
pub(super) async fn send(
    client: &Client,
    request: Request,
    whole: bool,
) -> Result<Answer, FredError> {
    // Each behind a pointer: the library's futures are of a kilobyte and more, and one that could
    // be any of them is moved whole several times on its way to the caller.
    let reply: Reply<'_> = match request {
        Request::Mget(keys) => return Box::pin(mget(client, keys)).await,
        Request::Get(key) => Box::pin(client.get(key)),
        Request::GetDel(key) => Box::pin(client.getdel(key)),
        Request::Set { key, value, expiry, only } => {
            Box::pin(client.set(key, value, expiration(expiry), option(only), false))
        }
        Request::IncrBy(key, by) => Box::pin(client.incr_by(key, by)),
        Request::Exists(key) => Box::pin(client.exists(key)),
        Request::Pttl(key) => Box::pin(client.pttl(key)),
        Request::Pexpire(key, millis) => {
            Box::pin(custom(client, "PEXPIRE", vec![key, decimal(millis)]))
        }
        Request::Del(keys) => Box::pin(client.del(to_keys(keys))),
        Request::Mset(pairs) => {
            let args = pairs.into_iter().flat_map(|(key, value)| [key, value]).collect();
            Box::pin(custom(client, "MSET", args))
        }
        Request::Scan { cursor, pattern, count } => {
            Box::pin(client.scan_page(cursor, pattern, Some(count), None))
        }
        Request::Blpop { mut keys, wait } => {
            keys.push(decimal(wait.as_secs_f64()));
            Box::pin(custom(client, "BLPOP", keys))
        }
        Request::Script { script, keys, args } => Box::pin(run(client, script, keys, args, whole)),
        Request::Time => Box::pin(custom(client, "TIME", Vec::new())),
        Request::Ping => Box::pin(client.ping(None)),
        Request::Info => Box::pin(client.info(None)),
    };
    Ok(answer(reply.await?))
}

type Reply<'a> = Pin<Box<dyn Future<Output = Result<Value, FredError>> + Send + 'a>>;

async fn run(
    client: &Client,
    script: &'static Script,
    keys: Vec<Bytes>,
    args: Vec<Bytes>,
    whole: bool,
) -> Result<Value, FredError> {
    let keys = to_keys(keys);
    if whole {
        client.eval(script.source, keys, args).await
    } else {
        client.evalsha(script.sha1, keys, args).await
    }
}

async fn mget(client: &Client, mut keys: Vec<Bytes>) -> Result<Answer, FredError> {
    let wanted = keys.len();
    if let Some(last) = keys.last().cloned() {
        keys.resize(wanted.max(SAFE_ARRAY), last);
    }
    let mut answer = answer(client.mget(to_keys(keys)).await?);
    if let Answer::List(values) = &mut answer {
        values.truncate(wanted);
    }
    Ok(answer)
}

/// A command that the library has no name for, or a worse one.
async fn custom(client: &Client, name: &'static str, args: Vec<Bytes>) -> Result<Value, FredError> {
    client.custom(CustomCommand::new_static(name, None::<u16>, false), args).await
}

fn to_keys(keys: Vec<Bytes>) -> Vec<Key> {
    keys.into_iter().map(Key::from).collect()
}

/// A number as the server reads it.
pub(crate) fn decimal<N: ToString + Copy>(number: N) -> Bytes {
    Bytes::from(number.to_string())
}

fn expiration(expiry: SetExpiry) -> Option<Expiration> {
    match expiry {
        SetExpiry::Never => None,
        SetExpiry::Keep => Some(Expiration::KEEPTTL),
        SetExpiry::Millis(millis) => Some(Expiration::PX(millis.try_into().unwrap_or(i64::MAX))),
    }
}

fn option(only: Only) -> Option<SetOptions> {
    match only {
        Only::Always => None,
        Only::IfAbsent => Some(SetOptions::NX),
        Only::IfPresent => Some(SetOptions::XX),
    }
}

fn answer(value: Value) -> Answer {
    match value {
        Value::Null => Answer::Nil,
        Value::Integer(number) => Answer::Int(number),
        Value::String(text) => Answer::Data(text.into_inner()),
        Value::Bytes(bytes) => Answer::Data(bytes),
        Value::Array(values) => Answer::List(values.into_iter().map(answer).collect()),
        Value::Boolean(_) | Value::Double(_) | Value::Queued | Value::Map(_) => Answer::Other,
    }
}
