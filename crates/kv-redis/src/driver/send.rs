//! One request through the driver's library.

use std::pin::Pin;

use bytes::Bytes;
use fred::clients::Client;
use fred::error::Error as FredError;
use fred::interfaces::{ClientLike, KeysInterface};
use fred::types::{CustomCommand, Expiration, Key, SetOptions, Value};
use kv_core::Durability;

use super::request::{Answer, Durable, Only, Request, SetExpiry};

/// The library takes an array of three to five that begins with a word such as `message` or
/// `subscribe` for a notice, drops it, and from then on gives each reply to the wrong caller.
/// The first values of MGET are the program's, so its arrays are kept longer.
const SAFE_ARRAY: usize = 6;

/// How long a mark lives that was made only to be waited for.
const MARK_MILLIS: u64 = 60_000;

/// Sends one request and waits for the reply. The first poll hands it over.
///
/// `whole` sends a script's source in place of its digest.
pub(super) async fn send(
    client: &Client,
    request: Request,
    whole: bool,
) -> Result<Answer, FredError> {
    if let Request::Durable(durable) = request {
        return durably(client, *durable, whole, false).await;
    }
    let wanted = request.values();
    Ok(answer(reply(client, request, whole).await?).truncated(wanted))
}

/// The same after ASKING, with nothing between the two.
pub(super) async fn ask(client: &Client, request: Request) -> Result<Answer, FredError> {
    if let Request::Durable(durable) = request {
        return durably(client, *durable, true, true).await;
    }
    let wanted = request.values();
    let both = client.pipeline();
    let () = custom(&both, "ASKING", Vec::new()).await.map(drop)?;
    // The pipeline keeps it, and answers that it does.
    let _queued = reply(&both, request, true).await?;
    let mut replies = both.try_all::<Value>().await.into_iter();
    let mut next = || replies.next().unwrap_or_else(|| Err(FredError::new_canceled()));
    // Where the first is refused, the second is sent back to where it came from.
    let _asking = next()?;
    Ok(answer(next()?).truncated(wanted))
}

/// A write, a mark, and the wait for what was written, with nothing between them.
///
/// WAIT keeps the connection from all else, which is why these have one of their own.
async fn durably(
    client: &Client,
    durable: Durable,
    whole: bool,
    is_asking: bool,
) -> Result<Answer, FredError> {
    let Durable { write, marker, durability } = durable;
    let all = client.pipeline();
    let mut writes = vec![write];
    writes.extend(marker.map(mark));
    let asked = usize::from(is_asking) + 1;
    for write in writes {
        if is_asking {
            let _queued = custom(&all, "ASKING", Vec::new()).await?;
        }
        let _queued = reply(&all, write, whole).await?;
    }
    let _queued = wait(&all, durability).await?;
    let mut replies = all.try_all::<Value>().await.into_iter();
    let written = replies.nth(asked - 1).unwrap_or_else(|| Err(FredError::new_canceled()))?;
    // The write is done: that nothing is known of its copies is no refusal of it.
    let reached = replies.try_fold(Value::Null, |_, reply| reply);
    let reached = reached.map_or(Answer::Other, answer);
    Ok(Answer::List(vec![answer(written), reached]))
}

fn mark(marker: Bytes) -> Request {
    Request::Set {
        key: marker,
        value: Bytes::from_static(b"1"),
        expiry: SetExpiry::Millis(MARK_MILLIS),
        only: Only::Always,
    }
}

fn wait<C>(client: &C, durability: Durability) -> Reply<'_>
where
    C: ClientLike + Sync,
{
    let limit = durability.limit().as_millis().max(1);
    let (replicas, limit) = (decimal(durability.wanted_replicas()), decimal(limit));
    if durability.wants_disk() {
        return custom(client, "WAITAOF", vec![decimal(1), replicas, limit]);
    }
    custom(client, "WAIT", vec![replicas, limit])
}

// Each behind a pointer: the library's futures are of a kilobyte and more, and one that could be
// any of them is moved whole several times on its way to the caller.
type Reply<'a> = Pin<Box<dyn Future<Output = Result<Value, FredError>> + Send + 'a>>;

fn reply<C>(client: &C, request: Request, whole: bool) -> Reply<'_>
where
    C: KeysInterface + Sync,
{
    match request {
        Request::Mget(keys) => Box::pin(client.mget(to_keys(padded(keys)))),
        Request::Get(key) => Box::pin(client.get(key)),
        Request::GetDel(key) => Box::pin(client.getdel(key)),
        Request::Set { key, value, expiry, only } => {
            Box::pin(client.set(key, value, expiration(expiry), option(only), false))
        }
        Request::IncrBy(key, by) => Box::pin(client.incr_by(key, by)),
        Request::Exists(key) => Box::pin(client.exists(key)),
        Request::Pttl(key) => Box::pin(client.pttl(key)),
        Request::Pexpire(key, millis) => custom(client, "PEXPIRE", vec![key, decimal(millis)]),
        Request::Del(keys) => Box::pin(client.del(to_keys(keys))),
        Request::Mset(pairs) => {
            let args = pairs.into_iter().flat_map(|(key, value)| [key, value]).collect();
            custom(client, "MSET", args)
        }
        Request::Scan { cursor, pattern, count } => {
            let args = [&cursor, "MATCH", &pattern, "COUNT", &count.to_string()];
            custom(client, "SCAN", to_args(&args))
        }
        Request::Blpop { mut keys, wait } => {
            keys.push(decimal(wait.as_secs_f64()));
            custom(client, "BLPOP", keys)
        }
        Request::Script { script, keys, args } => {
            let (command, text) =
                if whole { ("EVAL", script.source) } else { ("EVALSHA", script.sha1) };
            let head = [Bytes::from_static(text.as_bytes()), decimal(keys.len())];
            custom(client, command, head.into_iter().chain(keys).chain(args).collect())
        }
        // It is several commands: see `durably`.
        Request::Durable(durable) => reply(client, durable.write, whole),
        Request::Time => custom(client, "TIME", Vec::new()),
        Request::Ping => custom(client, "PING", Vec::new()),
        Request::Info => custom(client, "INFO", Vec::new()),
        Request::Role => custom(client, "ROLE", Vec::new()),
        Request::ClusterSlots => custom(client, "CLUSTER", to_args(&["SLOTS"])),
        Request::ClusterNodes => custom(client, "CLUSTER", to_args(&["NODES"])),
        Request::PrimaryOf(master) => {
            let args = to_args(&["GET-MASTER-ADDR-BY-NAME", &master]);
            custom(client, "SENTINEL", args)
        }
    }
}

/// A command that the library has no name for, or a worse one.
fn custom<'a, C>(client: &'a C, name: &'static str, args: Vec<Bytes>) -> Reply<'a>
where
    C: ClientLike + Sync,
{
    Box::pin(client.custom(CustomCommand::new_static(name, None::<u16>, false), args))
}

fn padded(mut keys: Vec<Bytes>) -> Vec<Bytes> {
    if let Some(last) = keys.last().cloned() {
        keys.resize(keys.len().max(SAFE_ARRAY), last);
    }
    keys
}

fn to_args(words: &[&str]) -> Vec<Bytes> {
    words.iter().map(|word| Bytes::copy_from_slice(word.as_bytes())).collect()
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
