//! One operation, as both sides are told it: keys by number, versions by when they were seen.

use kv_core::Lifetime;

/// The names of a sequence's keys, behind its prefix.
pub(super) const KEYS: [&str; 4] = ["a", "ab", "a*", "é"];

/// A key by its number.
pub(super) type Key = usize;

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
    Set { value: String, lifetime: Lifetime, when: When },
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
    GetMany(Vec<Key>),
    SetMany(Vec<(Key, String)>, Lifetime),
    DeleteMany(Vec<Key>),
    Scan(&'static str),
}

impl Operation {
    /// The keys that it is about.
    pub(super) fn keys(&self) -> Vec<Key> {
        match self {
            Self::One(key, _) => vec![*key],
            Self::Batch(commands) => commands.iter().map(|(key, _)| *key).collect(),
            Self::GetMany(keys) | Self::DeleteMany(keys) => keys.clone(),
            Self::SetMany(pairs, _) => pairs.iter().map(|(key, _)| *key).collect(),
            Self::Scan(_) => (0..KEYS.len()).collect(),
        }
    }
}
