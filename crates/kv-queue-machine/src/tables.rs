//! The tables on which the machine works.

use std::sync::Arc;

use bytes::Bytes;
use kv_core::{Error, Result};

/// An ordered set of members with scores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Set {
    /// Claimable jobs, by the rank of their key, or of their place if they came back.
    Ready,
    /// Jobs that wait for their time, by due stamp.
    Timed,
    /// Leased jobs as `key:token`, by the stamp at which the lease ends.
    Leases,
    /// Dead letters, by the stamp of their death.
    Dead,
    /// Unique keys that end by time, by their end.
    Windows,
    /// Names of sessions, by the stamp at which they are forgotten.
    Sessions,
    /// Claimable jobs with a group: the group, a line feed, and the member that the job would have
    /// in `Ready`. All scores are zero, so the order is that of the names.
    Queued,
    /// Groups with queued jobs that may start one as far as known, by the priority of their first
    /// job and by their turn.
    Ring,
    /// Groups with queued jobs that may not start one before a time, by that stamp.
    Blocked,
    /// Every group with queued jobs or a record, by the stamp at which it is forgotten.
    Groups,
    /// Jobs that are done and kept, by the stamp of their end.
    Done,
}

impl Set {
    /// Every set.
    pub const ALL: [Self; 11] = [
        Self::Ready,
        Self::Timed,
        Self::Leases,
        Self::Dead,
        Self::Windows,
        Self::Sessions,
        Self::Queued,
        Self::Ring,
        Self::Blocked,
        Self::Groups,
        Self::Done,
    ];
}

/// Bytes under keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Map {
    /// What differs from a fresh job, by job key; what is kept of its past, by job key and `h`; and
    /// times by which the age of waiting jobs is told, under `marks`.
    Job,
    /// Bodies, by job key.
    Body,
    /// States of checkpoints, and what kept jobs returned, by job key.
    Checkpoint,
    /// Keys of jobs, by unique key.
    Unique,
    /// Last requests, by name of a session.
    Session,
    /// What a group has beside its jobs, by name of the group.
    Group,
}

impl Map {
    /// Every map.
    pub const ALL: [Self; 6] =
        [Self::Job, Self::Body, Self::Checkpoint, Self::Unique, Self::Session, Self::Group];
}

/// A number below 2^53, zero at first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Counter {
    /// Jobs ever added: the last sequence number.
    Sequence,
    /// The last token.
    Token,
    /// Jobs ever done.
    Done,
    /// Jobs ever cancelled.
    Cancelled,
    /// Dead letters ever dropped: too many, too old, or removed by an operator.
    Evicted,
    /// 1 while claims are paused.
    Paused,
    /// The last turn that a group, or the jobs without one, were given.
    Turn,
    /// The turn of the jobs without a group.
    PlainTurn,
}

impl Counter {
    /// Every counter.
    pub const ALL: [Self; 8] = [
        Self::Sequence,
        Self::Token,
        Self::Done,
        Self::Cancelled,
        Self::Evicted,
        Self::Paused,
        Self::Turn,
        Self::PlainTurn,
    ];
}

/// A member of a set.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Member {
    /// The set is ordered by this number; below 2^53.
    pub score: u64,
    /// Orders members of equal scores, by its bytes.
    pub name: Arc<str>,
}

/// The tables of one partition: sorted sets, hashes and numbers, as a host stores them.
///
/// A host runs one step of the [`Machine`](crate::Machine) at a time on a partition's tables: under
/// a lock, in a transaction, or on a copy that it writes back if nobody else wrote.
///
/// # Errors
/// A method fails only if the host cannot read or write.
#[expect(clippy::missing_errors_doc, reason = "said once for all methods")]
pub trait Tables {
    /// Adds a member, or moves it to another score.
    fn insert(&mut self, set: Set, score: u64, name: &str) -> Result<()>;

    /// Removes a member. Returns whether it was there.
    fn remove(&mut self, set: Set, name: &str) -> Result<bool>;

    /// The score of a member.
    fn score(&self, set: Set, name: &str) -> Result<Option<u64>>;

    /// The first `limit` members.
    fn first(&self, set: Set, limit: usize) -> Result<Vec<Member>>;

    /// The first `limit` members whose score is at most `score`.
    fn first_until(&self, set: Set, score: u64, limit: usize) -> Result<Vec<Member>>;

    /// The first `limit` members after this one; from the beginning if it is not there.
    fn first_after(&self, set: Set, name: &str, limit: usize) -> Result<Vec<Member>>;

    /// The first `limit` members that come after this one in the order, be it there or not.
    fn first_beyond(&self, set: Set, member: &Member, limit: usize) -> Result<Vec<Member>>;

    /// The one member whose name begins with a prefix. It may cost as much as the set has members,
    /// and is not needed to run a queue.
    fn find(&self, set: Set, prefix: &str) -> Result<Option<Member>>;

    /// The first `limit` members whose names begin with a prefix, of a set whose scores are all
    /// zero. The prefix ends with a character of one byte.
    fn first_under(&self, set: Set, prefix: &str, limit: usize) -> Result<Vec<Member>>;

    /// How many members of such a set have names that begin with such a prefix. The cost may grow
    /// with their number.
    fn len_under(&self, set: Set, prefix: &str) -> Result<u64>;

    /// The number of members.
    fn len(&self, set: Set) -> Result<u64>;

    /// The bytes under a key.
    fn get(&self, map: Map, key: &str) -> Result<Option<Bytes>>;

    /// The size in bytes of the value under a key. If a host stores only a name here and the value
    /// elsewhere, the size of the value.
    fn size(&self, map: Map, key: &str) -> Result<Option<usize>> {
        Ok(self.get(map, key)?.map(|value| value.len()))
    }

    /// Some keys of a map that come after this one in the order of their bytes, with their values.
    /// It may cost as much as the map has keys, and is not needed to run a queue.
    fn walk(&self, map: Map, after: &str, limit: usize) -> Result<Vec<(String, Bytes)>> {
        let _ = (map, after, limit);
        Err(Error::unsupported("listing the keys of a queue"))
    }

    /// Stores bytes under a key.
    fn put(&mut self, map: Map, key: &str, value: Bytes) -> Result<()>;

    /// Deletes a key. Returns whether it was there.
    fn delete(&mut self, map: Map, key: &str) -> Result<bool>;

    /// Removes all members of all sets and all keys of all maps, at a cost that does not depend on
    /// their number. Counters stay.
    fn clear(&mut self) -> Result<()>;

    /// A counter's value.
    fn counter(&self, counter: Counter) -> Result<u64>;

    /// Gives a counter a value.
    fn set_counter(&mut self, counter: Counter, value: u64) -> Result<()>;
}
