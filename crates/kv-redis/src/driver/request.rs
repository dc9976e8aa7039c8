//! Requests to a server and its replies, independent of fred.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kv_core::Durability;

use super::access::Access;
use crate::scripts::Script;

/// One command. Never print it, since it holds values.
#[derive(Clone)]
pub(crate) enum Request {
    Get(Bytes),
    GetDel(Bytes),
    Set {
        key: Bytes,
        value: Bytes,
        expiry: SetExpiry,
        only: Only,
    },
    IncrBy(Bytes, i64),
    /// How many of them exist.
    Exists(Vec<Bytes>),
    Pttl(Bytes),
    Pexpire(Bytes, u64),
    Del(Vec<Bytes>),
    Mget(Vec<Bytes>),
    Mset(Vec<(Bytes, Bytes)>),
    Scan {
        cursor: String,
        pattern: String,
        count: u32,
    },
    /// Blocks for at most this long; answers the list and the element taken from it.
    Blpop {
        keys: Vec<Bytes>,
        wait: Duration,
    },
    Script {
        script: &'static Script,
        /// Shared, since all calls on a partition have the same, and a request is copied.
        keys: Arc<[Bytes]>,
        args: Vec<Bytes>,
    },
    /// Answered with the reply and the number of copies; if that number is unknown, with something
    /// other than a number.
    Durable(Box<Durable>),
    Time,
    Ping,
    Info,
    Role,
    ClusterSlots,
    ClusterNodes,
    /// What a Sentinel knows of a name.
    PrimaryOf(String),
}

/// A write, and for how many copies to wait.
#[derive(Clone)]
pub(crate) struct Durable {
    pub(crate) write: Request,
    /// A key of the same slot to write to, so that the wait also covers earlier writes if this
    /// write changes nothing.
    pub(crate) marker: Option<Bytes>,
    pub(crate) durability: Durability,
}

impl Request {
    /// Whether the request may be sent twice.
    pub(crate) fn access(&self) -> Access {
        match self {
            Self::Get(_)
            | Self::Exists(_)
            | Self::Pttl(_)
            | Self::Mget(_)
            | Self::Scan { .. }
            | Self::Time
            | Self::Ping
            | Self::Info
            | Self::Role
            | Self::ClusterSlots
            | Self::ClusterNodes
            | Self::PrimaryOf(_) => Access::Read,
            Self::GetDel(_)
            | Self::Set { .. }
            | Self::IncrBy(..)
            | Self::Pexpire(..)
            | Self::Del(_)
            | Self::Mset(_)
            | Self::Blpop { .. } => Access::Write,
            Self::Script { script, .. } => script.access,
            Self::Durable(durable) => durable.write.access(),
        }
    }

    /// The key that decides which node of a Cluster to ask; further keys are in the same slot.
    pub(crate) fn key(&self) -> Option<&Bytes> {
        match self {
            Self::Get(key)
            | Self::GetDel(key)
            | Self::Set { key, .. }
            | Self::IncrBy(key, _)
            | Self::Pttl(key)
            | Self::Pexpire(key, _) => Some(key),
            Self::Del(keys) | Self::Mget(keys) | Self::Exists(keys) => keys.first(),
            Self::Blpop { keys, .. } => keys.first(),
            Self::Script { keys, .. } => keys.first(),
            Self::Mset(pairs) => pairs.first().map(|(key, _)| key),
            Self::Durable(durable) => durable.write.key(),
            Self::Scan { .. }
            | Self::Time
            | Self::Ping
            | Self::Info
            | Self::Role
            | Self::ClusterSlots
            | Self::ClusterNodes
            | Self::PrimaryOf(_) => None,
        }
    }

    /// How many values of unknown size the reply has.
    pub(super) fn values(&self) -> usize {
        match self {
            Self::Get(_) | Self::GetDel(_) => 1,
            Self::Mget(keys) => values_sent(keys.len()),
            _ => 0,
        }
    }

    /// The bytes of the request's keys, values and arguments.
    pub(super) fn bytes(&self) -> usize {
        let all = |parts: &[Bytes]| parts.iter().map(Bytes::len).sum();
        match self {
            Self::Get(key)
            | Self::GetDel(key)
            | Self::IncrBy(key, _)
            | Self::Pttl(key)
            | Self::Pexpire(key, _) => key.len(),
            Self::Set { key, value, .. } => key.len() + value.len(),
            Self::Del(keys) | Self::Mget(keys) | Self::Exists(keys) | Self::Blpop { keys, .. } => {
                all(keys)
            }
            Self::Mset(pairs) => pairs.iter().map(|(key, value)| key.len() + value.len()).sum(),
            Self::Script { keys, args, .. } => {
                let (keys, args): (usize, usize) = (all(keys), all(args));
                keys + args
            }
            Self::Durable(durable) => durable.write.bytes(),
            Self::Scan { .. }
            | Self::Time
            | Self::Ping
            | Self::Info
            | Self::Role
            | Self::ClusterSlots
            | Self::ClusterNodes
            | Self::PrimaryOf(_) => 0,
        }
    }

    /// The size of the largest value that the request writes.
    pub(super) fn largest_value(&self) -> usize {
        match self {
            Self::Set { value, .. } => value.len(),
            Self::Mset(pairs) => pairs.iter().map(|(_, value)| value.len()).max().unwrap_or(0),
            Self::Durable(durable) => durable.write.largest_value(),
            _ => 0,
        }
    }

    pub(crate) fn script(&self) -> Option<&'static Script> {
        match self {
            Self::Script { script, .. } => Some(script),
            Self::Durable(durable) => durable.write.script(),
            _ => None,
        }
    }
}

/// How SET treats the time to live.
#[derive(Clone, Copy)]
pub(crate) enum SetExpiry {
    Never,
    Keep,
    Millis(u64),
}

/// When SET writes.
#[derive(Clone, Copy)]
pub(crate) enum Only {
    Always,
    IfAbsent,
    IfPresent,
}

/// fred takes an array of three to five elements that begins with a word such as `message` or
/// `subscribe` for a published message, drops it, and then gives each reply to the wrong caller.
/// The first value of an MGET reply is the program's, so MGET always asks for more keys.
pub(super) const SAFE_ARRAY: usize = 6;

/// How many values the reply to a request for this many keys has on the wire.
pub(crate) fn values_sent(keys: usize) -> usize {
    if keys > 1 { keys.max(SAFE_ARRAY) } else { keys }
}

/// A reply that is not an error. Never print it.
pub(crate) enum Answer {
    Nil,
    Int(i64),
    Data(Bytes),
    List(Vec<Answer>),
    /// A reply that none of our commands returns.
    Other,
}

impl Answer {
    /// The first items of a list.
    pub(super) fn truncated(mut self, wanted: Option<usize>) -> Self {
        if let (Self::List(values), Some(wanted)) = (&mut self, wanted) {
            values.truncate(wanted);
        }
        self
    }

    /// The size of a value.
    pub(super) fn bytes(&self) -> Option<usize> {
        match self {
            Self::Data(value) => Some(value.len()),
            Self::Nil | Self::Int(_) | Self::List(_) | Self::Other => None,
        }
    }
}
