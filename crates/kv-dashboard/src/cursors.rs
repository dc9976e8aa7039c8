//! Where walks over keys stand.
//!
//! A cursor may hold a key, and even one of a secret namespace, so viewers get a number for it.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use kv_core::Cursor;

/// How many places are remembered; the oldest go first.
const MOST: usize = 256;

/// The places that viewers may go on from, by number.
#[derive(Debug, Default)]
pub(crate) struct Cursors(Mutex<Numbered>);

#[derive(Debug, Default)]
struct Numbered {
    last: u64,
    places: VecDeque<(u64, Cursor)>,
}

impl Cursors {
    /// Remembers a place, and returns its number.
    pub(crate) fn remember(&self, cursor: Cursor) -> u64 {
        let mut numbered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        numbered.last += 1;
        let number = numbered.last;
        numbered.places.push_back((number, cursor));
        if numbered.places.len() > MOST {
            numbered.places.pop_front();
        }
        number
    }

    /// The place of a number, if it is still known.
    pub(crate) fn find(&self, number: &str) -> Option<Cursor> {
        let number: u64 = number.parse().ok()?;
        let numbered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        numbered.places.iter().find(|place| place.0 == number).map(|place| place.1.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_places_are_known_and_no_others() {
        let cursors = Cursors::default();
        let first = cursors.remember(Cursor::new("a")).to_string();
        assert_eq!(cursors.find(&first).unwrap().as_str(), "a");
        let last = (0..MOST).map(|_| cursors.remember(Cursor::new("b"))).last().unwrap();
        assert!(cursors.find(&first).is_none());
        assert!(cursors.find(&last.to_string()).is_some());
        assert!(cursors.find("-1").is_none() && cursors.find("x").is_none());
    }
}
