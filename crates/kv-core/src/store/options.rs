//! How a typed write differs from a plain one.

use crate::{Condition, Expiry};

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
}

impl SetOptions {
    /// The store's default time to live, and no condition.
    pub const fn new() -> Self {
        Self { expiry: Expiry::Default, condition: Condition::Always }
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
}

impl Default for SetOptions {
    fn default() -> Self {
        Self::new()
    }
}
