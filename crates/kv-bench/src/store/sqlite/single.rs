//! Single sets and gets, by one caller and by many.

use std::sync::Arc;

use async_trait::async_trait;
use kv_core::{Clock, KeyValueStore, SystemClock, Write};

use super::{Files, SCENARIO, UPSERT, value};
use crate::Result;
use crate::contest::{Contestant, Plan};
use crate::file::bare;
use crate::model::{Sample, Settings, Target, Tier};
use crate::statistics::count;
use crate::tasks::at_once;

const SETS: &str = "sets/s";
const GETS: &str = "gets/s";
const BARE: &str = "bare SQLite";
const BARE_FULL: &str = "bare SQLite, full";
const NORMAL: &str = "kv-sqlite, normal";
const FULL: &str = "kv-sqlite, full";
const MANY: &str = "kv-sqlite, full, 1,024 callers";
const ONE: &str = "kv-sqlite, 1 caller";
const SOME: &str = "kv-sqlite, 64 callers";
const CALLERS: usize = 1_024;

pub(super) fn plans(files: &Arc<Files>, settings: &Settings) -> [Plan; 2] {
    [sets(files, settings), gets(files, settings)]
}

fn sets(files: &Arc<Files>, settings: &Settings) -> Plan {
    let single = |how, operations| Single { files: files.clone(), how, operations };
    let (many, few) = (settings.size(20_000), settings.size(1_000));
    let about = format!(
        "Keys that are there, in random order, of {} in the file; a set and a commit each, but \
         that callers share a commit.",
        files.keys
    );
    Plan::new(SCENARIO, "set in a file", &about, SETS)
        .enter(BARE, Tier::Plain, "an upsert, `synchronous = NORMAL`", single(How::Bare, many))
        .enter(BARE_FULL, Tier::Plain, "the same, `FULL`", single(How::BareFull, few))
        .enter(NORMAL, Tier::Plain, "boxed trait, one caller", single(How::Normal(1), many))
        .enter(FULL, Tier::Plain, "boxed trait, one caller, `full`", single(How::Full(1), few))
        .enter(MANY, Tier::Plain, "boxed trait, `full`", single(How::Full(CALLERS), many))
        .floor(BARE)
        .target(Target::at_least(0.5, NORMAL, BARE, SETS))
        .target(Target::at_least(20.0, NORMAL, FULL, SETS))
        .target(Target::at_least(40.0, MANY, BARE_FULL, SETS))
}

fn gets(files: &Arc<Files>, settings: &Settings) -> Plan {
    let operations = settings.size(50_000);
    let single = |how| Single { files: files.clone(), how, operations };
    let about = format!("Keys in random order, of {} in the file.", files.keys);
    Plan::new(SCENARIO, "get from a file", &about, GETS)
        .enter(BARE, Tier::Plain, "a prepared statement, the value copied", single(How::BareGet))
        .enter(ONE, Tier::Plain, "boxed trait, `get`", single(How::Get(1)))
        .enter(SOME, Tier::Plain, "boxed trait, `get`", single(How::Get(64)))
        .floor(BARE)
        .target(Target::at_least(0.6, ONE, BARE, GETS))
        .target(Target::at_least(0.6, SOME, BARE, GETS))
}

#[derive(Clone, Copy)]
enum How {
    Bare,
    BareFull,
    BareGet,
    /// Sets by so many callers.
    Normal(usize),
    Full(usize),
    /// Gets by so many callers.
    Get(usize),
}

struct Single {
    files: Arc<Files>,
    how: How,
    operations: u64,
}

#[async_trait]
impl Contestant for Single {
    async fn turn(&mut self) -> Result<Sample> {
        self.files.filled().await?;
        let keys: Vec<String> = (0..self.operations).map(|_| self.files.key()).collect();
        let operations = count(keys.len());
        let (took, figure) = match self.how {
            How::Bare => (self.bare_sets("NORMAL", &keys).await?, SETS),
            How::BareFull => (self.bare_sets("FULL", &keys).await?, SETS),
            How::BareGet => (self.bare_gets(&keys).await?, GETS),
            How::Normal(callers) | How::Full(callers) => (self.ours(callers, keys).await?, SETS),
            How::Get(callers) => (self.ours(callers, keys).await?, GETS),
        };
        Ok(Sample::from([(figure.to_owned(), operations / took)]))
    }
}

impl Single {
    /// Seconds for an upsert of each key.
    async fn bare_sets(&self, synchronous: &str, keys: &[String]) -> Result<f64> {
        let file = bare(&self.files.filled().await?.folder.join("bare.db"), synchronous)?;
        let clock = SystemClock::new();
        for key in keys {
            file.prepare_cached(UPSERT)?.execute((key, &*value(1)))?;
        }
        Ok(clock.now().as_secs_f64())
    }

    /// Seconds for a look-up of each key.
    async fn bare_gets(&self, keys: &[String]) -> Result<f64> {
        let file = bare(&self.files.filled().await?.folder.join("bare.db"), "NORMAL")?;
        let clock = SystemClock::new();
        let mut bytes = 0;
        for key in keys {
            let mut statement = file.prepare_cached("SELECT value FROM entries WHERE key = ?1")?;
            bytes += statement.query_row([key], |row| row.get::<_, Vec<u8>>(0))?.len();
        }
        check(bytes, keys.len() * super::VALUE_BYTES)?;
        Ok(clock.now().as_secs_f64())
    }

    /// Seconds until so many callers, each on a task of its own, are done with their shares.
    async fn ours(&self, callers: usize, keys: Vec<String>) -> Result<f64> {
        let shares = crate::tasks::deal(keys, callers);
        let (files, how) = (self.files.clone(), self.how);
        let clock = SystemClock::new();
        at_once(shares, |share| call(files.clone(), how, share)).await?;
        Ok(clock.now().as_secs_f64())
    }
}

async fn call(files: Arc<Files>, how: How, keys: Vec<String>) -> Result<()> {
    let filled = files.filled().await?;
    let store: &dyn KeyValueStore = match how {
        How::Full(_) => &*filled.full,
        _ => &*filled.normal,
    };
    let mut bytes = 0;
    for key in &keys {
        if matches!(how, How::Get(_)) {
            bytes += store.get(key).await?.map_or(0, |entry| entry.value.len());
        } else {
            store.set(key, value(1), Write::ALWAYS).await?;
            bytes += super::VALUE_BYTES;
        }
    }
    check(bytes, keys.len() * super::VALUE_BYTES)
}

fn check(found: usize, expected: usize) -> Result<()> {
    if found == expected { Ok(()) } else { Err(format!("{found} of {expected} bytes").into()) }
}
