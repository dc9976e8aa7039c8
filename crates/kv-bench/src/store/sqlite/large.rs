//! Large values, beside a plain file.

use std::fs;
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use kv_core::{Clock, KeyValueStore, SystemClock, Write};
use kv_sqlite::SqliteStore;

use super::SCENARIO;
use crate::Result;
use crate::contest::{Contestant, Plan};
use crate::file::Folder;
use crate::model::{Sample, Settings, Target, Tier};
use crate::statistics::median;

const SET: &str = "ms a set";
const GET: &str = "ms a get";
const FILE: &str = "a plain file";
const OURS: &str = "kv-sqlite, normal";
const SIZES: [(usize, &str); 2] = [(1 << 20, "1 MiB"), (10 << 20, "10 MiB")];

/// How often a value is written and read in a turn.
const TIMES: usize = 5;

pub(super) fn plans(_: &Settings) -> Vec<Plan> {
    SIZES.map(|(bytes, size)| plan(bytes, size)).into()
}

fn plan(bytes: usize, size: &str) -> Plan {
    let about = format!("Values of {size}, one caller; the median of {TIMES} of each. No flush.");
    let large = |how| Large { how, bytes };
    Plan::new(SCENARIO, &format!("values of {size}"), &about, SET)
        .enter(FILE, Tier::Plain, "written beside and renamed; read at once", large(How::File))
        .enter(OURS, Tier::Plain, "boxed trait, `set` and `get`", large(How::Ours))
        .floor(FILE)
        .target(Target::at_most_times(3.0, OURS, FILE, SET))
        .target(Target::at_most_times(3.0, OURS, FILE, GET))
}

#[derive(Clone, Copy)]
enum How {
    File,
    Ours,
}

struct Large {
    how: How,
    bytes: usize,
}

#[async_trait]
impl Contestant for Large {
    async fn turn(&mut self) -> Result<Sample> {
        let folder = Folder::new()?;
        let mut times = Times::default();
        match self.how {
            How::File => self.file(&folder, &mut times)?,
            How::Ours => self.ours(&folder, &mut times).await?,
        }
        Ok(times.sample())
    }
}

impl Large {
    fn value(&self, round: usize) -> Bytes {
        let byte = u8::try_from(round % 251).unwrap_or_default();
        Bytes::from(vec![byte; self.bytes])
    }

    fn file(&self, folder: &Folder, times: &mut Times) -> Result<()> {
        for round in 0..TIMES {
            let (value, path) = (self.value(round), folder.join(&format!("value-{}", round % 2)));
            let beside = folder.join("beside");
            let clock = SystemClock::new();
            fs::write(&beside, &value)?;
            fs::rename(&beside, &path)?;
            times.sets.push(clock.now());
            times.gets.push(read_file(&path, &value)?);
        }
        Ok(())
    }

    async fn ours(&self, folder: &Folder, times: &mut Times) -> Result<()> {
        let store: Box<dyn KeyValueStore> =
            Box::new(SqliteStore::open(folder.join("ours.db")).await?);
        for round in 0..TIMES {
            let (value, key) = (self.value(round), format!("value-{}", round % 2));
            let clock = SystemClock::new();
            store.set(&key, value.clone(), Write::ALWAYS).await?;
            times.sets.push(clock.now());
            let clock = SystemClock::new();
            let found = store.get(&key).await?.ok_or("no value")?;
            times.gets.push(clock.now());
            same(&found.value, &value)?;
        }
        Ok(store.close().await?)
    }
}

fn read_file(path: &Path, value: &[u8]) -> Result<Duration> {
    let clock = SystemClock::new();
    let found = fs::read(path)?;
    let took = clock.now();
    same(&found, value).map(|()| took)
}

fn same(found: &[u8], expected: &[u8]) -> Result<()> {
    if found == expected { Ok(()) } else { Err("another value was read".into()) }
}

#[derive(Default)]
struct Times {
    sets: Vec<Duration>,
    gets: Vec<Duration>,
}

impl Times {
    fn sample(self) -> Sample {
        let millis = |times: Vec<Duration>| {
            let times: Vec<f64> = times.iter().map(|time| 1e3 * time.as_secs_f64()).collect();
            median(&times)
        };
        let figures = [(SET, millis(self.sets)), (GET, millis(self.gets))];
        let known = |(name, figure): (&str, Option<f64>)| Some((name.to_owned(), figure?));
        figures.into_iter().filter_map(known).collect()
    }
}
