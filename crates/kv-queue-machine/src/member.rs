//! How members and keys name jobs and leases.

use kv_core::queue::{Handle, JobKey, MAX_STAMP};
use kv_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use crate::tables::{Member, Set};

/// The length of a job's key.
const KEY_BYTES: usize = 14;

/// The place of a job that came back: behind all jobs that had entered or come back by then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    /// The last sequence number given by then.
    pub(crate) sequence: u64,
    /// The time of the return.
    pub(crate) since: u64,
}

/// The member of [`Set::Leases`](crate::Set::Leases) for a delivery: `key:token`.
pub(crate) fn lease(handle: Handle) -> String {
    format!("{}:{}", handle.key, handle.token)
}

pub(crate) fn parse_lease(member: &str) -> Result<Handle> {
    let (key, token) = member.split_once(':').ok_or_else(|| corrupt("a lease"))?;
    let token = token.parse().map_err(|_| corrupt("a lease"))?;
    Ok(Handle { key: parse_key(key)?, token })
}

pub(crate) fn parse_key(member: &str) -> Result<JobKey> {
    member.parse().map_err(|error| corrupt("a job key").because(error))
}

/// The job key of a [`Map::Unique`](crate::Map::Unique) entry.
pub(crate) fn parse_holder(value: &[u8]) -> Result<JobKey> {
    parse_key(std::str::from_utf8(value).map_err(|_| corrupt("a unique key's job"))?)
}

/// The member of [`Set::Ready`](crate::Set::Ready) for a job: its place, if it came back, and its
/// key.
///
/// The member's score is the rank of the place. Between equal scores the bytes decide: first comes
/// the job that entered last before the return, since its member is shorter; then jobs in the order
/// of their returns.
pub(crate) fn ready(key: JobKey, place: Option<&Place>) -> Member {
    let Some(place) = place else {
        return Member { score: key.rank(), name: key.to_string().into() };
    };
    let at = JobKey::new(key.priority(), place.sequence);
    Member { score: at.rank(), name: format!("{at}r{:014x}{key}", place.since).into() }
}

/// The job of a member of [`Set::Ready`](crate::Set::Ready).
pub(crate) fn parse_ready(member: &str) -> Result<JobKey> {
    let at = member.len().checked_sub(KEY_BYTES).ok_or_else(|| corrupt("a job key"))?;
    parse_key(member.get(at..).ok_or_else(|| corrupt("a job key"))?)
}

/// The place in a member of [`Set::Ready`](crate::Set::Ready), if the job has one.
pub(crate) fn place_of(member: &str) -> Option<Place> {
    let at: JobKey = member.get(..KEY_BYTES)?.parse().ok()?;
    let since = member.get(KEY_BYTES..)?.strip_prefix('r')?.get(..KEY_BYTES)?;
    Some(Place { sequence: at.sequence(), since: u64::from_str_radix(since, 16).ok()? })
}

/// What the members of a group in [`Set::Queued`](crate::Set::Queued) begin with. A group's name has
/// no line feed.
pub(crate) fn under(group: &str) -> String {
    format!("{group}\n")
}

/// The member of [`Set::Queued`](crate::Set::Queued) for a job of a group.
pub(crate) fn queued(group: &str, key: JobKey, place: Option<&Place>) -> String {
    format!("{group}\n{}", ready(key, place).name)
}

/// The group of a member of [`Set::Queued`](crate::Set::Queued).
pub(crate) fn group_of(member: &str) -> Option<&str> {
    member.split_once('\n').map(|(group, _)| group)
}

/// The priority of a member of [`Set::Queued`](crate::Set::Queued): its place's first digit.
pub(crate) fn priority_of(member: &str) -> u8 {
    let place = member.split_once('\n').map_or("", |(_, place)| place);
    place.get(..1).and_then(|digit| u8::from_str_radix(digit, 16).ok()).unwrap_or(u8::MAX)
}

/// The job of a member of any set of jobs.
pub(crate) fn job_of(set: Set, member: &str) -> Result<JobKey> {
    match set {
        Set::Ready | Set::Queued => parse_ready(member),
        Set::Leases => Ok(parse_lease(member)?.key),
        _ => parse_key(member),
    }
}

/// A job key as a number, the form in which records hold it.
pub(crate) fn from_rank(rank: u64) -> Result<JobKey> {
    if rank > MAX_STAMP {
        return Err(corrupt("a job's rank"));
    }
    let priority = u8::try_from(rank >> 49).map_err(|_| corrupt("a job's rank"))?;
    Ok(JobKey::new(priority, rank & JobKey::MAX_SEQUENCE))
}

/// An error: the tables hold something that no machine wrote.
pub(crate) fn corrupt(what: &str) -> Error {
    let message = format!("the queue's stored data is corrupt: {what} cannot be read");
    Error::new(ErrorKind::Backend, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_read_as_it_was_written() {
        let handle = Handle { key: JobKey::new(15, JobKey::MAX_SEQUENCE), token: MAX_STAMP };
        assert_eq!(parse_lease(&lease(handle)).unwrap(), handle);
        assert_eq!(from_rank(handle.key.rank()).unwrap(), handle.key);
    }

    #[test]
    fn nonsense_is_an_error() {
        for member in ["", "x", "8000000000002a", "8000000000002a:", ":1", "é:1"] {
            assert_eq!(parse_lease(member).unwrap_err().kind(), ErrorKind::Backend, "{member}");
        }
        assert!(from_rank(u64::MAX).is_err());
        assert!(parse_holder(&[0xff]).is_err());
        for member in ["", "x", "8000000000002", "é00000000002a", "8000000000002ar"] {
            assert_eq!(parse_ready(member).unwrap_err().kind(), ErrorKind::Backend, "{member}");
        }
    }

    #[test]
    fn a_job_that_came_back_is_between_those_that_entered_before_and_after() {
        let place = |since| Place { sequence: 42, since };
        let members = [
            ready(JobKey::new(8, 42), None),
            ready(JobKey::new(8, 7), Some(&place(1))),
            ready(JobKey::new(8, 5), Some(&place(2))),
            ready(JobKey::new(8, 6), Some(&place(2))),
            ready(JobKey::new(8, 43), None),
            ready(JobKey::new(9, 1), Some(&Place { sequence: 1, since: 1 })),
        ];
        assert!(members.is_sorted());
        assert!(members.is_sorted_by_key(|member| &member.name), "by their bytes alone, too");
        assert_eq!(parse_ready(&members[1].name).unwrap(), JobKey::new(8, 7));
    }
}
