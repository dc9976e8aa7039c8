//! What a key holds, and how a caller names the state that it read.

use std::fmt;

use bytes::Bytes;

/// A value and its version, from one atomic read.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    /// The stored bytes.
    pub value: Bytes,
    /// Names this state of the key in a [`Condition::Version`](crate::Condition::Version).
    pub version: Version,
}

impl Entry {
    /// The same entry in memory of its own. A value that came with others is a part of what came,
    /// and keeps all of that in memory.
    ///
    /// ```
    /// use kv_core::{Bytes, Entry, Version};
    /// let reply = Bytes::from("k1=one k2=two");
    /// let entry = Entry { value: reply.slice(3..6), version: Version::of_value(reply.slice(3..6)) };
    /// assert_eq!(entry.detached(), entry);
    /// ```
    #[must_use]
    pub fn detached(&self) -> Self {
        let value = Bytes::copy_from_slice(&self.value);
        let version = match &self.version.0 {
            Repr::Value(of) if *of == value => Version::of_value(value.clone()),
            Repr::Value(of) => Version::of_value(Bytes::copy_from_slice(of)),
            Repr::Number(number) => Version::from_number(*number),
        };
        Self { value, version }
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Entry({} bytes)", self.value.len())
    }
}

/// An opaque name of one state of one key. Only equality has a meaning.
///
/// A version is not a fence: if a backend compares values, a key that changed from A to B and back
/// to A has its first version again.
///
/// ```
/// use kv_core::Version;
/// assert_eq!(Version::of_value("a".into()), Version::of_value("a".into()));
/// assert_ne!(Version::from_number(1), Version::from_number(2));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Version(Repr);

#[derive(Clone, PartialEq, Eq)]
enum Repr {
    Number(u64),
    Value(Bytes),
}

impl Version {
    /// For a backend that numbers its writes.
    pub const fn from_number(number: u64) -> Self {
        Self(Repr::Number(number))
    }

    /// For a backend that compares values.
    pub const fn of_value(value: Bytes) -> Self {
        Self(Repr::Value(value))
    }

    /// The number, if the version was made from a number.
    pub const fn as_number(&self) -> Option<u64> {
        match &self.0 {
            Repr::Number(number) => Some(*number),
            Repr::Value(_) => None,
        }
    }

    /// The value, if the version was made from a value.
    pub const fn as_value(&self) -> Option<&Bytes> {
        match &self.0 {
            Repr::Number(_) => None,
            Repr::Value(value) => Some(value),
        }
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Number(number) => write!(f, "Version({number})"),
            Repr::Value(value) => write!(f, "Version(value of {} bytes)", value.len()),
        }
    }
}
