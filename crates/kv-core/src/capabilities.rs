//! What a backend declares beyond plain reads and writes.

use std::fmt;
use std::ops::BitOr;

/// A set of declared abilities; empty by default.
///
/// ```
/// use kv_core::Capabilities;
/// let both = Capabilities::TTL | Capabilities::CONDITIONS;
/// assert!(both.contains(Capabilities::TTL));
/// assert!(!Capabilities::NONE.contains(Capabilities::TTL));
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Capabilities(u8);

impl Capabilities {
    /// Plain reads and writes only.
    pub const NONE: Self = Self(0);
    /// Keys expire after [`Lifetime::In`](crate::Lifetime::In).
    pub const TTL: Self = Self(1);
    /// Writes and deletes check a [`Condition`](crate::Condition) in the same atomic step.
    pub const CONDITIONS: Self = Self(2);
    /// Atomic integer counters.
    pub const COUNTERS: Self = Self(4);

    /// Writes and submits that wait until copies have them, see
    /// [`Durability`](crate::Durability).
    pub const DURABILITY: Self = Self(8);

    /// Other processes may use the same keys, so loads are shared with them, see
    /// [`Store::get_or_set_with`](crate::Store::get_or_set_with).
    pub const SHARED: Self = Self(16);

    const NAMES: [(Self, &'static str); 5] = [
        (Self::TTL, "ttl"),
        (Self::CONDITIONS, "conditions"),
        (Self::COUNTERS, "counters"),
        (Self::DURABILITY, "durability"),
        (Self::SHARED, "shared"),
    ];

    /// Whether all of `other` is declared.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl BitOr for Capabilities {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl fmt::Debug for Capabilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let declared = Self::NAMES.iter().filter(|(one, _)| self.contains(*one));
        f.debug_set().entries(declared.map(|(_, name)| name)).finish()
    }
}
