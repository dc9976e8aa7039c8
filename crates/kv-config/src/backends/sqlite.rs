//! `sqlite`: its settings, or a URL, to an open file.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use kv_core::Result;
use kv_sqlite::{SqliteStore, SqliteStoreBuilder, SqliteSync};

use crate::check;
use crate::factory::{Backend, Connect};
use crate::problem::Problems;
use crate::settings::Settings;
use crate::values::Values;

const NAME: &str = "sqlite";

/// Checks that it is told where the file is; it is opened where the store is connected.
pub(crate) fn prepare(values: &Values, problems: &mut Problems) -> Option<Connect> {
    // What is wrong with a single value is told already.
    let settings = values.settings(NAME, &mut Problems::default());
    let path = path(&settings, values, problems)?;
    Some(Arc::new(move || {
        let builder = configure(SqliteStore::builder(&path), &settings);
        Box::pin(async { Ok(Box::new(builder?.open().await?) as Backend) })
    }))
}

fn path(settings: &Settings, values: &Values, problems: &mut Problems) -> Option<PathBuf> {
    let general = values.settings("", &mut Problems::default());
    if let Some(url) = general.get::<Option<String>>("URL").ok().flatten() {
        let path = check::sqlite_path(&url);
        let subject = values.subject("", "URL");
        if values.is_set(NAME, "PATH") {
            let together = format!("is set together with {subject}");
            problems.add(values.subject(NAME, "PATH"), together, "only one of the two");
        } else if path.is_none() {
            problems.add(subject, "names no file", "sqlite:///path/of/the/file");
        }
        return path;
    }
    let path = settings.get::<Option<PathBuf>>("PATH").ok().flatten();
    if path.is_none() && !values.is_set(NAME, "PATH") {
        problems.add(values.subject(NAME, "PATH"), "is not set", "a path");
    }
    path
}

fn configure(builder: SqliteStoreBuilder, settings: &Settings) -> Result<SqliteStoreBuilder> {
    let mut builder = builder;
    if settings.get::<Option<String>>("SYNC")?.as_deref() == Some("full") {
        builder = builder.sync(SqliteSync::Full);
    }
    if let Some(timeout) = settings.get::<Option<Duration>>("TIMEOUT")? {
        builder = builder.timeout(timeout);
    }
    Ok(builder)
}
