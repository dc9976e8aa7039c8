//! One SQLite file through the boxed contract, beside bare SQLite.

mod beside;
mod large;
mod opening;
mod single;

use std::sync::Arc;

use bytes::Bytes;
use kv_core::{KeyValueStore, Lifetime};
use kv_sqlite::{SqliteStore, SqliteSync};
use rusqlite::Connection;
use tokio::sync::OnceCell;

use crate::Result;
use crate::contest::Plan;
use crate::file::{Folder, bare};
use crate::model::Settings;

pub(crate) use beside::write_file;
pub(crate) use opening::open_file;

pub(crate) const SCENARIO: &str = "sqlite";

const VALUE_BYTES: usize = 100;

/// How many keys are written at once where a file is filled.
const BATCH: u64 = 1_000;

const TABLE: &str = "CREATE TABLE entries(key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID";
const UPSERT: &str = "INSERT INTO entries VALUES(?1, ?2) ON CONFLICT(key) DO UPDATE SET value = ?2";

/// All contests of the scenario.
pub(crate) fn plans(settings: &Settings) -> Vec<Plan> {
    let files = Arc::new(Files::new(settings.size(settings.stored)));
    let mut plans = Vec::from(single::plans(&files, settings));
    plans.extend(large::plans(settings));
    plans.push(beside::plan(&files, settings));
    plans.push(opening::plan(settings));
    plans
}

/// A file of ours and a bare one with the same keys, made when they are first asked for.
struct Files {
    keys: u64,
    filled: OnceCell<Filled>,
}

struct Filled {
    folder: Folder,
    normal: Box<dyn KeyValueStore>,
    full: Box<dyn KeyValueStore>,
}

impl Files {
    fn new(keys: u64) -> Self {
        Self { keys, filled: OnceCell::new() }
    }

    async fn filled(&self) -> Result<&Filled> {
        self.filled.get_or_try_init(|| fill(self.keys)).await
    }

    /// Some key that is there.
    fn key(&self) -> String {
        name(fastrand::u64(..self.keys))
    }
}

async fn fill(keys: u64) -> Result<Filled> {
    let folder = Folder::new()?;
    let path = folder.join("ours.db");
    let open = async |sync| SqliteStore::builder(&path).sync(sync).open().await;
    let normal = open(SqliteSync::Normal).await?;
    fill_ours(&normal, keys).await?;
    fill_bare(&mut bare(&folder.join("bare.db"), "NORMAL")?, keys)?;
    let full = Box::new(open(SqliteSync::Full).await?);
    Ok(Filled { folder, normal: Box::new(normal), full })
}

async fn fill_ours(store: &SqliteStore, keys: u64) -> Result<()> {
    for batch in crate::payload::batches(keys, BATCH, |id| (name(id - 1), value(id))) {
        store.set_many(batch, Lifetime::Never).await?;
    }
    Ok(())
}

fn fill_bare(file: &mut Connection, keys: u64) -> Result<()> {
    file.execute_batch(TABLE)?;
    for batch in crate::payload::batches(keys, BATCH, |id| (name(id - 1), value(id))) {
        let all = file.transaction()?;
        for (key, value) in batch {
            all.prepare_cached(UPSERT)?.execute((key, &*value))?;
        }
        all.commit()?;
    }
    Ok(())
}

fn name(number: u64) -> String {
    format!("processed:{number:08}")
}

fn value(number: u64) -> Bytes {
    Bytes::from(format!("{number:x>VALUE_BYTES$}"))
}
