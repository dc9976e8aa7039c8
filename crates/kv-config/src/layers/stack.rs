//! From the values of the layers to the layers.

use std::time::Duration;

use kv_core::Result;
use kv_layers::{Layers, Limit, Metrics, Observe, Retry, Timeout};

use crate::factory::Backend;
use crate::problem::Problems;
use crate::settings::Settings;
use crate::values::Values;

/// The layers that are named, with their values, made anew for each store. They count together.
#[derive(Clone, Default)]
pub(crate) struct Stack {
    layers: Vec<(String, Settings)>,
    metrics: Metrics,
}

pub(crate) fn prepare(names: &[String], values: &Values, problems: &mut Problems) -> Stack {
    if cfg!(not(feature = "memory")) && names.iter().any(|name| name == "fallback") {
        let problem = "`memory` is compiled out: kv-config's feature `memory` brings it";
        problems.add(values.subject("fallback", "TYPE"), problem, "no fallback");
    }
    // What is wrong with a single value is told already.
    let settings = |name: &String| values.settings(name, &mut Problems::default());
    let layers = names.iter().map(|name| (name.clone(), settings(name))).collect();
    Stack { layers, metrics: Metrics::new() }
}

impl Stack {
    pub(crate) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    pub(crate) fn around(&self, store: Backend) -> Result<Backend> {
        if self.layers.is_empty() {
            return Ok(store);
        }
        let mut layers = Layers::new();
        for (name, settings) in &self.layers {
            layers = match name.as_str() {
                "observe" => layers.observe(Observe::to(self.metrics.clone())),
                "fallback" => fallback(layers, settings)?,
                "limit" => layers.limit(limit(settings)?),
                "retry" => layers.retry(retry(settings)?),
                "timeout" => layers.timeout(Timeout::after(settings.get("AFTER")?)),
                _ => layers,
            };
        }
        layers.on(store)
    }
}

#[cfg(feature = "memory")]
fn fallback(layers: Layers, settings: &Settings) -> Result<Layers> {
    let entries: usize = settings.get("MAX_ENTRIES")?;
    let spare = move || kv_memory::MemoryStore::builder().max_entries(entries).build();
    let fallback = kv_layers::Fallback::to(spare).failures(settings.get("FAILURES")?);
    Ok(layers.fallback(fallback.pause(settings.get("PAUSE")?)))
}

#[cfg(not(feature = "memory"))]
fn fallback(_: Layers, _: &Settings) -> Result<Layers> {
    // Told already, when the configuration was checked.
    Err(kv_core::Error::new(kv_core::ErrorKind::Config, "there is no store to fall back to"))
}

fn limit(settings: &Settings) -> Result<Limit> {
    Ok(Limit::to(settings.get("CONCURRENCY")?).queue(settings.get("QUEUE")?))
}

fn retry(settings: &Settings) -> Result<Retry> {
    let (first, longest): (Duration, Duration) =
        (settings.get("FIRST_PAUSE")?, settings.get("LONGEST_PAUSE")?);
    let retry = Retry::new().attempts(settings.get("ATTEMPTS")?).pauses(first, longest);
    Ok(retry.within(settings.get("WITHIN")?))
}
