//! One request through fred.

use bytes::Bytes;
use fred::clients::Client;
use fred::error::Error as FredError;
use fred::interfaces::ClientLike;
use fred::types::{CustomCommand, Value};
use kv_core::Durability;

use super::error;
use super::loaded::Loaded;
use super::request::{Answer, Durable, Only, Request, SAFE_ARRAY, SetExpiry};

/// How long a mark lives that is written only for a WAIT.
const MARK_MILLIS: u64 = 60_000;

/// How a request is sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum SendMode {
    /// A script by its digest. If the server does not know it, it was not executed, and is sent
    /// whole.
    Plain,
    /// A script with its source.
    Whole,
    /// After ASKING, with nothing between the two, since another server redirected it here this
    /// once; a script whole.
    Asking,
}

/// Sends one request and waits for the reply. The first poll hands it over.
pub(super) async fn send(
    client: &Client,
    request: Request,
    mode: SendMode,
    loaded: &Loaded,
    server: &str,
) -> Result<Answer, FredError> {
    let script = match mode {
        SendMode::Plain => request.script().map(|script| (script, loaded.now(), request.clone())),
        SendMode::Whole | SendMode::Asking => None,
    };
    let result = once(client, request, mode).await;
    let (script, sent, request) = match (&result, script) {
        (Err(fault), Some(script)) if error::is_unknown_script(fault) => script,
        _ => return result,
    };
    if loaded.missed(script, sent) {
        tracing::info!(server, "redis forgot its scripts; sending them again");
    } else {
        tracing::debug!(server, script = script.name, "redis does not know a script; sending it");
    }
    let result = Box::pin(once(client, request, SendMode::Whole)).await;
    if result.is_ok() {
        loaded.loaded(script);
    }
    result
}

async fn once(client: &Client, request: Request, mode: SendMode) -> Result<Answer, FredError> {
    let wanted = match &request {
        Request::Mget(keys) => Some(keys.len()),
        _ => None,
    };
    let value = match request {
        Request::Durable(durable) => return Box::pin(durably(client, *durable, mode)).await,
        request if mode == SendMode::Asking => Box::pin(ask(client, request)).await,
        request => reply(client, request, mode == SendMode::Whole).await,
    };
    Ok(answer(value?).truncated(wanted))
}

async fn ask(client: &Client, request: Request) -> Result<Value, FredError> {
    let both = client.pipeline();
    let _queued = custom(&both, "ASKING", Vec::new()).await?;
    // The pipeline queues the command, and answers that.
    let _queued = reply(&both, request, true).await?;
    let mut replies = both.try_all::<Value>().await.into_iter();
    let mut next = || replies.next().unwrap_or_else(|| Err(FredError::new_canceled()));
    // If the first is refused, the node redirects the second back.
    let _asking = next()?;
    next()
}

/// A write, a mark, and a WAIT, with nothing between them.
///
/// WAIT blocks the connection, so these commands use a separate one.
async fn durably(client: &Client, durable: Durable, mode: SendMode) -> Result<Answer, FredError> {
    let (whole, is_asking) = (mode != SendMode::Plain, mode == SendMode::Asking);
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
    // The write is done, even if the number of its copies is unknown.
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

async fn wait<C>(client: &C, durability: Durability) -> Result<Value, FredError>
where
    C: ClientLike + Sync,
{
    let limit = durability.limit().as_millis().max(1);
    let (replicas, limit) = (decimal(durability.wanted_replicas()), decimal(limit));
    if durability.wants_disk() {
        return custom(client, "WAITAOF", vec![decimal(1), replicas, limit]).await;
    }
    custom(client, "WAIT", vec![replicas, limit]).await
}

/// All requests are sent in one way: each of fred's methods would add a future of its own to every
/// future around this one, and all of these are compiled again wherever they are polled.
async fn reply<C>(client: &C, request: Request, whole: bool) -> Result<Value, FredError>
where
    C: ClientLike + Sync,
{
    let (name, args) = command(request, whole);
    custom(client, name, args).await
}

/// The command's name, and its arguments.
fn command(request: Request, whole: bool) -> (&'static str, Vec<Bytes>) {
    match request {
        Request::Mget(keys) => ("MGET", padded(keys)),
        Request::Get(key) => ("GET", vec![key]),
        Request::GetDel(key) => ("GETDEL", vec![key]),
        Request::Set { key, value, expiry, only } => ("SET", set(key, value, expiry, only)),
        Request::IncrBy(key, by) => ("INCRBY", vec![key, decimal(by)]),
        Request::Exists(keys) => ("EXISTS", keys),
        Request::Pttl(key) => ("PTTL", vec![key]),
        Request::Del(keys) => ("DEL", keys),
        // This request is several commands: see `durably`.
        Request::Durable(durable) => command(durable.write, whole),
        Request::Pexpire(key, millis) => ("PEXPIRE", vec![key, decimal(millis)]),
        Request::Mset(pairs) => {
            ("MSET", pairs.into_iter().flat_map(|(key, value)| [key, value]).collect())
        }
        Request::Scan { cursor, pattern, count } => {
            ("SCAN", to_args(&[&cursor, "MATCH", &pattern, "COUNT", &count.to_string()]))
        }
        Request::Blpop { mut keys, wait } => {
            keys.push(decimal(wait.as_secs_f64()));
            ("BLPOP", keys)
        }
        Request::Script { script, keys, args } => {
            let (command, text) =
                if whole { ("EVAL", script.source) } else { ("EVALSHA", script.sha1) };
            let head = [Bytes::from_static(text.as_bytes()), decimal(keys.len())];
            (command, head.into_iter().chain(keys.iter().cloned()).chain(args).collect())
        }
        Request::Time => ("TIME", Vec::new()),
        Request::Ping => ("PING", Vec::new()),
        Request::Info => ("INFO", Vec::new()),
        Request::Role => ("ROLE", Vec::new()),
        Request::ClusterSlots => ("CLUSTER", to_args(&["SLOTS"])),
        Request::ClusterNodes => ("CLUSTER", to_args(&["NODES"])),
        Request::PrimaryOf(master) => ("SENTINEL", to_args(&["GET-MASTER-ADDR-BY-NAME", &master])),
    }
}

fn set(key: Bytes, value: Bytes, expiry: SetExpiry, only: Only) -> Vec<Bytes> {
    let word = |word: &'static str| Bytes::from_static(word.as_bytes());
    let mut args = vec![key, value];
    match expiry {
        SetExpiry::Never => {}
        SetExpiry::Keep => args.push(word("KEEPTTL")),
        SetExpiry::Millis(millis) => {
            args.extend([word("PX"), decimal(millis.min(i64::MAX.unsigned_abs()))]);
        }
    }
    match only {
        Only::Always => {}
        Only::IfAbsent => args.push(word("NX")),
        Only::IfPresent => args.push(word("XX")),
    }
    args
}

pub(super) async fn custom<C>(
    client: &C,
    name: &'static str,
    args: Vec<Bytes>,
) -> Result<Value, FredError>
where
    C: ClientLike + Sync,
{
    client.custom(CustomCommand::new_static(name, None::<u16>, false), args).await
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

/// A number as the server reads it.
pub(crate) fn decimal<N: ToString + Copy>(number: N) -> Bytes {
    Bytes::from(number.to_string())
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
