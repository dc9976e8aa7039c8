//! One request through the driver's library.

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
    let value: Value = match request {
        Request::Get(key) => client.get(key).await?,
        Request::GetDel(key) => client.getdel(key).await?,
        Request::Set { key, value, expiry, only } => {
            client.set(key, value, expiration(expiry), option(only), false).await?
        }
        Request::IncrBy(key, by) => client.incr_by(key, by).await?,
        Request::Exists(key) => client.exists(key).await?,
        Request::Pttl(key) => client.pttl(key).await?,
        Request::Pexpire(key, millis) => {
            custom(client, "PEXPIRE", vec![key, decimal(millis)]).await?
        }
        Request::Del(keys) => client.del(to_keys(keys)).await?,
        Request::Mget(keys) => return mget(client, keys).await,
        Request::Mset(pairs) => {
            let args = pairs.into_iter().flat_map(|(key, value)| [key, value]).collect();
            custom(client, "MSET", args).await?
        }
        Request::Scan { cursor, pattern, count } => {
            client.scan_page(cursor, pattern, Some(count), None).await?
        }
        Request::Script { script, keys, args } => run(client, script, keys, args, whole).await?,
        Request::Blpop { mut keys, wait } => {
            keys.push(decimal(wait.as_secs_f64()));
            custom(client, "BLPOP", keys).await?
        }
        Request::Time => custom(client, "TIME", Vec::new()).await?,
        Request::Ping => client.ping(None).await?,
        Request::Info => client.info(None).await?,
    };
    Ok(answer(value))
}

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
