//! Removing what expired, and giving room back.

use kv_core::Result;

use crate::file::Session;

/// The most rows that one step removes, so that no other step waits for long.
pub(crate) const ROWS_AT_ONCE: u64 = 1_000;

/// The most pages that one step gives back to the system.
pub(crate) const PAGES_AT_ONCE: i64 = 1_000;

impl Session {
    /// Removes some of the entries that have expired; how many. It costs as much as there are,
    /// however many are stored.
    pub(crate) fn sweep(&self) -> Result<u64> {
        let sql = "DELETE FROM entries WHERE key IN (
                   SELECT key FROM entries WHERE expires <= ?1 ORDER BY expires LIMIT ?2)";
        let swept = self.execute(sql, (self.now(), ROWS_AT_ONCE.cast_signed()))?;
        Ok(u64::try_from(swept).unwrap_or(u64::MAX))
    }

    /// Whether there is something to sweep, or to clear away of queues.
    pub(crate) fn has_garbage(&self) -> Result<bool> {
        let sql =
            "SELECT 1 FROM entries WHERE expires <= ?1 UNION ALL SELECT 1 FROM garbage LIMIT 1";
        Ok(self.row(sql, [self.now()], |_| Ok(()))?.is_some())
    }

    /// Removes some of the rows that nobody needs any more; whether there may be more.
    pub(crate) fn clear_garbage(&self) -> Result<bool> {
        let Some(place) =
            self.row("SELECT place FROM garbage LIMIT 1", [], |row| row.get::<_, i64>(0))?
        else {
            return Ok(false);
        };
        for (table, key) in [("ready", "name"), ("members", "name"), ("items", "key")] {
            let sql = format!(
                "DELETE FROM {table} WHERE place = ?1 AND {key} IN (
                 SELECT {key} FROM {table} WHERE place = ?1 LIMIT ?2)"
            );
            if self.execute(&sql, (place, ROWS_AT_ONCE.cast_signed()))? > 0 {
                return Ok(true);
            }
        }
        self.execute("DELETE FROM garbage WHERE place = ?1", [place])?;
        Ok(true)
    }

    /// Gives some of the unused pages at the end of the file back; how many are left.
    pub(crate) fn shrink(&self) -> Result<i64> {
        let pragma = |sql: &str| self.pragma(sql).map_err(|error| self.error(error));
        pragma(&format!("PRAGMA incremental_vacuum({PAGES_AT_ONCE})"))?;
        Ok(pragma("PRAGMA freelist_count")?.unwrap_or_default())
    }
}
