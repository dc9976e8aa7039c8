//! A walk in the order of the keys, with the place where each fault sits.

use std::collections::BTreeMap;
use std::ops::Bound;

use kv_core::{Cursor, Error, ErrorKind, Pattern, Result, ScanPage, ScanRequest};

use super::Broken;
use crate::broken::contents::{Contents, Record};
use crate::broken::fault::Fault;

pub(super) fn page(store: &Broken, request: ScanRequest<'_>) -> Result<ScanPage> {
    let contents = store.contents()?;
    if store.is(Fault::LimitZeroEnds) && request.limit == 0 {
        return Ok(ScanPage::default());
    }
    if contents.records.is_empty() && store.is(Fault::EmptyScanNeverEnds) {
        return Ok(ScanPage { keys: Vec::new(), next: Some(Cursor::new("after ")) });
    }
    let mut rest = behind(&contents, store, request.cursor)?;
    let limit = if store.is(Fault::OnePage) { usize::MAX } else { request.limit.max(1) };
    let seen: Vec<(&String, &Record)> = rest.by_ref().take(limit).collect();
    let lost = usize::from(store.is(Fault::PagesLoseAKey)) * usize::from(request.cursor.is_some());
    let pattern = pattern(store, request.pattern)?;
    let shown = seen.iter().skip(lost).filter(|(key, _)| {
        let alive = contents.alive_or(Fault::ScanSeesExpired, key).is_some();
        alive && (store.is(Fault::ScanIgnoresThePattern) || pattern.matches(key))
    });
    let times = if store.is(Fault::ScanRepeats) { 2 } else { 1 };
    let keys = shown.flat_map(|(key, _)| vec![(*key).clone(); times]).collect();
    let last = seen.last().filter(|_| rest.next().is_some());
    let next = last.map(|(key, _)| note(&contents, store, key));
    Ok(ScanPage { keys, next })
}

type Rest<'c> = Box<dyn Iterator<Item = (&'c String, &'c Record)> + 'c>;

/// What is left of the walk.
fn behind<'c>(contents: &'c Contents, store: &Broken, cursor: Option<&Cursor>) -> Result<Rest<'c>> {
    let records: &BTreeMap<String, Record> = &contents.records;
    let Some(cursor) = cursor else { return Ok(Box::new(records.iter())) };
    let Some(place) = cursor.as_str().strip_prefix("after ") else {
        if store.is(Fault::ForeignCursorRestarts) {
            return Ok(Box::new(records.iter()));
        }
        return Err(Error::new(ErrorKind::InvalidKey, "a foreign cursor"));
    };
    if store.is(Fault::ScanByPosition) {
        return Ok(Box::new(records.iter().skip(place.parse().unwrap_or(0))));
    }
    Ok(Box::new(records.range::<str, _>((Bound::Excluded(place), Bound::Unbounded))))
}

/// Where the next page begins.
fn note(contents: &Contents, store: &Broken, last: &str) -> Cursor {
    if store.is(Fault::ScanByPosition) {
        let place = contents.records.keys().take_while(|key| key.as_str() <= last).count();
        return Cursor::new(format!("after {place}"));
    }
    Cursor::new(format!("after {last}"))
}

/// The pattern as this store reads it.
fn pattern(store: &Broken, pattern: &Pattern) -> Result<Pattern> {
    match store.fault {
        Some(Fault::BangNegates) => Pattern::new(pattern.as_str().replace("[!", "[^")),
        Some(Fault::ScanUnescapes) => Pattern::new(pattern.as_str().replace('\\', "")),
        _ => Ok(pattern.clone()),
    }
}
