//! The first opening after a kill: how long it takes, and how much memory.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use kv_core::{Clock, KeyValueStore, SystemClock};
use kv_sqlite::SqliteStore;

use super::beside::Busy;
use super::{SCENARIO, fill_ours, name};
use crate::Result;
use crate::contest::{Contestant, Plan};
use crate::file::Folder;
use crate::machine::output;
use crate::model::{Sample, Settings, Target, Tier};

const OPENING: &str = "ms to the first value";
const MEMORY: &str = "MiB of memory";
const ENTRY: &str = "kv-sqlite";

pub(super) fn plan(settings: &Settings) -> Plan {
    let keys = 2 * settings.size(settings.stored);
    let about = format!(
        "A file with {keys} keys, whose writer is killed (SIGKILL); another process opens it and \
         reads a value."
    );
    Plan::new(SCENARIO, "opening after a kill", &about, OPENING)
        .enter(ENTRY, Tier::Plain, "`SqliteStore::open`, `get`", Opening { keys, file: None })
        .target(Target::at_most(200.0, ENTRY, OPENING))
        .target(Target::at_most(100.0, ENTRY, MEMORY))
}

struct Opening {
    keys: u64,
    file: Option<(Folder, PathBuf)>,
}

#[async_trait]
impl Contestant for Opening {
    async fn turn(&mut self) -> Result<Sample> {
        if self.file.is_none() {
            let folder = Folder::new()?;
            let path = folder.join("ours.db");
            let store = SqliteStore::open(&path).await?;
            fill_ours(&store, self.keys).await?;
            store.close().await?;
            self.file = Some((folder, path));
        }
        let path = self.file.as_ref().map(|(_, path)| path.clone()).ok_or("no file")?;
        tokio::task::spawn_blocking(move || killed_and_opened(&path)).await?
    }

    async fn prove(&mut self) -> Result<()> {
        Ok(())
    }
}

fn killed_and_opened(path: &Path) -> Result<Sample> {
    let writer = Busy::start(path)?;
    std::thread::park_timeout(std::time::Duration::from_millis(300));
    drop(writer);
    let program = std::env::current_exe()?;
    let (program, path) = (program.to_str(), path.to_str());
    let (program, path) = program.zip(path).ok_or("a path is no text")?;
    let told = output(program, &["open-file", path]).ok_or("the file was not opened")?;
    let mut figures = told.split(' ').map(str::parse::<f64>);
    let mut next = || figures.next().ok_or("a figure is missing");
    Ok(Sample::from([(OPENING.to_owned(), next()??), (MEMORY.to_owned(), next()??)]))
}

/// Opens the file and reads a value; prints how long that took and how much memory there is then.
pub(crate) async fn open_file(path: &str) -> Result<()> {
    let clock = SystemClock::new();
    let store = SqliteStore::open(path).await?;
    store.get(&name(1)).await?.ok_or("no value")?;
    let millis = 1e3 * clock.now().as_secs_f64();
    println!("{millis} {}", resident_mebibytes()?);
    Ok(())
}

/// What the process has in memory now.
fn resident_mebibytes() -> Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().next()).ok_or("no VmRSS")?;
    Ok(kibibytes.parse::<f64>()? / 1024.0)
}
