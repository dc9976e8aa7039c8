//! Walking over keys in bounded memory.

use std::fmt;

use crate::Pattern;

/// One step of a walk over the keys that match a pattern.
#[derive(Clone, Copy, Debug)]
pub struct ScanRequest<'a> {
    /// Which keys, prefix and namespace included.
    pub pattern: &'a Pattern,
    /// The cursor of the last page; `None` starts a walk.
    pub cursor: Option<&'a Cursor>,
    /// About how many keys to examine; a hint only.
    pub limit: usize,
}

/// A part of the keys. It may be empty although more follow.
#[derive(Clone, Debug, Default)]
pub struct ScanPage {
    /// Keys that match, in no order.
    pub keys: Vec<String>,
    /// The cursor for the next page; `None` at the end of the walk.
    pub next: Option<Cursor>,
}

/// A backend's note of a walk's position, opaque to callers.
///
/// It is a place and not a handle: a read may be repeated, and two pages that are asked for with
/// one cursor both go on from there. So no cursor comes twice in a walk that ends, and `Store` gives
/// up one in which it does.
#[derive(Clone, PartialEq, Eq)]
pub struct Cursor(Box<str>);

impl Cursor {
    /// Wraps a backend's note.
    pub fn new(note: impl Into<Box<str>>) -> Self {
        Self(note.into())
    }

    /// The backend's note.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cursor(..)")
    }
}
