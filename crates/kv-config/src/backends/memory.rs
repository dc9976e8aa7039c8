//! `memory`: its settings to its builder.

use std::sync::Arc;
use std::time::Duration;

use kv_core::Result;
use kv_memory::MemoryStore;

use crate::factory::{Backend, Connect};
use crate::problem::Problems;
use crate::settings::Settings;
use crate::values::Values;

pub(crate) fn prepare(values: &Values) -> Connect {
    let settings = values.settings("memory", &mut Problems::default());
    Arc::new(move || {
        let built = build(&settings);
        Box::pin(async { built })
    })
}

fn build(settings: &Settings) -> Result<Backend> {
    let mut builder = MemoryStore::builder();
    if let Some(entries) = settings.get::<Option<usize>>("MAX_ENTRIES")? {
        builder = builder.max_entries(entries);
    }
    if let Some(interval) = settings.get::<Option<Duration>>("CLEANUP_INTERVAL")? {
        builder = builder.cleanup_interval(interval);
    }
    Ok(Box::new(builder.build()))
}
