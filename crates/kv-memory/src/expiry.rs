//! Which records expire, in the order in which they do.

use std::collections::BTreeSet;

use crate::time::NEVER;

/// A record with a deadline. The version finds it, and tells it from others of the same deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Deadline {
    pub(crate) expires: u64,
    pub(crate) version: u64,
    pub(crate) hash: u64,
}

/// The deadlines of one shard: exactly one for each record that expires, and nothing stale.
#[derive(Default)]
pub(crate) struct Expiry(BTreeSet<Deadline>);

impl Expiry {
    /// Adds a deadline, unless it is [`NEVER`].
    pub(crate) fn add(&mut self, deadline: Deadline) {
        if deadline.expires != NEVER {
            self.0.insert(deadline);
        }
    }

    pub(crate) fn remove(&mut self, deadline: Deadline) {
        if deadline.expires != NEVER {
            self.0.remove(&deadline);
        }
    }

    /// Puts the deadline of a record in the place of the one that it had.
    pub(crate) fn replace(&mut self, before: Deadline, after: Deadline) {
        self.remove(before);
        self.add(after);
    }

    /// The soonest deadline, if it has come.
    pub(crate) fn due(&self, now: u64) -> Option<Deadline> {
        self.0.first().filter(|deadline| deadline.expires <= now).copied()
    }

    /// When the next record expires, or [`NEVER`].
    pub(crate) fn next(&self) -> u64 {
        self.0.first().map_or(NEVER, |deadline| deadline.expires)
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}
