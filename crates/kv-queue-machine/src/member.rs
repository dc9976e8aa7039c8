//! How jobs and leases are written as members and keys.

use kv_core::queue::{Handle, JobKey, MAX_STAMP};
use kv_core::{Error, ErrorKind, Result};

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

/// A job key as a number, the form in which records hold it.
pub(crate) fn from_rank(rank: u64) -> Result<JobKey> {
    if rank > MAX_STAMP {
        return Err(corrupt("a job's rank"));
    }
    let priority = u8::try_from(rank >> 49).map_err(|_| corrupt("a job's rank"))?;
    Ok(JobKey::new(priority, rank & JobKey::MAX_SEQUENCE))
}

/// The tables hold something that no machine wrote.
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
    }
}
