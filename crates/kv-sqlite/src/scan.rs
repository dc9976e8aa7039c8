//! Walking over the keys in their order, a bounded page at a time.
//!
//! The order is that of the bytes, so a walk goes on behind the last key that it looked at, and
//! misses no key that stays. It begins where the literal head of the pattern begins, and ends
//! where that ends.

use kv_core::{Cursor, Error, ErrorKind, Pattern, Result, ScanPage, ScanRequest};

use crate::file::Session;

/// The most keys that one page looks at.
const MAX_PAGE: u32 = 1_000;

const MARK: &str = "sqlite:";

/// A page of a walk, as its own thread does it.
#[derive(Debug)]
pub(crate) struct Walk {
    pattern: Pattern,
    head: String,
    after: Option<String>,
    limit: u32,
}

impl Walk {
    /// The page that is asked for.
    ///
    /// # Errors
    /// `InvalidKey` for another store's cursor.
    pub(crate) fn new(request: &ScanRequest<'_>) -> Result<Self> {
        let after = request.cursor.map(|cursor| {
            let after = cursor.as_str().strip_prefix(MARK);
            after.map(ToOwned::to_owned).ok_or_else(|| {
                let message = "a scan cursor of another store; expected the last page's own";
                Error::new(ErrorKind::InvalidKey, message)
            })
        });
        Ok(Self {
            pattern: request.pattern.clone(),
            head: literal_head(request.pattern.as_str()),
            after: after.transpose()?,
            limit: u32::try_from(request.limit).map_or(MAX_PAGE, |limit| limit.clamp(1, MAX_PAGE)),
        })
    }

    /// Looks at the keys.
    pub(crate) fn page(&self, session: &Session) -> Result<ScanPage> {
        let now = session.now();
        let sql = "SELECT key, expires IS NULL OR expires > ?3 FROM entries
                   WHERE key >= ?1 AND key > ?2 ORDER BY key LIMIT ?4";
        let after = self.after.as_deref().unwrap_or_default();
        let rows = session.rows(sql, &[&self.head, &after, &now, &self.limit], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, bool>(1)?))
        })?;
        let full = u32::try_from(rows.len()) == Ok(self.limit);
        let last = rows.last().map(|(key, _)| key.clone()).filter(|_| full);
        let next = last.filter(|key| key.starts_with(&self.head));
        let wanted =
            |(key, live): (String, bool)| (live && self.pattern.matches(&key)).then_some(key);
        Ok(ScanPage {
            keys: rows.into_iter().filter_map(wanted).collect(),
            next: next.map(|key| Cursor::new(format!("{MARK}{key}"))),
        })
    }
}

/// The text with which everything begins that matches the pattern.
fn literal_head(pattern: &str) -> String {
    let mut head = String::new();
    let mut rest = pattern.chars();
    while let Some(next) = rest.next() {
        match next {
            '*' | '?' | '[' => break,
            '\\' => head.push(rest.next().unwrap_or('\\')),
            literal => head.push(literal),
        }
    }
    head
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_literal_head_ends_before_the_first_choice() {
        for (pattern, head) in [
            ("", ""),
            ("*", ""),
            ("user:*", "user:"),
            ("user:?1", "user:"),
            ("a[bc]", "a"),
            (r"a\*b*", "a*b"),
            (r"é\é*", "éé"),
            ("tail\\", "tail\\"),
            ("whole", "whole"),
        ] {
            assert_eq!(literal_head(pattern), head, "{pattern}");
        }
    }

    #[test]
    fn whatever_matches_begins_with_the_literal_head() {
        let seed = fastrand::u64(..);
        let mut rng = fastrand::Rng::with_seed(seed);
        let text = |rng: &mut fastrand::Rng, from: &[char]| -> String {
            (0..rng.usize(0..5)).filter_map(|_| rng.choice(from.iter())).collect()
        };
        for _ in 0..20_000 {
            let glob = text(&mut rng, &['a', 'b', 'é', '*', '?', '[', ']', '\\', '^']);
            let key = text(&mut rng, &['a', 'b', 'é', '*', '\\', ']']);
            let matches = Pattern::new(&*glob).unwrap().matches(&key);
            assert!(!matches || key.starts_with(&literal_head(&glob)), "{glob} {key}, seed {seed}");
        }
    }
}
