//! `sqlite`: its settings, or a URL, to an open file.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use kv_sqlite::{SqliteStore, SqliteStoreBuilder, SqliteSync};

use crate::backends::with;
use crate::check;
use crate::factory::{Backend, Connect};
use crate::problem::Problems;
use crate::values::Values;
use crate::variables::general::URL;
use crate::variables::sqlite::{PATH, SYNC, TIMEOUT};

/// Checks that it is told where the file is; it is opened where the store is connected.
pub(crate) fn prepare(values: &Values, problems: &mut Problems) -> Option<Connect> {
    let path = path(values, problems)?;
    let settings = (values.get(&SYNC), values.get(&TIMEOUT));
    Some(Arc::new(move || {
        let builder = builder(&path, settings.clone());
        Box::pin(async { Ok(Box::new(builder.open().await?) as Backend) })
    }))
}

fn path(values: &Values, problems: &mut Problems) -> Option<PathBuf> {
    if let Some(url) = values.get(&URL) {
        let path = check::sqlite_path(&url);
        let subject = values.subject(&URL);
        if values.is_set(&PATH) {
            let together = format!("is set together with {subject}");
            problems.add(values.subject(&PATH), together, "only one of the two");
        } else if path.is_none() {
            problems.add(subject, "names no file", "sqlite:///path/of/the/file");
        }
        return path;
    }
    if !values.is_set(&PATH) {
        problems.add(values.subject(&PATH), "is not set", "a path");
    }
    values.get(&PATH)
}

fn builder(path: &Path, (sync, timeout): (Option<String>, Option<Duration>)) -> SqliteStoreBuilder {
    let sync = match sync.as_deref() {
        Some("full") => SqliteSync::Full,
        _ => SqliteSync::Normal,
    };
    with(SqliteStore::builder(path).sync(sync), timeout, SqliteStoreBuilder::timeout)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_those_of_the_builder() {
        let values = Values::unset();
        let path = Path::new("state.db");
        let built = builder(path, (values.get(&SYNC), values.get(&TIMEOUT)));
        let shown = |builder: SqliteStoreBuilder| {
            let text = format!("{builder:?}");
            // Each clock has an origin of its own.
            text.split(", clock").next().map(str::to_owned)
        };
        assert_eq!(shown(built), shown(SqliteStore::builder(path)));
    }
}
