//! Which record of a shard is evicted: about the least recently used of a few random ones.

use fastrand::Rng;

use crate::order::Order;
use crate::record::Record;
use crate::records::{Records, find_at};
use crate::side::Side;

/// How many records an eviction chooses among.
const SAMPLE: usize = 8;

/// Which records an eviction chooses among.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Victims {
    /// Those that nobody counted on: what was written without a condition.
    Plain,
    All,
}

/// The choice of a record to evict.
pub(crate) struct Eviction<'e> {
    pub(crate) records: &'e Records,
    pub(crate) order: &'e mut Order,
    pub(crate) side: &'e Side,
    pub(crate) who: Victims,
    /// The version of a record that must stay.
    pub(crate) spare: Option<u64>,
}

impl Eviction<'_> {
    /// How many records there are to choose from.
    fn among(&self) -> usize {
        match self.who {
            Victims::Plain => self.order.plain(),
            Victims::All => self.order.len(),
        }
    }

    /// One of these by its place among them.
    fn slot(&self, place: usize) -> Option<u32> {
        match self.who {
            Victims::Plain => self.order.plain_at(place),
            Victims::All => self.order.any_at(place),
        }
    }

    /// The slot of the record that is to go, if any may.
    pub(crate) fn choose(mut self, random: &mut Rng) -> Option<u32> {
        self.stalest(random).or_else(|| self.any())
    }

    /// The slot of the stalest of a few random records.
    ///
    /// A slot knows how stale its record is at most, because it knows when it was last used, up to
    /// the last time that anybody examined the record. So the first that is as stale as that is the
    /// one, and mostly one or two records are examined.
    fn stalest(&mut self, random: &mut Rng) -> Option<u32> {
        let (among, writes) = (self.among(), self.side.writes());
        let mut sample = [(0, 0); SAMPLE];
        for (turn, candidate) in sample.iter_mut().enumerate().take(among) {
            let place = if among <= SAMPLE { turn } else { random.usize(0..among) };
            let at = self.slot(place)?;
            // One more, so that 0 is none.
            *candidate = (self.order.most_staleness(at, writes).saturating_add(1), at);
        }
        while let Some(stalest) = sample.iter_mut().max_by_key(|(staleness, _)| *staleness)
            && let (most @ 1.., at) = *stalest
        {
            stalest.0 = 0;
            let Some((used, is_reused)) = self.examine(at).map(Record::last_use) else { continue };
            self.order.note_use(at, used, is_reused);
            let staleness = self.order.most_staleness(at, writes).saturating_add(1);
            if staleness >= most {
                return Some(at);
            }
            stalest.0 = staleness;
        }
        None
    }

    /// Any record that may go: the sample had only the spared one.
    fn any(&self) -> Option<u32> {
        (0..self.among())
            .filter_map(|place| self.slot(place))
            .find(|at| self.examine(*at).is_some())
    }

    /// The record of a slot, if it may go.
    fn examine(&self, at: u32) -> Option<&Record> {
        self.side.count_examined();
        let (_, record) = find_at(self.records, self.order.hash(at)?, at)?;
        (Some(record.version) != self.spare).then_some(record)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use fastrand::Rng;

    use super::*;
    use crate::records::find;
    use crate::shard::Writing;
    use crate::table::Table;
    use crate::time::{NEVER, Time};

    /// A table of one shard, however many records come.
    fn table() -> Table {
        Table::new(Some(1), Some(1), Time::machine())
    }

    fn insert(writing: &mut Writing<'_>, key: u64) -> u64 {
        writing.insert(key, &key.to_string(), Bytes::new(), NEVER, false)
    }

    /// Reads a key of a table of one shard, as `get` does.
    fn read(table: &Table, key: u64) -> bool {
        let records = table.records(0);
        let record = find(&records, key, &key.to_string());
        record.inspect(|record| record.touch(table.side(0).writes())).is_some()
    }

    /// Reads a key at a time of its own, since reads between two writes are equally old.
    fn use_after_a_write(table: &Table, key: u64) {
        table.side(0).count_write();
        assert!(read(table, key));
        table.side(0).count_write();
    }

    /// Whether a key is there, without a use.
    fn is_there(table: &Table, key: u64) -> bool {
        find(&table.records(0), key, &key.to_string()).is_some()
    }

    fn evict(table: &Table, spare: Option<u64>) -> bool {
        let mut writing = table.write(0).unwrap();
        writing.evict(Victims::All, spare, &mut Rng::with_seed(1)).is_some()
    }

    #[test]
    fn an_eviction_spares_the_record_that_was_just_written() {
        let table = table();
        let newest = insert(&mut table.write(0).unwrap(), 1);
        assert!(!evict(&table, Some(newest)));
        insert(&mut table.write(0).unwrap(), 2);
        assert!(evict(&table, Some(newest)) && read(&table, 1) && !read(&table, 2));
    }

    #[test]
    fn a_small_shard_evicts_exactly_the_least_recently_used() {
        let table = table();
        for key in 0..8 {
            insert(&mut table.write(0).unwrap(), key);
        }
        let uses = [4, 0, 7, 2, 1, 6, 3, 5];
        for key in uses {
            use_after_a_write(&table, key);
        }
        for (gone, key) in uses.into_iter().enumerate() {
            assert!(evict(&table, None));
            assert!(!is_there(&table, key), "{key} is there after {} evictions", gone + 1);
        }
    }

    #[test]
    fn what_a_slot_knows_of_an_old_use_never_hides_a_newer_one() {
        let table = table();
        for key in 0..8 {
            insert(&mut table.write(0).unwrap(), key);
        }
        // The first eviction examines some records; all the others are used after it.
        assert!(evict(&table, None) && !read(&table, 0));
        for key in [7, 6, 5, 4, 3, 2, 1] {
            use_after_a_write(&table, key);
        }
        for key in [7, 6, 5, 4, 3, 2, 1] {
            assert!(evict(&table, None) && !is_there(&table, key), "{key} is there");
        }
    }
}
