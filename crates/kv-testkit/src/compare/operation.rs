//! One operation, as both sides are told it: keys by number, versions by when they were seen.

use std::fmt;

use kv_core::Lifetime;

use crate::show::{bytes, list};

/// The names of a sequence's keys, behind its prefix.
pub(super) const KEYS: [&str; 4] = ["a", "ab", "a*", "é"];

/// A key by its number.
pub(super) type Key = usize;

/// A value, whose `Debug` is short.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Text(pub(super) String);

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&bytes(self.0.as_bytes()))
    }
}

/// Many items, the first of which are shown.
#[derive(Clone)]
pub(super) struct Many<T>(pub(super) Vec<T>);

impl<T: fmt::Debug> fmt::Debug for Many<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&list(&self.0, |item| format!("{item:?}")))
    }
}

/// A condition, without a version that only one side would know.
#[derive(Clone, Copy, Debug)]
pub(super) enum When {
    Always,
    Absent,
    Present,
    /// The version seen so many looks at the key ago; as `Absent` if none was.
    Seen(usize),
}

/// What is done with one key.
#[derive(Clone, Debug)]
pub(super) enum Verb {
    Get,
    Set { value: Text, lifetime: Lifetime, when: When },
    Delete { when: When },
    Exists,
    Ttl,
    Touch { lifetime: Lifetime },
    Take,
    Increment { by: i64, lifetime: Lifetime },
}

impl Verb {
    /// The same, if a version may no longer be used.
    pub(super) fn without_version(&self) -> Self {
        match self.clone() {
            Self::Set { value, lifetime, when: When::Seen(_) } => {
                Self::Set { value, lifetime, when: When::Absent }
            }
            Self::Delete { when: When::Seen(_) } => Self::Delete { when: When::Absent },
            other => other,
        }
    }
}

#[derive(Clone, Debug)]
pub(super) enum Operation {
    One(Key, Verb),
    Batch(Vec<(Key, Verb)>),
    GetMany(Many<Key>),
    SetMany(Many<(Key, Text)>, Lifetime),
    DeleteMany(Many<Key>),
    Scan(&'static str),
}

impl Operation {
    /// The keys that it is about.
    pub(super) fn keys(&self) -> Vec<Key> {
        match self {
            Self::One(key, _) => vec![*key],
            Self::Batch(commands) => commands.iter().map(|(key, _)| *key).collect(),
            Self::GetMany(keys) | Self::DeleteMany(keys) => keys.0.clone(),
            Self::SetMany(pairs, _) => pairs.0.iter().map(|(key, _)| *key).collect(),
            Self::Scan(_) => (0..KEYS.len()).collect(),
        }
    }
}
