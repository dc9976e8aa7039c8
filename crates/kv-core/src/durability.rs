//! How safe a write is when its call returns.

use std::time::Duration;

use crate::{Error, ErrorKind, Result};

/// How many copies a write waits for, and how long.
///
/// On Redis this is `WAIT` right after the write, on the same connection; for the disk it is
/// `WAITAOF` (Redis 7.2 or later, or Valkey, with an append-only file). In a SQLite file it is the
/// flush of the commit, a part of the write itself, and there are no replicas: `within` bounds
/// nothing there. The memory backend has neither. On Redis the write is done in any
/// case. [`Achieved`] says how many copies had it when the wait ended; fewer copies than asked are
/// not an error.
///
/// A copy on a replica survives the loss of the primary if that replica, or a replica with more
/// data, takes over. Redis's own failovers prefer the replica with the most data, and promise
/// nothing.
///
/// ```
/// use kv_core::{Achieved, Durability};
/// use std::time::Duration;
/// let wanted = Durability::replicas(2).within(Duration::from_millis(500));
/// assert!(!Achieved { replicas: 1, on_disk: false }.meets(wanted));
/// assert!(Achieved { replicas: 2, on_disk: false }.meets(wanted));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Durability {
    replicas: u32,
    on_disk: bool,
    within: Duration,
}

/// Which copies had a write when its call returned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Achieved {
    /// How many replicas had the write; if the disk was asked for, how many had it on disk.
    pub replicas: u32,
    /// Whether the server or the file that took the write had it on disk; `false` if the disk was not asked
    /// for.
    pub on_disk: bool,
}

impl Durability {
    const WITHIN: Duration = Duration::from_secs(1);

    /// In the memory of this many replicas, within 1 second by default.
    pub const fn replicas(count: u32) -> Self {
        Self { replicas: count, on_disk: false, within: Self::WITHIN }
    }

    /// On the disk of the server or the file that takes the write, within 1 second by default.
    pub const fn disk() -> Self {
        Self { replicas: 0, on_disk: true, within: Self::WITHIN }
    }

    /// On the disk of the server too, and of every replica that counts.
    #[must_use]
    pub const fn and_disk(self) -> Self {
        Self { on_disk: true, ..self }
    }

    /// How long to wait, from one millisecond to less than the store's own limit for a call.
    #[must_use]
    pub const fn within(self, limit: Duration) -> Self {
        Self { within: limit, ..self }
    }

    /// How many replicas must have the write.
    pub const fn wanted_replicas(&self) -> u32 {
        self.replicas
    }

    /// Whether the write must be on disk.
    pub const fn wants_disk(&self) -> bool {
        self.on_disk
    }

    /// How long to wait.
    pub const fn limit(&self) -> Duration {
        self.within
    }

    /// Checks the limit against that of a whole call.
    ///
    /// # Errors
    /// `Config` for less than a millisecond, and for a limit as long as a whole call or longer: the
    /// call would end before it could return which copies have the write.
    pub fn check(&self, call: Duration) -> Result<()> {
        if self.within >= Duration::from_millis(1) && self.within < call {
            return Ok(());
        }
        let message = format!(
            "a durability to be reached within {:?}; expected 1 ms at least, and less than {call:?}",
            self.within
        );
        Err(Error::new(ErrorKind::Config, message))
    }
}

impl Achieved {
    /// The copies that both writes have.
    pub fn least(self, other: Self) -> Self {
        Self { replicas: self.replicas.min(other.replicas), on_disk: self.on_disk && other.on_disk }
    }

    /// Whether the write has all the wanted copies.
    pub const fn meets(&self, wanted: Durability) -> bool {
        self.replicas >= wanted.replicas && (self.on_disk || !wanted.on_disk)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_not_met() {
        let both = Durability::replicas(1).and_disk();
        let cases = [(0, false), (0, true), (1, false), (1, true), (2, true)];
        let met = cases.map(|(replicas, on_disk)| Achieved { replicas, on_disk }.meets(both));
        assert_eq!(met, [false, false, false, true, true]);
        assert!(Achieved { replicas: 0, on_disk: true }.meets(Durability::disk()));
    }

    #[test]
    fn a_limit_that_a_call_cannot_keep_is_refused() {
        let call = Duration::from_secs(5);
        let check = |millis| Durability::disk().within(Duration::from_millis(millis)).check(call);
        assert!(check(1).is_ok() && check(4_999).is_ok());
        for wrong in [check(0), check(5_000)] {
            assert_eq!(wrong.unwrap_err().kind(), ErrorKind::Config);
        }
    }
}
