//! A walk in the order of the keys, as a query with a limit.

use std::ops::Bound;

use kv_core::{Cursor, Error, ErrorKind, Pattern, Result, ScanPage, ScanRequest};

use super::Sql;
use super::table::Table;
use crate::broken::slip::Slip;

impl Sql {
    pub(super) fn page(&self, request: ScanRequest<'_>) -> Result<ScanPage> {
        let going_on = request.cursor.is_some() && self.is(Slip::GoesOnScanningWhenClosed);
        if !(self.is(Slip::ScansWhenClosed) || going_on) {
            self.open()?;
        }
        let table = self.table();
        let Some(keys) = self.behind(&table, request.cursor)? else {
            return Ok(ScanPage::default());
        };
        let limit = self.limit(request.limit);
        let page: Vec<&String> = keys.iter().copied().take(limit).collect();
        let more = keys.len() > page.len();
        let alive = |key: &&&String| table.alive(key).is_some();
        let shown = page.iter().filter(alive);
        let shown: Vec<String> = shown
            .filter(|key| self.matches(request.pattern, key))
            .map(|key| (*key).clone())
            .collect();
        let expired = page.iter().all(|key| table.alive(key).is_none());
        let ends = (shown.is_empty() && self.is(Slip::EndsAtAnEmptyPage))
            || (expired && self.is(Slip::EndsAtExpiredKeys))
            || self.is(Slip::FirstPageAlone);
        let last = page.last().filter(|_| more && !ends);
        let next = last.map(|last| self.note(&table, last));
        if self.is(Slip::CursorOfTheStore) {
            *self.cursor.lock().unwrap() = next.clone();
        }
        Ok(ScanPage { keys: shown, next })
    }

    /// The keys that are left; `None` where a slip ends the walk.
    fn behind<'t>(
        &self,
        table: &'t Table,
        cursor: Option<&Cursor>,
    ) -> Result<Option<Vec<&'t String>>> {
        if self.is(Slip::WalksInOrderOfWrites) {
            let place = cursor.and_then(|cursor| cursor.as_str().strip_prefix("after "));
            return Ok(Some(table.written_after(place.map_or(0, |at| at.parse().unwrap_or(0)))));
        }
        let Some(cursor) = cursor else { return Ok(Some(table.rows.keys().collect())) };
        let own = self.cursor.lock().unwrap().clone();
        let cursor = match own {
            Some(own) if self.is(Slip::CursorOfTheStore) => own,
            _ => cursor.clone(),
        };
        let Some(place) = cursor.as_str().strip_prefix("after ") else {
            let shown = if self.is(Slip::ShowsAValueInAScan) {
                let first = table.rows.values().next();
                first.map(|row| String::from_utf8_lossy(&row.value).into_owned())
            } else {
                None
            };
            let message = format!("a foreign cursor{}", shown.unwrap_or_default());
            return Err(Error::new(ErrorKind::InvalidKey, message));
        };
        let mut used = self.used.lock().unwrap();
        if self.is(Slip::CursorIsUsedUp) {
            if used.iter().any(|used| used == place) {
                return Ok(None);
            }
            used.push(place.to_owned());
        }
        if self.is(Slip::EndsAtAVanishedCursor) && table.alive(place).is_none() {
            return Ok(None);
        }
        Ok(Some(match self.slip {
            Some(Slip::CursorIsAPosition) => {
                table.rows.keys().skip(place.parse().unwrap_or(0)).collect()
            }
            Some(Slip::CursorFoldsCase) => {
                let folded = place.to_lowercase();
                table.rows.keys().filter(|key| key.to_lowercase() > folded).collect()
            }
            _ => {
                let rest = (Bound::Excluded(place.to_owned()), Bound::Unbounded);
                table.rows.range::<String, _>(rest).map(|(key, _)| key).collect()
            }
        }))
    }

    fn limit(&self, limit: usize) -> usize {
        match self.slip {
            Some(Slip::LimitOfBits(bits)) => limit & ((1 << bits) - 1),
            _ => limit.max(1),
        }
    }

    fn note(&self, table: &Table, last: &str) -> Cursor {
        if self.is(Slip::WalksInOrderOfWrites) {
            let version = table.rows.get(last).map_or(0, |row| row.version);
            return Cursor::new(format!("after {version}"));
        }
        if self.is(Slip::CursorIsAPosition) {
            let place = table.rows.keys().take_while(|key| key.as_str() <= last).count();
            return Cursor::new(format!("after {place}"));
        }
        Cursor::new(format!("after {last}"))
    }

    fn matches(&self, pattern: &Pattern, key: &str) -> bool {
        let matching = |pattern: &str, key: &str| Pattern::new(pattern).unwrap().matches(key);
        let text = pattern.as_str();
        match self.slip {
            Some(Slip::LikeWildcards) => {
                pattern.matches(key) || matching(&text.replace('%', "*").replace('_', "?"), key)
            }
            Some(Slip::LikeFoldsAscii) => {
                matching(&text.to_ascii_lowercase(), &key.to_ascii_lowercase())
            }
            Some(Slip::PatternFoldsUnicode) => matching(&text.to_lowercase(), &key.to_lowercase()),
            Some(Slip::RangeOfAscii) => {
                let end = text.split(['*', '?', '[', '\\']).next().unwrap_or("");
                let below = end.chars().last().is_none_or(|last| {
                    key < format!("{end}{last}").as_str()
                        || !last.is_ascii()
                        || key.strip_prefix(end).is_some_and(|rest| rest.is_ascii())
                });
                pattern.matches(key)
                    && below
                    && !(end.contains('\u{10ffff}') && key.len() > end.len())
            }
            _ => pattern.matches(key),
        }
    }
}
