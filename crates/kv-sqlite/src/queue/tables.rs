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

/// Numbers of a partition's row: counters, sizes of sets, places of some slots.
const COLUMNS: usize = Counter::ALL.len() + Set::ALL.len() + PLACED.len();

/// The slot of the unique keys.
const UNIQUE: usize = slot_in(Map::Unique);

/// The slots whose places are in the partition's row.
const PLACED: [usize; 4] =
    [slot_of(Set::Windows), slot_of(Set::Sessions), UNIQUE, slot_in(Map::Session)];

/// Places of a partition by its number, side by side: room for the sets and maps of format 2.
const SLOTS: usize = 16;

/// How many sets and maps there are; those beyond [`SLOTS`] have places from [`EXTRA`] on.
const ALL_SLOTS: usize = 17;

/// The slots of format 1: its sets, then its maps. Those of format 2 follow, its sets first; then
/// those of format 3.
const FIRST_SETS: usize = 6;
const FIRST_MAPS: usize = 5;
const SECOND_SETS: usize = 10;

const fn slot_of(set: Set) -> usize {
    let index = set as usize;
    match index {
        0..FIRST_SETS => index,
        FIRST_SETS..SECOND_SETS => index + FIRST_MAPS,
        _ => index + Map::ALL.len(),
    }
}

const fn slot_in(map: Map) -> usize {
    let index = map as usize;
    if index < FIRST_MAPS { FIRST_SETS + index } else { SECOND_SETS + index }
}

/// From here on are the places of partitions that were cleared. If the unique keys of a partition
/// are here, all its slots are beside them. Builds before 0.1.0 gave the slots in [`PLACED`] places
/// from `1 << 60` on, each its own; the other slots then stay where they were.
const FRESH: i64 = 1 << 61;

/// From here on are the places of the slots beyond [`SLOTS`], each as far as the partition's others
/// from zero.
const EXTRA: i64 = 1 << 62;

const LOAD: &str = "
SELECT sequence, token, done, cancelled, evicted, paused, turn, plain_turn,
       ready, timed, leases, dead, windows, sessions, queued, ring, blocked, groups,
       kept, windows_place, lanes_place, unique_place, lane_place
FROM partitions WHERE id = ?1";

const STORE: &str = "
INSERT OR REPLACE INTO partitions(
    id, sequence, token, done, cancelled, evicted, paused, turn, plain_turn,
    ready, timed, leases, dead, windows, sessions, queued, ring, blocked, groups,
    kept, windows_place, lanes_place, unique_place, lane_place) VALUES(
    ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17,
    ?18, ?19, ?20, ?21, ?22, ?23, ?24)";

/// Everything of a partition; its row is read at the begin of a step and written at the end.
pub(super) struct SqlTables<'s> {
    session: &'s Session,
    found: Found,
    row: [i64; COLUMNS],
    changed: bool,
    woken: bool,
}

