//! From the values of the layers to the layers.

use std::time::Duration;

use kv_core::Result;
use kv_layers::{Layers, Limit, Metrics, NearCache, Observe, Retry, Statistics, Timeout};

use crate::factory::Backend;
use crate::problem::Problems;
use crate::settings::Settings;
use crate::values::Values;

/// The layers that are named, with their values, made anew for each store. They count together.
#[derive(Clone, Default)]
pub(crate) struct Stack {
    layers: Vec<(String, Settings)>,
    metrics: Metrics,
    statistics: Statistics,
    near_cache: NearCache,
}

pub(crate) fn prepare(names: &[String], values: &Values, problems: &mut Problems) -> Stack {
    if cfg!(not(feature = "memory")) && names.iter().any(|name| name == "fallback") {
        let problem = "`memory` is compiled out: kv-config's feature `memory` brings it";
        problems.add(values.subject("fallback", "TYPE"), problem, "no fallback");
    }
    refuse_what_is_compiled_out(names, values, problems);
    if names.iter().any(|name| name == "encrypt") && !values.is_set("encrypt", "KEY") {
        problems.add(values.subject("encrypt", "KEY"), "is not set", "64 hexadecimal digits");
    }
    // What is wrong with a single value is told already.
    let settings =
        |name: &String| values.settings(&super::group_of(name), &mut Problems::default());
    let layers = names.iter().map(|name| (name.clone(), settings(name))).collect();
    Stack {
        layers,
        metrics: Metrics::new(),
        statistics: Statistics::new(),
        near_cache: NearCache::new(),
    }
}

fn refuse_what_is_compiled_out(names: &[String], values: &Values, problems: &mut Problems) {
    let compiled =
        [("compress", cfg!(feature = "compress")), ("encrypt", cfg!(feature = "encrypt"))];
    for (layer, _) in compiled.into_iter().filter(|(_, is_there)| !is_there) {
        if names.iter().any(|name| name == layer) {
            let problem =
                format!("`{layer}` is compiled out: kv-config's feature `{layer}` brings it");
            problems.add(values.subject("", "LAYERS"), problem, format!("no `{layer}`"));
        }
    }
}

impl Stack {
    pub(crate) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    pub(crate) fn statistics(&self) -> &Statistics {
        &self.statistics
    }

    pub(crate) fn near_cache(&self) -> &NearCache {
        &self.near_cache
    }

    pub(crate) fn around(&self, store: Backend) -> Result<Backend> {
        if self.layers.is_empty() {
            return Ok(store);
        }
        let mut layers = Layers::new();
        for (name, settings) in &self.layers {
            layers = match name.as_str() {
                "observe" => layers.observe(Observe::to(self.metrics.clone())),
                "statistics" => layers.statistics(self.statistics.clone()),
                "read-only" => layers.read_only(),
                "near-cache" => layers.near_cache(near_cache(self.near_cache.clone(), settings)?),
                "compress" => compress(layers, settings)?,
                "encrypt" => encrypt(layers, settings)?,
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

#[cfg(feature = "compress")]
fn compress(layers: Layers, settings: &Settings) -> Result<Layers> {
    Ok(layers.compress(kv_layers::Compress::above(settings.get("ABOVE")?)))
}

#[cfg(not(feature = "compress"))]
fn compress(_: Layers, _: &Settings) -> Result<Layers> {
    Err(compiled_out())
}

#[cfg(feature = "encrypt")]
fn encrypt(layers: Layers, settings: &Settings) -> Result<Layers> {
    use kv_layers::{Encrypt, EncryptionKey};
    let key: String = settings.get("KEY")?;
    let encrypt = Encrypt::with(EncryptionKey::from_hex(&key)?);
    let old: Option<String> = settings.get("OLD_KEY")?;
    Ok(layers.encrypt(match old {
        Some(old) => encrypt.old_key(EncryptionKey::from_hex(&old)?),
        None => encrypt,
    }))
}

#[cfg(not(feature = "encrypt"))]
fn encrypt(_: Layers, _: &Settings) -> Result<Layers> {
    Err(compiled_out())
}

#[cfg(not(all(feature = "compress", feature = "encrypt")))]
fn compiled_out() -> kv_core::Error {
    // Told already, when the configuration was checked.
    kv_core::Error::new(kv_core::ErrorKind::Config, "the layer is compiled out")
}

fn near_cache(near_cache: NearCache, settings: &Settings) -> Result<NearCache> {
    let near_cache = near_cache.entries(settings.get("ENTRIES")?).bytes(settings.get("BYTES")?);
    let prefix: Option<String> = settings.get("ONLY")?;
    Ok(near_cache.max_age(settings.get("MAX_AGE")?).only(prefix.unwrap_or_default()))
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
