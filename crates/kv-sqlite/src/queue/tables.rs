//! The tables of one partition, as the machine uses them.

use bytes::Bytes;
use kv_core::Result;
use kv_core::queue::MAX_PARTITIONS;
use kv_queue_machine::{Counter, Map, Member, Set, Tables};
use rusqlite::{Row, params_from_iter};

use crate::file::Session;

/// A partition that exists.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    /// Which queue; no number is ever used again.
    pub(super) queue: i64,
    /// Which of all partitions of the file.
    pub(super) partition: i64,
}

impl Found {
    pub(super) fn of(queue: i64, number: u32) -> Self {
        let partition = queue.saturating_mul(i64::from(MAX_PARTITIONS)) + i64::from(number);
        Self { queue, partition }
    }
}

/// Numbers of a partition's row: counters, sizes of sets, places of what can be cleared at once.
const COLUMNS: usize = Counter::ALL.len() + Set::ALL.len() + CLEARABLE.len();

/// What can be cleared at a cost that does not depend on its size: it is given another place.
const CLEARABLE: [usize; 4] = [
    Set::Windows as usize,
    Set::Lanes as usize,
    Set::ALL.len() + Map::Unique as usize,
    Set::ALL.len() + Map::Lane as usize,
];

/// Places of a partition by its number: room for all sets and maps.
const SLOTS: i64 = 16;

/// The first of the places that are given to what was cleared.
const FRESH: i64 = 1 << 60;

const LOAD: &str = "
SELECT sequence, token, done, cancelled, evicted, paused, ready, timed, leases, dead, windows,
       lanes, windows_place, lanes_place, unique_place, lane_place
FROM partitions WHERE id = ?1";

const STORE: &str = "
INSERT OR REPLACE INTO partitions VALUES(
    ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)";

/// Everything of a partition; its row is read at the begin of a step and written at the end.
pub(super) struct SqlTables<'s> {
    session: &'s Session,
    found: Found,
    row: [i64; COLUMNS],
    changed: bool,
    woken: bool,
}

/// The statements of one kind of set: ready jobs are in the order of their names alone.
struct Statements {
    insert: &'static str,
    replace: &'static str,
    remove: &'static str,
    score: &'static str,
    first: &'static str,
    until: &'static str,
    after: &'static str,
}

macro_rules! statements {
    ($table:literal, $order:literal, $after:literal) => {
        Statements {
            insert: concat!(
                "INSERT OR IGNORE INTO ",
                $table,
                "(place, name, score) VALUES(?1, ?2, ?3)"
            ),
            replace: concat!("UPDATE ", $table, " SET score = ?3 WHERE place = ?1 AND name = ?2"),
            remove: concat!("DELETE FROM ", $table, " WHERE place = ?1 AND name = ?2"),
            score: concat!("SELECT score FROM ", $table, " WHERE place = ?1 AND name = ?2"),
            first: concat!(
                "SELECT score, name FROM ",
                $table,
                " WHERE place = ?1 ORDER BY ",
                $order,
                " LIMIT ?2"
            ),
            until: concat!(
                "SELECT score, name FROM ",
                $table,
                " WHERE place = ?1 AND score <= ?3 ORDER BY ",
                $order,
                " LIMIT ?2"
            ),
            after: concat!(
                "SELECT score, name FROM ",
                $table,
                " WHERE place = ?1 AND ",
                $after,
                " ORDER BY ",
                $order,
                " LIMIT ?2"
            ),
        }
    };
}

const READY: Statements = statements!("ready", "name", "name > ?4 AND ?3 >= 0");
const MEMBERS: Statements = statements!("members", "score, name", "(score, name) > (?3, ?4)");

const fn statements(set: Set) -> &'static Statements {
    match set {
        Set::Ready => &READY,
        _ => &MEMBERS,
    }
}

