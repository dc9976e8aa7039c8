//! A store as one writes it on a database: a table, statements, handles, and one slip or none.

mod scan;
mod table;
mod text;
mod verbs;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use kv_core::{BoxError, Clock, Command, Cursor, Entry, Error, ErrorKind, Reply, Result};
use kv_testkit::{Backend, ManualClock};
use tokio::task::yield_now;

use super::slip::{By, Kind, Slip};
use table::{Effect, Statement, Table};

pub(crate) struct Sql {
    slip: Option<Slip>,
    clock: ManualClock,
    table: Arc<Mutex<Table>>,
    closed: Arc<AtomicBool>,
    /// This handle's own: a lock, what it has read, how often it wrote.
    busy: AtomicBool,
    cache: Mutex<BTreeMap<String, Option<Entry>>>,
    writes: AtomicU64,
    /// Keys whose cached reads outlive a write, in all handles.
    stale: Arc<Mutex<Vec<String>>>,
    cursor: Mutex<Option<Cursor>>,
    used: Mutex<Vec<String>>,
}

impl Sql {
    fn new(slip: Option<Slip>, clock: ManualClock) -> Self {
        Self {
            slip,
            clock,
            table: Arc::default(),
            closed: Arc::default(),
            busy: AtomicBool::new(false),
            cache: Mutex::default(),
            writes: AtomicU64::new(0),
            stale: Arc::default(),
            cursor: Mutex::default(),
            used: Mutex::default(),
        }
    }

    fn another(&self) -> Self {
        let mut other = Self::new(self.slip, self.clock.clone());
        other.table = Arc::clone(&self.table);
        other.closed = Arc::clone(&self.closed);
        other.stale = Arc::clone(&self.stale);
        other
    }

    fn is(&self, slip: Slip) -> bool {
        self.slip == Some(slip)
    }

