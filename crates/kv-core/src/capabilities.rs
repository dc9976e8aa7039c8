//! What a backend declares beyond plain reads and writes.

use std::fmt;
use std::ops::BitOr;

use crate::{Error, ErrorKind};

/// A set of declared abilities; empty by default.
///
/// ```
/// use kv_core::Capabilities;
/// let both = Capabilities::TTL | Capabilities::CONDITIONS;
/// assert!(both.contains(Capabilities::TTL));
/// assert!(!Capabilities::NONE.contains(Capabilities::TTL));
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Capabilities {
    declared: u8,
    withheld_by: Option<&'static str>,
}

impl Capabilities {
    /// Plain reads and writes only.
    pub const NONE: Self = Self::of(0);
    /// Keys expire after [`Lifetime::In`](crate::Lifetime::In).
    pub const TTL: Self = Self::of(1);
    /// Writes and deletes check a [`Condition`](crate::Condition) in the same atomic step.
    pub const CONDITIONS: Self = Self::of(2);
    /// Atomic integer counters.
    pub const COUNTERS: Self = Self::of(4);

    /// Writes and submits that wait until copies have them, see
    /// [`Durability`](crate::Durability).
    pub const DURABILITY: Self = Self::of(8);

    /// Other processes may use the same keys, so loads are shared with them, see
    /// [`Store::get_or_set_with`](crate::Store::get_or_set_with).
    pub const SHARED: Self = Self::of(16);

    /// Changes are told, see [`Store::watch`](crate::Store::watch).
    pub const WATCH: Self = Self::of(32);

    const NAMES: [(Self, &'static str); 6] = [
        (Self::TTL, "ttl"),
        (Self::CONDITIONS, "conditions"),
        (Self::COUNTERS, "counters"),
        (Self::DURABILITY, "durability"),
        (Self::SHARED, "shared"),
        (Self::WATCH, "watch"),
    ];

    const fn of(declared: u8) -> Self {
        Self { declared, withheld_by: None }
    }

    /// Whether all of `other` is declared.
    pub const fn contains(self, other: Self) -> bool {
        self.declared & other.declared == other.declared
    }

    /// The same abilities, of a layer that withholds the others of the store that it stands around.
    /// Errors then name the layer.
    ///
    /// ```
    /// use kv_core::Capabilities;
    /// let offered = Capabilities::TTL.withheld_by("fallback");
    /// let said = offered.unsupported("counters").to_string();
    /// assert!(said.contains("the layer `fallback` refuses counters"), "{said}");
    /// ```
    #[must_use]
    pub const fn withheld_by(self, layer: &'static str) -> Self {
        Self { withheld_by: Some(layer), ..self }
    }

    /// The error of a call that needs an ability that is not declared.
    #[must_use]
    pub fn unsupported(self, what: &'static str) -> Error {
        let Some(layer) = self.withheld_by else { return Error::unsupported(what) };
        let message = format!("the layer `{layer}` refuses {what}; expected a store without it");
        Error::new(ErrorKind::Unsupported, message)
    }
}

impl BitOr for Capabilities {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        let withheld_by = self.withheld_by.or(other.withheld_by);
        Self { declared: self.declared | other.declared, withheld_by }
    }
}

impl fmt::Debug for Capabilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let declared = Self::NAMES.iter().filter(|(one, _)| self.contains(*one));
        f.debug_set().entries(declared.map(|(_, name)| name)).finish()
    }
}