impl<'s> SqlTables<'s> {
    pub(super) fn load(session: &'s Session, found: Found) -> Result<Self> {
        let read = |row: &Row<'_>| {
            let mut numbers = [0; COLUMNS];
            for (index, number) in numbers.iter_mut().enumerate() {
                *number = row.get(index)?;
            }
            Ok(numbers)
        };
        let row = session.row(LOAD, [found.partition], read)?;
        let row = row.unwrap_or_else(|| Self::fresh(found));
        Ok(Self { session, found, row, changed: false, woken: false })
    }

    /// The row of a partition that has none yet.
    fn fresh(found: Found) -> [i64; COLUMNS] {
        let mut row = [0; COLUMNS];
        for (slot, number) in CLEARABLE.iter().zip(row.iter_mut().skip(COLUMNS - CLEARABLE.len())) {
            *number = fixed(found, *slot);
        }
        row
    }

    /// Writes the row, and notes whether something became claimable.
    pub(super) fn store(self) -> Result<()> {
        if self.changed {
            let id = std::iter::once(self.found.partition);
            self.session.execute(STORE, params_from_iter(id.chain(self.row)))?;
        }
        if self.woken {
            self.session.wake(self.found.queue);
        }
        Ok(())
    }

    /// Whether a claim now would find a job.
    pub(super) fn is_claimable(&self) -> bool {
        self.number(Counter::Paused as usize) == 0 && self.size(Set::Ready) > 0
    }

    /// Whether a job is due or past its lease.
    pub(super) fn has_due(&self, now: i64) -> Result<bool> {
        for set in [Set::Timed, Set::Leases] {
            if self.size(set) > 0 && !self.first_until(set, now.unsigned_abs(), 1)?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The places of all sets and maps.
    pub(super) fn places(&self) -> Vec<i64> {
        (0..Set::ALL.len() + Map::ALL.len()).map(|slot| self.place(slot)).collect()
    }

    fn number(&self, index: usize) -> i64 {
        self.row.get(index).copied().unwrap_or_default()
    }

    fn set_number(&mut self, index: usize, value: i64) {
        if let Some(number) = self.row.get_mut(index) {
            *number = value;
            self.changed = true;
        }
    }

    fn size(&self, set: Set) -> i64 {
        self.number(size_index(set))
    }

    fn resize(&mut self, set: Set, by: i64) {
        self.set_number(size_index(set), self.size(set).saturating_add(by));
    }

    fn place(&self, slot: usize) -> i64 {
        place_index(slot).map_or_else(|| fixed(self.found, slot), |index| self.number(index))
    }

    fn place_of(&self, set: Set) -> i64 {
        self.place(set as usize)
    }

    fn place_in(&self, map: Map) -> i64 {
        self.place(Set::ALL.len() + map as usize)
    }

    /// Leaves what is in a slot behind as garbage; `false` if the slot has one place only.
    fn leave(&mut self, slot: usize) -> Result<bool> {
        let Some(index) = place_index(slot) else { return Ok(false) };
        let sql = "UPDATE meta SET places = places + 1 RETURNING places";
        let place = self.session.row(sql, [], |row| row.get::<_, i64>(0))?.unwrap_or_default();
        let garbage = "INSERT OR IGNORE INTO garbage VALUES(?1)";
        self.session.execute(garbage, [self.number(index)])?;
        self.set_number(index, FRESH.saturating_add(place));
        Ok(true)
    }
}

fn fixed(found: Found, slot: usize) -> i64 {
    found.partition.saturating_mul(SLOTS).saturating_add(i64::try_from(slot).unwrap_or_default())
}

const fn size_index(set: Set) -> usize {
    Counter::ALL.len() + set as usize
}

/// Where the row holds the place of a slot that can be cleared at once.
fn place_index(slot: usize) -> Option<usize> {
    let at = CLEARABLE.iter().position(|clearable| *clearable == slot)?;
    Some(COLUMNS - CLEARABLE.len() + at)
}

fn member(row: &Row<'_>) -> rusqlite::Result<Member> {
    let score: i64 = row.get(0)?;
    Ok(Member { score: score.unsigned_abs(), name: row.get_ref(1)?.as_str()?.into() })
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn limit(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

impl Tables for SqlTables<'_> {
    fn insert(&mut self, set: Set, score: u64, name: &str) -> Result<()> {
        let (place, score, statements) = (self.place_of(set), signed(score), statements(set));
        if self.session.execute(statements.insert, (place, name, score))? > 0 {
            self.resize(set, 1);
        } else {
            self.session.execute(statements.replace, (place, name, score))?;
        }
        self.woken |= set == Set::Ready;
        Ok(())
    }

    fn remove(&mut self, set: Set, name: &str) -> Result<bool> {
        let place = self.place_of(set);
        let removed = self.session.execute(statements(set).remove, (place, name))? > 0;
        if removed {
            self.resize(set, -1);
        }
        Ok(removed)
    }

    fn score(&self, set: Set, name: &str) -> Result<Option<u64>> {
        let read = |row: &Row<'_>| row.get::<_, i64>(0);
        let score = self.session.row(statements(set).score, (self.place_of(set), name), read)?;
        Ok(score.map(i64::unsigned_abs))
    }

    fn first(&self, set: Set, count: usize) -> Result<Vec<Member>> {
        if self.size(set) == 0 {
            return Ok(Vec::new());
        }
        self.session.rows(statements(set).first, &[&self.place_of(set), &limit(count)], member)
    }

    fn first_until(&self, set: Set, score: u64, count: usize) -> Result<Vec<Member>> {
        if self.size(set) == 0 {
            return Ok(Vec::new());
        }
        let parameters: [&dyn rusqlite::ToSql; 3] =
            [&self.place_of(set), &limit(count), &signed(score)];
        self.session.rows(statements(set).until, &parameters, member)
    }

    fn first_after(&self, set: Set, name: &str, count: usize) -> Result<Vec<Member>> {
        let Some(score) = self.score(set, name)? else { return self.first(set, count) };
        let parameters: [&dyn rusqlite::ToSql; 4] =
            [&self.place_of(set), &limit(count), &signed(score), &name];
        self.session.rows(statements(set).after, &parameters, member)
    }

    fn len(&self, set: Set) -> Result<u64> {
        Ok(self.size(set).unsigned_abs())
    }

    fn get(&self, map: Map, key: &str) -> Result<Option<Bytes>> {
        let sql = "SELECT value FROM items WHERE place = ?1 AND key = ?2";
        let read = |row: &Row<'_>| Ok(Bytes::copy_from_slice(row.get_ref(0)?.as_blob()?));
        self.session.row(sql, (self.place_in(map), key), read)
    }

    fn size(&self, map: Map, key: &str) -> Result<Option<usize>> {
        let sql = "SELECT length(value) FROM items WHERE place = ?1 AND key = ?2";
        let size = self.session.row(sql, (self.place_in(map), key), |row| row.get::<_, i64>(0))?;
        Ok(size.map(|size| usize::try_from(size).unwrap_or(usize::MAX)))
    }

    fn walk(&self, map: Map, after: &str, count: usize) -> Result<Vec<(String, Bytes)>> {
        let sql = "SELECT key, value FROM items WHERE place = ?1 AND key > ?2
                   ORDER BY key LIMIT ?3";
        let read =
            |row: &Row<'_>| Ok((row.get(0)?, Bytes::copy_from_slice(row.get_ref(1)?.as_blob()?)));
        self.session.rows(sql, &[&self.place_in(map), &after, &limit(count)], read)
    }

    fn put(&mut self, map: Map, key: &str, value: Bytes) -> Result<()> {
        let sql = "INSERT INTO items(place, key, value) VALUES(?1, ?2, ?3)
                   ON CONFLICT(place, key) DO UPDATE SET value = ?3";
        self.session.execute(sql, (self.place_in(map), key, &*value)).map(drop)
    }

    fn delete(&mut self, map: Map, key: &str) -> Result<bool> {
        let sql = "DELETE FROM items WHERE place = ?1 AND key = ?2";
        Ok(self.session.execute(sql, (self.place_in(map), key))? > 0)
    }

    fn clear_set(&mut self, set: Set) -> Result<()> {
        if !self.leave(set as usize)? {
            let table = if set == Set::Ready { "ready" } else { "members" };
            let sql = format!("DELETE FROM {table} WHERE place = ?1");
            self.session.execute(&sql, [self.place_of(set)])?;
        }
        self.set_number(size_index(set), 0);
        Ok(())
    }

    fn clear_map(&mut self, map: Map) -> Result<()> {
        if !self.leave(Set::ALL.len() + map as usize)? {
            let place = self.place_in(map);
            self.session.execute("DELETE FROM items WHERE place = ?1", [place])?;
        }
        Ok(())
    }

    fn counter(&self, counter: Counter) -> Result<u64> {
        Ok(self.number(counter as usize).unsigned_abs())
    }

    fn set_counter(&mut self, counter: Counter, value: u64) -> Result<()> {
        self.set_number(counter as usize, signed(value));
        self.woken |= counter == Counter::Paused && value == 0;
        Ok(())
    }
}