    fn open(&self) -> Result<()> {
        match (self.closed.load(Ordering::Acquire), self.slip) {
            (true, Some(Slip::RefusesWhenClosedAsMaybe)) => Err(Error::closed().maybe_applied()),
            (true, _) => Err(Error::closed()),
            (false, _) => Ok(()),
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        let mut table = self.table.lock().unwrap();
        table.at(u64::try_from(self.clock.now().as_micros()).unwrap(), self.slip);
        table
    }

    /// The key as this store reads it.
    fn key(&self, by: By, key: &str) -> String {
        match self.slip {
            Some(Slip::ChangesKeys(change, route)) if route == by => text::changed_key(change, key),
            _ => key.to_owned(),
        }
    }

    /// Looks and writes: in one step, unless the slip is about that.
    async fn statement(&self, by: By, command: Command) -> Result<Reply> {
        let s = Statement { kind: Kind::of(&command), by, slip: self.slip };
        if !s.has(Slip::AnswersWhenClosed) {
            self.open()?;
        }
        let key = self.key(by, command.key());
        if let Command::Set { value, .. } = &command {
            table::is_too_large(self.slip, value)?;
        }
        let locked = s.has(Slip::LockedInOneHandle);
        let transaction = matches!(self.slip, Some(Slip::DroppedHoldsTheLock(..)));
        let mut guard = if locked || transaction { Some(Busy::lock(self).await?) } else { None };
        if let (Some(guard), true) = (&mut guard, s.has(Slip::DroppedHoldsTheLock)) {
            guard.stays = true;
            yield_now().await;
            guard.stays = false;
        }
        if s.has(Slip::InTwoSteps) || locked {
            let plan = self.table().plan(s, &key, &command)?;
            yield_now().await;
            return Ok(self.write_in(&mut self.table(), s, &key, plan));
        }
        if self.is(Slip::EndsUnderRunningCalls) {
            yield_now().await;
            let gone = |_| Error::new(ErrorKind::Backend, "the database is not open");
            self.open().map_err(gone)?;
        }
        let parts = s.has(Slip::DeletesThenInserts)
            || s.has(Slip::ValueThenLifetime)
            || s.has(Slip::ValueThenVersion);
        if s.has(Slip::DroppedHoldsTheLock) {
            yield_now().await;
        }
        if parts {
            return self.in_parts(s, &key, &command).await;
        }
        let mut table = self.table();
        let plan = table.plan(s, &key, &command)?;
        Ok(self.write_in(&mut table, s, &key, plan))
    }

    fn write_in(&self, table: &mut Table, s: Statement, key: &str, plan: table::Plan) -> Reply {
        let changes = !matches!(plan.effect, Effect::Nothing);
        let plan = match plan.effect {
            Effect::Put { value, ends, given } => {
                let value = table::stored(self.slip, s.by, value);
                table::Plan { effect: Effect::Put { value, ends, given }, ..plan }
            }
            effect => table::Plan { effect, ..plan },
        };
        if self.is(Slip::VersionOfEachHandle) {
            table.writes = self.writes.fetch_add(1, Ordering::AcqRel);
        }
        let reply = table.apply(s, key, plan);
        if changes {
            self.invalidate(s, key);
        }
        reply
    }

    /// What was read of the key is forgotten, here, and by other handles unless they miss it.
    fn invalidate(&self, s: Statement, key: &str) {
        let missed = s.has(Slip::CacheMisses) || s.has(Slip::FastPathMisses);
        self.cache.lock().unwrap().remove(key);
        if missed {
            self.stale.lock().unwrap().push(key.to_owned());
        } else {
            self.stale.lock().unwrap().retain(|stale| stale != key);
        }
    }

    /// The write in two parts, each whole by itself.
    async fn in_parts(&self, s: Statement, key: &str, command: &Command) -> Result<Reply> {
        let (reply, effect, old) = {
            let mut table = self.table();
            let plan = table.plan(s, key, command)?;
            let (effect, old) = (plan.effect.clone(), table.alive(key).cloned());
            let reply = table.apply(s, key, plan);
            match (&effect, old.clone()) {
                (Effect::Nothing, _) => return Ok(reply),
                (_, Some(_)) if s.has(Slip::DeletesThenInserts) => drop(table.rows.remove(key)),
                (Effect::Put { .. } | Effect::Touch { .. }, Some(old)) => {
                    if let Some(row) = table.rows.get_mut(key) {
                        match s.slip {
                            Some(Slip::ValueThenVersion(..)) => row.version = old.version,
                            _ => row.ends = if row.ends.is_some() { None } else { Some(u64::MAX) },
                        }
                    }
                }
                _ => {}
            }
            (reply, effect, old)
        };
        yield_now().await;
        if old.is_some() && !matches!(effect, Effect::Remove) {
            let mut table = self.table();
            if s.has(Slip::DeletesThenInserts) {
                table.put_back(key, &effect, old.as_ref(), s);
            } else {
                table.finish(key, &effect);
            }
        }
        Ok(reply)
    }

    /// What this handle has read, or reads now.
    fn read_cached(&self, key: &str) -> Option<Entry> {
        let mut cache = self.cache.lock().unwrap();
        let stale = self.stale.lock().unwrap().iter().any(|stale| stale == key);
        if let (Some(read), true) = (cache.get(key), stale) {
            return read.clone();
        }
        let table = self.table();
        let read = table.alive(key).map(|row| table.entry(row, self.slip));
        cache.insert(key.to_owned(), read.clone());
        read
    }
}

/// A lock of one handle, freed at the end.
struct Busy<'s> {
    lock: &'s AtomicBool,
    stays: bool,
}

impl<'s> Busy<'s> {
    async fn lock(store: &'s Sql) -> Result<Self> {
        for _ in 0..1_000 {
            if !store.busy.swap(true, Ordering::AcqRel) {
                return Ok(Self { lock: &store.busy, stays: false });
            }
            yield_now().await;
        }
        Err(Error::new(ErrorKind::Backend, "a transaction is open"))
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        if !self.stays {
            self.lock.store(false, Ordering::Release);
        }
    }
}

impl Drop for Sql {
    fn drop(&mut self) {
        if self.is(Slip::DropCloses) {
            self.closed.store(true, Ordering::Release);
        }
    }
}

/// Makes such stores.
pub(crate) struct Plot {
    slip: Option<Slip>,
    clock: ManualClock,
}

impl Plot {
    pub(crate) fn new(slip: Option<Slip>) -> Self {
        Self { slip, clock: ManualClock::new() }
    }
}

impl Backend for Plot {
    type Store = Arc<Sql>;

    async fn fresh(&self) -> Result<Arc<Sql>, BoxError> {
        Ok(Arc::new(Sql::new(self.slip, self.clock.clone())))
    }

    fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    fn another(&self, store: &Arc<Sql>) -> Option<Arc<Sql>> {
        Some(Arc::new(store.another()))
    }
}
