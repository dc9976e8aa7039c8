//! Walking over the keys, a bounded page at a time.
//!
//! A walk goes through the shards, and in each shard from the last slot to the first. Removals move
//! slots only downwards, where the walk has yet to come; so the walk misses no key that stays, and
//! its cost is proportional to the number of keys.

use kv_core::{Cursor, Error, ErrorKind, Result, ScanPage, ScanRequest};

use crate::records::find_at;
use crate::table::Table;

/// The most keys that one page examines.
const MAX_PAGE: usize = 1_000;

/// Where a walk stands: it has yet to visit the slots under `below`, and the later shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Position {
    shard: usize,
    below: usize,
}

impl Position {
    const fn at_end_of(shard: usize) -> Self {
        Self { shard, below: usize::MAX }
    }

    fn cursor(self) -> Cursor {
        Cursor::new(format!("memory:{}:{}", self.shard, self.below))
    }

    fn read(cursor: &Cursor) -> Option<Self> {
        let (shard, below) = cursor.as_str().strip_prefix("memory:")?.split_once(':')?;
        let position = Self { shard: shard.parse().ok()?, below: below.parse().ok()? };
        (position.cursor() == *cursor).then_some(position)
    }
}

impl Table {
    pub(crate) fn scan(&self, request: &ScanRequest<'_>) -> Result<ScanPage> {
        self.check_open()?;
        let mut position = self.position(request.cursor)?;
        let mut budget = request.limit.clamp(1, MAX_PAGE);
        let mut keys = Vec::new();
        while budget > 0 && position.shard < self.shards() {
            let looked_at = self.visit(&mut position, budget, &mut keys)?;
            budget -= looked_at;
        }
        // Not under a lock, because a hostile pattern may take long.
        keys.retain(|key| request.pattern.matches(key));
        let next = (position.shard < self.shards()).then(|| position.cursor());
        Ok(ScanPage { keys, next })
    }

    fn position(&self, cursor: Option<&Cursor>) -> Result<Position> {
        let Some(cursor) = cursor else { return Ok(Position::at_end_of(0)) };
        let position = Position::read(cursor).filter(|found| found.shard < self.shards());
        position.ok_or_else(|| {
            let message = "a scan cursor of another store; expected the last page's own";
            Error::new(ErrorKind::InvalidKey, message)
        })
    }

    /// Adds visible keys of one shard and moves on; returns how many slots it examined.
    fn visit(
        &self,
        position: &mut Position,
        budget: usize,
        keys: &mut Vec<String>,
    ) -> Result<usize> {
        let (records, moment) = (self.read(position.shard)?, self.time.moment());
        let order = self.side(position.shard).order();
        let top = position.below.min(order.len());
        let bottom = top.saturating_sub(budget);
        for (at, hash) in order.range(bottom, top) {
            if let Some((key, record)) = find_at(&records, hash, at)
                && record.is_live(&moment)
            {
                keys.push(key.to_owned());
            }
        }
        *position = if bottom == 0 {
            Position::at_end_of(position.shard + 1)
        } else {
            Position { below: bottom, ..*position }
        };
        Ok(top - bottom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_and_a_foreign_one_does_not() {
        let position = Position { shard: 3, below: 70 };
        assert_eq!(Position::read(&position.cursor()), Some(position));
        for foreign in ["", "0", "memory:", "memory:1", "memory:+1:2", "memory:1:2:3", "memory:1:é"]
        {
            assert_eq!(Position::read(&Cursor::new(foreign)), None, "{foreign}");
        }
    }
}
