//! How a write treats a key's lifetime and its present state.

use std::time::Duration;

use crate::{Error, ErrorKind, Result, Version};

/// The longest lifetime, about 285 years; a longer lifetime is clamped to this one.
///
/// In milliseconds it is below 2^53, even when added to today's date, so no backend, script or
/// client rounds it.
pub const MAX_LIFETIME: Duration = Duration::from_millis(9_000_000_000_000);

/// How long a key lives after a write, with millisecond resolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// Until the key is deleted; removes a lifetime that the key had.
    Never,
    /// Keeps the key's lifetime; a new key never expires.
    Keep,
    /// This long from now.
    In(Duration),
}

impl Lifetime {
    /// The lifetime in whole milliseconds, rounded up and clamped to [`MAX_LIFETIME`]; `None`
    /// for [`Never`](Self::Never) and [`Keep`](Self::Keep).
    ///
    /// # Errors
    /// `InvalidTtl` for zero, because stores disagree on its meaning.
    ///
    /// ```
    /// use kv_core::Lifetime;
    /// use std::time::Duration;
    /// assert_eq!(Lifetime::In(Duration::from_micros(1)).as_millis().unwrap(), Some(1));
    /// assert!(Lifetime::In(Duration::ZERO).as_millis().is_err());
    /// assert!(Lifetime::In(Duration::MAX).as_millis().is_ok());
    /// ```
    pub fn as_millis(self) -> Result<Option<u64>> {
        let Self::In(duration) = self else { return Ok(None) };
        if duration.is_zero() {
            return Err(Error::new(
                ErrorKind::InvalidTtl,
                "a time to live of zero; expected more than zero, or a delete",
            ));
        }
        let micros = duration.min(MAX_LIFETIME).as_nanos().div_ceil(1_000_000);
        Ok(Some(u64::try_from(micros).unwrap_or(u64::MAX)))
    }
}

/// What must be true of the key for a write, checked in the write's atomic step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Nothing.
    Always,
    /// The key does not exist.
    Absent,
    /// The key exists.
    Present,
    /// The key is still in the state with this version.
    Version(Version),
}

/// How [`KeyValueStore::set`](crate::KeyValueStore::set) writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// The key's new lifetime.
    pub lifetime: Lifetime,
    /// What must be true of the key for the write.
    pub condition: Condition,
}

impl Write {
    /// Writes in any case, and the key never expires.
    pub const ALWAYS: Self = Self { lifetime: Lifetime::Never, condition: Condition::Always };

    /// The same with another lifetime.
    #[must_use]
    pub fn lifetime(self, lifetime: Lifetime) -> Self {
        Self { lifetime, ..self }
    }

    /// The same under a condition.
    #[must_use]
    pub fn condition(self, condition: Condition) -> Self {
        Self { condition, ..self }
    }
}

/// The result of a conditional write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The value is stored, under this version.
    Written(Version),
    /// The condition did not hold; nothing changed.
    ConditionFailed,
}

impl Outcome {
    /// Whether the value was stored.
    pub const fn is_written(&self) -> bool {
        matches!(self, Self::Written(_))
    }
}

/// How long an existing key has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remaining {
    /// The key does not expire.
    Forever,
    /// The key expires after this time, at least one millisecond.
    Expires(Duration),
}

impl Remaining {
    /// The time left, or `None` for a key that does not expire.
    pub const fn duration(self) -> Option<Duration> {
        match self {
            Self::Forever => None,
            Self::Expires(duration) => Some(duration),
        }
    }
}

/// The lifetime that a program gives a [`Store`](crate::Store).
///
/// Only `Store` knows a default lifetime. A backend never sees it, so the default cannot expire a
/// queue.
///
/// ```
/// use kv_core::Expiry;
/// use std::time::Duration;
/// assert_eq!(Expiry::from(Duration::from_secs(1)), Expiry::In(Duration::from_secs(1)));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Expiry {
    /// The store's default time to live; without one, never.
    #[default]
    Default,
    /// Until the key is deleted.
    Never,
    /// Keeps the key's lifetime; a new key never expires.
    Keep,
    /// This long from now.
    In(Duration),
}

impl From<Duration> for Expiry {
    fn from(duration: Duration) -> Self {
        Self::In(duration)
    }
}
