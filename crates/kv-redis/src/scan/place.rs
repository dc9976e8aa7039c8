//! Where a walk over a Cluster stands, as a text that a caller keeps.

use std::fmt;

use kv_core::Cursor;

use crate::config::Address;

/// A place in a walk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) pass: u8,
    /// Which slots were where when the pass began.
    pub(super) digest: u64,
    pub(super) server: Address,
    /// The server's own.
    pub(super) cursor: String,
}

impl Place {
    pub(super) fn read(text: &str) -> Option<Self> {
        let mut parts = text.splitn(4, '.');
        let pass = parts.next()?.parse().ok()?;
        let digest = u64::from_str_radix(parts.next()?, 16).ok()?;
        let cursor = parts.next()?.to_owned();
        let server = Address::parse("cursor", parts.next()?).ok()?;
        Some(Self { pass, digest, server, cursor })
    }

    /// The same pass elsewhere.
    pub(super) fn at(&self, server: &Address, cursor: &str) -> Cursor {
        let place = Self { server: server.clone(), cursor: cursor.to_owned(), ..self.clone() };
        Cursor::new(place.to_string())
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:x}.{}.{}", self.pass, self.digest, self.cursor, self.server)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_was_written() {
        for server in ["db.internal:6379", "127.0.0.1:1", "[::1]:65535"] {
            let server = Address::parse("nodes", server).unwrap();
            let place = Place { pass: 3, digest: u64::MAX, server, cursor: "17".into() };
            assert_eq!(Place::read(&place.to_string()), Some(place));
        }
    }

    #[test]
    fn what_is_no_place_is_none() {
        for text in ["", "0", "17", "1.2.3", "1.x.3.h:1", "256.2.3.h:1", "1.2.3.h"] {
            assert_eq!(Place::read(text), None, "{text}");
        }
    }
}
