//! One of the two stores, and walks that stay on their store.

use std::sync::Arc;

use kv_core::{Cursor, Error, ErrorKind, KeyValueStore, Result, ScanPage};

/// What the primary's cursors begin with.
const PRIMARY: &str = "p:";

/// The store that serves a call.
#[derive(Clone)]
pub(super) struct Side {
    pub(super) store: Arc<dyn KeyValueStore>,
    /// Distinguishes this store's cursors from those of the other store and of earlier outages.
    mark: Arc<str>,
}

impl Side {
    pub(super) fn primary(store: Arc<dyn KeyValueStore>) -> Self {
        Self { store, mark: PRIMARY.into() }
    }

    /// The spare store of this outage; each outage has another number.
    pub(super) fn spare(store: Arc<dyn KeyValueStore>, outage: u64) -> Self {
        Self { store, mark: format!("s{outage}:").into() }
    }

    /// This store's own cursor.
    pub(super) fn cursor(&self, cursor: Option<&Cursor>) -> Result<Option<Cursor>> {
        let Some(cursor) = cursor.map(Cursor::as_str) else { return Ok(None) };
        if let Some(note) = cursor.strip_prefix(&*self.mark) {
            return Ok(Some(Cursor::new(note)));
        }
        Err(match cursor.strip_prefix('s').and_then(|rest| rest.split_once(':')) {
            _ if cursor.starts_with(PRIMARY) => interrupted(),
            Some((outage, _)) if outage.parse::<u64>().is_ok() => interrupted(),
            _ => Error::new(ErrorKind::InvalidKey, "the cursor is not one of this store's"),
        })
    }

    /// A page, with a cursor that is marked for this store.
    pub(super) fn page(&self, page: ScanPage) -> ScanPage {
        let marked = |next: Cursor| Cursor::new([&*self.mark, next.as_str()].concat());
        ScanPage { next: page.next.map(marked), ..page }
    }
}

fn interrupted() -> Error {
    let message = "the walk began on a store that does not serve now; begin it again";
    Error::new(ErrorKind::Connection, message)
}
