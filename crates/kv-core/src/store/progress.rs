//! Whether a walk gets anywhere.

use crate::{Cursor, Error, ErrorKind, Result};

/// The most pages in a row that show no key: at 500 keys looked at for each, 50 thousand million
/// keys that do not match.
const MOST_EMPTY: u32 = 100_000_000;

/// Sees a walk that comes to the same cursor twice, in the room of one cursor.
///
/// This is Brent's way to find a cycle: every cursor is compared with one that came before it,
/// which is replaced after 1, 2, 4, 8 … pages. Whatever comes again is seen before three times as
/// many pages were read as there are cursors in front of the cycle and in it.
#[derive(Default)]
pub(super) struct Progress {
    earlier: Option<Cursor>,
    since: u64,
    keep_for: u64,
    empty: u32,
}

impl Progress {
    /// Takes in a page's cursor.
    ///
    /// # Errors
    /// `Backend` when the walk does not end.
    pub(super) fn check(&mut self, cursor: &Cursor, is_empty: bool) -> Result<()> {
        if self.earlier.as_ref() == Some(cursor) {
            return Err(endless("a cursor came twice; expected a new one with every page"));
        }
        self.empty = if is_empty { self.empty.saturating_add(1) } else { 0 };
        if self.empty > MOST_EMPTY {
            return Err(endless("100,000,000 pages in a row had no key; expected an end"));
        }
        if self.since == self.keep_for {
            self.earlier = Some(cursor.clone());
            (self.since, self.keep_for) = (0, (self.keep_for * 2).max(1));
        }
        self.since += 1;
        Ok(())
    }
}

fn endless(why: &'static str) -> Error {
    Error::new(ErrorKind::Backend, format!("the backend's walk over its keys does not end: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// After how many pages a walk is given up that goes through these cursors.
    fn given_up(cursors: impl Iterator<Item = usize>) -> Option<usize> {
        let mut progress = Progress::default();
        cursors
            .map(|cursor| progress.check(&Cursor::new(cursor.to_string()), false))
            .position(|checked| checked.is_err())
            .map(|at| at + 1)
    }

    #[test]
    fn a_walk_of_a_million_pages_is_none_that_does_not_end() {
        assert_eq!(given_up(0..1_000_000), None);
    }

    #[test]
    fn a_cursor_that_stays_is_seen_at_once() {
        assert_eq!(given_up(std::iter::repeat(7)), Some(2));
    }

    #[test]
    fn a_cycle_is_seen_however_long_it_is_and_what_is_before_it() {
        for before in [0, 1, 2, 3, 10, 1_000] {
            for length in [1, 2, 3, 7, 64, 1_000] {
                let cycle = (0..length).cycle().map(|cursor| before + cursor);
                let pages = given_up((0..before).chain(cycle));
                let most = 3 * (before + length) + 2;
                assert!(pages.is_some_and(|pages| pages <= most), "{before}, {length}: {pages:?}");
            }
        }
    }

    #[test]
    fn new_cursors_without_any_key_are_given_up_in_the_end() {
        let mut progress = Progress { empty: MOST_EMPTY - 1, ..Progress::default() };
        assert!(progress.check(&Cursor::new("1"), true).is_ok());
        let error = progress.check(&Cursor::new("2"), true).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Backend);
        let mut progress = Progress { empty: MOST_EMPTY, ..Progress::default() };
        assert!(progress.check(&Cursor::new("1"), false).is_ok(), "a page with keys");
    }
}
