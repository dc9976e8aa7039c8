//! Verbs as data, so that many travel in one round trip.

use std::fmt;

use bytes::Bytes;

use crate::{CheckedRate, Condition, Decision, Entry, Lifetime, Outcome, Remaining, Write};

/// One verb of [`KeyValueStore::execute`](crate::KeyValueStore::execute), with the meaning of the
/// method of the same name.
#[derive(Clone)]
#[non_exhaustive]
#[expect(missing_docs, reason = "fields are the parameters of the method of the same name")]
pub enum Command {
    /// Answers [`Reply::Entry`].
    Get { key: String },
    /// Answers [`Reply::Outcome`].
    Set { key: String, value: Bytes, write: Write },
    /// Answers [`Reply::Flag`].
    Delete { key: String, condition: Condition },
    /// Answers [`Reply::Flag`].
    Exists { key: String },
    /// Answers [`Reply::Remaining`].
    Ttl { key: String },
    /// Answers [`Reply::Flag`].
    Touch { key: String, lifetime: Lifetime },
    /// Answers [`Reply::Entry`].
    Take { key: String },
    /// Answers [`Reply::Number`].
    Increment { key: String, by: i64, lifetime: Lifetime },
    /// Decides in one atomic step, by the store's clock, and answers [`Reply::Decision`]. Not a
    /// method: a backend without it refuses it, and [`Limiter`](crate::Limiter) uses conditional
    /// writes then. The key holds the stored time of [`CheckedRate::decide`] as decimal text.
    Limit { key: String, rate: CheckedRate },
}

impl Command {
    /// The command's key.
    pub fn key(&self) -> &str {
        match self {
            Self::Get { key }
            | Self::Set { key, .. }
            | Self::Delete { key, .. }
            | Self::Exists { key }
            | Self::Ttl { key }
            | Self::Touch { key, .. }
            | Self::Take { key }
            | Self::Increment { key, .. }
            | Self::Limit { key, .. } => key,
        }
    }

    /// Whether the command may change its key.
    pub(crate) const fn writes(&self) -> bool {
        !matches!(self, Self::Get { .. } | Self::Exists { .. } | Self::Ttl { .. })
    }

    /// The name of the method with this meaning.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Get { .. } => "get",
            Self::Set { .. } => "set",
            Self::Delete { .. } => "delete",
            Self::Exists { .. } => "exists",
            Self::Ttl { .. } => "ttl",
            Self::Touch { .. } => "touch",
            Self::Take { .. } => "take",
            Self::Increment { .. } => "increment",
            Self::Limit { .. } => "limit",
        }
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({:?})", self.name(), self.key())
    }
}

/// The answer to one [`Command`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reply {
    /// To a get or take.
    Entry(Option<Entry>),
    /// To a set.
    Outcome(Outcome),
    /// To a delete, exists or touch.
    Flag(bool),
    /// To a ttl.
    Remaining(Option<Remaining>),
    /// To an increment.
    Number(i64),
    /// To a limit.
    Decision(Decision),
}
