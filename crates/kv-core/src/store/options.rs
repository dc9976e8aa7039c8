//! How a typed write differs from a plain one.

use crate::{Condition, Expiry, Result};

/// Options of [`Store::set_with`](crate::Store::set_with).
///
/// ```
/// use kv_core::{Condition, SetOptions};
/// use std::time::Duration;
/// let once = SetOptions::new().ttl(Duration::from_secs(60)).condition(Condition::Absent);
/// # let _ = once;
/// ```
#[derive(Clone, Debug)]
pub struct SetOptions {
    pub(super) expiry: Expiry,
    pub(super) condition: Condition,
    pub(super) tags: Vec<String>,
}

impl SetOptions {
    /// The store's default time to live, and no condition.
    pub const fn new() -> Self {
        Self { expiry: Expiry::Default, condition: Condition::Always, tags: Vec::new() }
    }

    /// How long the key lives.
    #[must_use]
    pub fn ttl(self, expiry: impl Into<Expiry>) -> Self {
        Self { expiry: expiry.into(), ..self }
    }

    /// What must be true of the key for the write.
    #[must_use]
    pub fn condition(self, condition: Condition) -> Self {
        Self { condition, ..self }
    }

    /// A tag of the entry, at most 16: [`Store::invalidate`](crate::Store::invalidate) ends all
    /// entries of a tag at once. A later write without tags ends the entry's tags. Not for batches.
    #[must_use]
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tags.push(tag.into());
        self
    }
}

impl Default for SetOptions {
    fn default() -> Self {
        Self::new()
    }
}

/// What a [`Store`](crate::Store) makes of a stored value that is no `T`, such as one that an
/// earlier version of the program wrote.
///
/// ```
/// # use kv_core::{Store, Undecodable};
/// # fn of(store: &Store) {
/// let cache = store.namespace("pages").with_undecodable(Undecodable::Miss);
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Undecodable {
    /// An error of kind `Serialization` that names the key; the bytes stay as they are.
    #[default]
    Error,
    /// As if there was no value: `get` and `take` answer `None`, `update` begins anew, and
    /// `get_or_set_with` loads. The bytes stay until they are replaced, by their version: a value
    /// that somebody else wrote meanwhile is never overwritten.
    Miss,
}

impl Undecodable {
    pub(super) fn apply<T>(self, decoded: Result<T>) -> Result<Option<T>> {
        match (decoded, self) {
            (Ok(value), _) => Ok(Some(value)),
            (Err(_), Self::Miss) => Ok(None),
            (Err(error), Self::Error) => Err(error),
        }
    }
}