/// The statements of one kind of set: ready and queued jobs are in the order of their names alone.
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
        Set::Ready | Set::Queued => &READY,
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
        for (slot, number) in PLACED.iter().zip(row.iter_mut().skip(COLUMNS - PLACED.len())) {
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
        let has_jobs = self.size(Set::Ready) > 0 || self.size(Set::Ring) > 0;
        self.number(Counter::Paused as usize) == 0 && has_jobs
    }

    /// Whether a job is due or past its lease, or a group's pause or spacing has ended.
    pub(super) fn has_due(&self, now: i64) -> Result<bool> {
        for set in [Set::Timed, Set::Leases, Set::Blocked] {
            if self.size(set) > 0 && !self.first_until(set, now.unsigned_abs(), 1)?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The places of all sets and maps.
    pub(super) fn places(&self) -> Vec<i64> {
        (0..ALL_SLOTS).map(|slot| self.place(slot)).collect()
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
        if let Some(index) = place_index(slot) {
            return self.number(index);
        }
        match slot.checked_sub(SLOTS) {
            Some(beyond) => at(EXTRA.saturating_add(self.base()), beyond),
            None => at(self.base(), slot),
        }
    }

    /// Where the places of the partition begin.
    fn base(&self) -> i64 {
        match place_index(UNIQUE).map(|index| self.number(index)) {
            Some(unique) if unique >= FRESH => unique.saturating_sub(at(0, UNIQUE)),
            _ => fixed(self.found, 0),
        }
    }

    fn place_of(&self, set: Set) -> i64 {
        self.place(slot_of(set))
    }

    pub(super) fn place_in(&self, map: Map) -> i64 {
        self.place(slot_in(map))
    }
}

fn fixed(found: Found, slot: usize) -> i64 {
    at(found.partition.saturating_mul(slots()), slot)
}

/// How many places a partition has.
fn slots() -> i64 {
    i64::try_from(SLOTS).unwrap_or(i64::MAX)
}

/// A slot among the places that begin here.
fn at(base: i64, slot: usize) -> i64 {
    base.saturating_add(i64::try_from(slot).unwrap_or_default())
}

const fn size_index(set: Set) -> usize {
    Counter::ALL.len() + set as usize
}

/// Where the row holds the place of a slot.
fn place_index(slot: usize) -> Option<usize> {
    let at = PLACED.iter().position(|placed| *placed == slot)?;
    Some(COLUMNS - PLACED.len() + at)
}

fn member(row: &Row<'_>) -> rusqlite::Result<Member> {
    let score: i64 = row.get(0)?;
    Ok(Member { score: score.unsigned_abs(), name: row.get_ref(1)?.as_str()?.into() })
}

/// The first text behind all that begin with a prefix, whose last character is ASCII.
fn behind(prefix: &str) -> String {
    let mut chars: Vec<char> = prefix.chars().collect();
    if let Some(last) = chars.last_mut() {
        *last = char::from_u32(u32::from(*last) + 1).unwrap_or(char::MAX);
    }
    chars.into_iter().collect()
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
        self.woken |= matches!(set, Set::Ready | Set::Ring);
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
        self.first_beyond(set, &Member { score, name: name.into() }, count)
    }

    fn first_beyond(&self, set: Set, last: &Member, count: usize) -> Result<Vec<Member>> {
        let parameters: [&dyn rusqlite::ToSql; 4] =
            [&self.place_of(set), &limit(count), &signed(last.score), &&*last.name];
        self.session.rows(statements(set).after, &parameters, member)
    }

    fn find(&self, set: Set, prefix: &str) -> Result<Option<Member>> {
        let sql = "SELECT score, name FROM members WHERE place = ?1 AND name >= ?2 AND name < ?3";
        self.session.row(sql, (self.place_of(set), prefix, behind(prefix)), member)
    }

    /// Sets whose scores are all zero are those in the order of their names.
    fn first_under(&self, set: Set, prefix: &str, count: usize) -> Result<Vec<Member>> {
        let sql = "SELECT score, name FROM ready WHERE place = ?1 AND name >= ?3 AND name < ?4
                   ORDER BY name LIMIT ?2";
        let end = behind(prefix);
        let parameters: [&dyn rusqlite::ToSql; 4] =
            [&self.place_of(set), &limit(count), &prefix, &end];
        self.session.rows(sql, &parameters, member)
    }

    fn len_under(&self, set: Set, prefix: &str) -> Result<u64> {
        let sql = "SELECT count(*) FROM ready WHERE place = ?1 AND name >= ?2 AND name < ?3";
        let read = |row: &Row<'_>| row.get::<_, i64>(0);
        let count = self.session.row(sql, (self.place_of(set), prefix, behind(prefix)), read)?;
        Ok(count.unwrap_or_default().unsigned_abs())
    }

    fn len(&self, set: Set) -> Result<u64> {
        Ok(self.size(set).unsigned_abs())
    }

    fn get(&self, map: Map, key: &str) -> Result<Option<Bytes>> {
        let sql = "SELECT small, large FROM items WHERE place = ?1 AND key = ?2";
        self.session.row(sql, (self.place_in(map), key), |row| self.session.value(row, 0))
    }

    fn size(&self, map: Map, key: &str) -> Result<Option<usize>> {
        let sql = "SELECT CASE WHEN large IS NULL THEN length(small) ELSE
                   (SELECT length(value) FROM large WHERE id = items.large) END
                   FROM items WHERE place = ?1 AND key = ?2";
        let size = self.session.row(sql, (self.place_in(map), key), |row| row.get::<_, i64>(0))?;
        Ok(size.map(|size| usize::try_from(size).unwrap_or(usize::MAX)))
    }

    fn walk(&self, map: Map, after: &str, count: usize) -> Result<Vec<(String, Bytes)>> {
        let sql = "SELECT key, small, large FROM items WHERE place = ?1 AND key > ?2
                   ORDER BY key LIMIT ?3";
        let read = |row: &Row<'_>| Ok((row.get(0)?, self.session.value(row, 1)?));
        self.session.rows(sql, &[&self.place_in(map), &after, &limit(count)], read)
    }

    fn put(&mut self, map: Map, key: &str, value: Bytes) -> Result<()> {
        let sql = "INSERT INTO items(place, key, small, large) VALUES(?1, ?2, ?3, ?4)
                   ON CONFLICT(place, key) DO UPDATE SET small = ?3, large = ?4";
        self.session.with_value(key, &value, |(small, large)| {
            self.session.execute(sql, (self.place_in(map), key, small, large)).map(drop)
        })
    }

    fn delete(&mut self, map: Map, key: &str) -> Result<bool> {
        let sql = "DELETE FROM items WHERE place = ?1 AND key = ?2";
        Ok(self.session.execute(sql, (self.place_in(map), key))? > 0)
    }

    /// Leaves everything behind as garbage, and goes on in other places.
    fn clear(&mut self) -> Result<()> {
        for place in self.places() {
            self.session.execute("INSERT OR IGNORE INTO garbage VALUES(?1)", [place])?;
        }
        let sql = "UPDATE meta SET places = places + 1 RETURNING places";
        let places = self.session.row(sql, [], |row| row.get::<_, i64>(0))?.unwrap_or_default();
        let base = FRESH.saturating_add(places.saturating_mul(slots()));
        for slot in PLACED {
            if let Some(index) = place_index(slot) {
                self.set_number(index, at(base, slot));
            }
        }
        Set::ALL.into_iter().for_each(|set| self.set_number(size_index(set), 0));
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
