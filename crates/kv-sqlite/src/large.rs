//! Values that are too large for a leaf of a table that is in the order of its keys.
//!
//! A search in such a table compares whole rows. A row that does not fit into a leaf goes on in a
//! chain of pages, and SQLite reads all of the chain for each comparison: a value of 1 MiB would be
//! read several times for each search that passes it. So it stands in a table of its own, by number,
//! and its row names the number. A trigger removes it with its row, or when the row gets another
//! value.

use bytes::Bytes;
use kv_core::Result;
use rusqlite::Row;

use crate::file::Session;

/// The most bytes of a key and its value that fit into a leaf: about 1,000, of which numbers take
/// some.
const LEAF_BYTES: usize = 900;

/// The value of a row as its columns `small` and `large` have it: one of them says nothing.
pub(crate) type Columns<'v> = (&'v [u8], Option<i64>);

impl Session {
    /// Stores the row of a key by `store`, which gets the two columns of the value; all of it, or
    /// nothing.
    pub(crate) fn with_value<R>(
        &self,
        key: &str,
        value: &[u8],
        store: impl FnOnce(Columns<'_>) -> Result<R>,
    ) -> Result<R> {
        if key.len().saturating_add(value.len()) <= LEAF_BYTES {
            return store((value, None));
        }
        self.atomically(|| store((&[], Some(self.insert_large(value)?))))
    }

    /// Writes it into room that is made before: SQLite would copy it twice on its way there.
    fn insert_large(&self, value: &[u8]) -> Result<i64> {
        let bytes = i64::try_from(value.len()).unwrap_or(i64::MAX);
        self.execute("INSERT INTO large(value) VALUES(zeroblob(?1))", [bytes])?;
        let id = self.last_id();
        let written = self.blob(id, false).and_then(|mut blob| blob.write_all_at(value, 0));
        written.map(|()| id).map_err(|error| self.error(error))
    }

    /// The value of a row, whose columns `small` and `large` are the ones from `at` on. It is of the
    /// same moment as the row.
    pub(crate) fn value(&self, row: &Row<'_>, at: usize) -> rusqlite::Result<Bytes> {
        let Some(id) = row.get(at + 1)? else {
            return Ok(Bytes::copy_from_slice(row.get_ref(at)?.as_blob()?));
        };
        let blob = self.blob(id, true)?;
        let mut value = vec![0; blob.len()];
        blob.read_at_exact(&mut value, 0)?;
        Ok(value.into())
    }
}
