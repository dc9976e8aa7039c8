//! From the values of the layers to the layers.

#[cfg(feature = "encrypt")]
use std::path::PathBuf;
use std::sync::Arc;

use kv_core::Result;
use kv_layers::{Layers, Limit, Metrics, NearCache, Observe, Retry, Statistics, Timeout};

use crate::factory::Backend;
#[cfg(feature = "encrypt")]
use crate::key::Key;
use crate::problem::Problems;
#[cfg(not(all(feature = "compress", feature = "encrypt", feature = "memory")))]
use crate::problem::compiled_out;
#[cfg(feature = "encrypt")]
use crate::secret;
use crate::values::Values;
use crate::variables::{fallback, limit, near_cache, retry, timeout};

/// What a key of the layer `encrypt` is.
#[cfg(feature = "encrypt")]
const HEX: &str = "64 hexadecimal digits";

/// Puts one more layer inside of those that are there.
type Step = Arc<dyn Fn(Layers) -> Layers + Send + Sync>;

/// The layers that are named, with their values, made anew for each store. They count together.
#[derive(Clone, Default)]
pub(crate) struct Stack {
    steps: Vec<Step>,
    metrics: Metrics,
    statistics: Statistics,
    near_cache: NearCache,
}

pub(crate) fn prepare(names: &[String], values: &Values, problems: &mut Problems) -> Stack {
    let mut stack = Stack::default();
    for name in names {
        let step = stack.step(name, values, problems);
        stack.steps.extend(step);
    }
    stack
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
        if self.steps.is_empty() {
            return Ok(store);
        }
        self.steps.iter().fold(Layers::new(), |layers, step| step(layers)).on(store)
    }

    /// The layer of this name; nothing where a problem was told.
    fn step(&self, name: &str, values: &Values, problems: &mut Problems) -> Option<Step> {
        let (metrics, statistics) = (self.metrics.clone(), self.statistics.clone());
        match name {
            "observe" => step(move |layers| layers.observe(Observe::to(metrics.clone()))),
            "statistics" => step(move |layers| layers.statistics(statistics.clone())),
            "read-only" => step(Layers::read_only),
            "near-cache" => near_cache(&self.near_cache, values),
            "compress" => compress(values, problems),
            "encrypt" => encrypt(values, problems),
            "fallback" => fallback(values, problems),
            "limit" => limit(values),
            "retry" => {
                let retry = retry(values)?;
                step(move |layers| layers.retry(retry()))
            }
            "timeout" => {
                let after = values.get(&timeout::AFTER)?;
                step(move |layers| layers.timeout(Timeout::after(after)))
            }
            _ => None,
        }
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the steps of other layers may be refused")]
fn step(step: impl Fn(Layers) -> Layers + Send + Sync + 'static) -> Option<Step> {
    Some(Arc::new(step))
}

#[cfg(feature = "compress")]
fn compress(values: &Values, _: &mut Problems) -> Option<Step> {
    let above = values.get(&crate::variables::compress::ABOVE)?;
    step(move |layers| layers.compress(kv_layers::Compress::above(above)))
}

#[cfg(not(feature = "compress"))]
fn compress(values: &Values, problems: &mut Problems) -> Option<Step> {
    refuse("compress", values, problems)
}

#[cfg(feature = "encrypt")]
fn encrypt(values: &Values, problems: &mut Problems) -> Option<Step> {
    use crate::variables::encrypt::{KEY, KEY_FILE, OLD_KEY, OLD_KEY_FILE};
    if !values.is_set(&KEY) && !values.is_set(&KEY_FILE) {
        problems.add(values.subject(&KEY), "is not set", HEX);
    }
    let key = encryption_key((&KEY, &KEY_FILE), values, problems);
    let old = encryption_key((&OLD_KEY, &OLD_KEY_FILE), values, problems);
    let encrypt = kv_layers::Encrypt::with(key?);
    let encrypt = match old {
        Some(old) => encrypt.old_key(old),
        None => encrypt,
    };
    step(move |layers| layers.encrypt(encrypt.clone()))
}

#[cfg(feature = "encrypt")]
fn encryption_key(
    (key, file): (&Key<String>, &Key<PathBuf>),
    values: &Values,
    problems: &mut Problems,
) -> Option<kv_layers::EncryptionKey> {
    let text = secret::read((key, file), "the key", values, problems)?;
    let key = kv_layers::EncryptionKey::from_hex(&text);
    if key.is_err() {
        // A key that is set was checked with the other values.
        problems.add(values.subject(file), "names a file that holds no key", HEX);
    }
    key.ok()
}

#[cfg(not(feature = "encrypt"))]
fn encrypt(values: &Values, problems: &mut Problems) -> Option<Step> {
    refuse("encrypt", values, problems)
}

#[cfg(not(all(feature = "compress", feature = "encrypt")))]
fn refuse(layer: &str, values: &Values, problems: &mut Problems) -> Option<Step> {
    let subject = values.subject(&crate::variables::general::LAYERS);
    problems.add(subject, compiled_out(layer), format!("no `{layer}`"));
    None
}

#[cfg(feature = "memory")]
fn fallback(values: &Values, _: &mut Problems) -> Option<Step> {
    let entries = values.get(&fallback::MAX_ENTRIES)?;
    let spare = move || kv_memory::MemoryStore::builder().max_entries(entries).build();
    let fallback = kv_layers::Fallback::to(spare).failures(values.get(&fallback::FAILURES)?);
    let fallback = fallback.pause(values.get(&fallback::PAUSE)?);
    step(move |layers| layers.fallback(fallback.clone()))
}

#[cfg(not(feature = "memory"))]
fn fallback(values: &Values, problems: &mut Problems) -> Option<Step> {
    problems.add(values.subject(&fallback::TYPE), compiled_out("memory"), "no fallback");
    None
}

fn near_cache(counting: &NearCache, values: &Values) -> Option<Step> {
    let near_cache = counting.clone().entries(values.get(&near_cache::ENTRIES)?);
    let near_cache = near_cache.bytes(values.get(&near_cache::BYTES)?);
    let near_cache = near_cache.max_age(values.get(&near_cache::MAX_AGE)?);
    let near_cache = near_cache.only(values.get(&near_cache::ONLY).unwrap_or_default());
    step(move |layers| layers.near_cache(near_cache.clone()))
}

fn limit(values: &Values) -> Option<Step> {
    let (running, waiting) = (values.get(&limit::CONCURRENCY)?, values.get(&limit::QUEUE)?);
    step(move |layers| layers.limit(Limit::to(running).queue(waiting)))
}

fn retry(values: &Values) -> Option<impl Fn() -> Retry + Send + Sync + 'static> {
    let attempts = values.get(&retry::ATTEMPTS)?;
    let (first, longest) = (values.get(&retry::FIRST_PAUSE)?, values.get(&retry::LONGEST_PAUSE)?);
    let within = values.get(&retry::WITHIN)?;
    Some(move || Retry::new().attempts(attempts).pauses(first, longest).within(within))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_of_retry_are_those_of_the_layer() {
        let ours = retry(&Values::unset()).unwrap()().seeded(1);
        assert_eq!(format!("{ours:?}"), format!("{:?}", Retry::new().seeded(1)));
    }

    #[test]
    fn the_defaults_of_the_near_cache_are_those_of_the_layer() {
        let step = near_cache(&NearCache::new(), &Values::unset()).unwrap();
        let own = Layers::new().near_cache(NearCache::new());
        assert_eq!(format!("{:?}", step(Layers::new())), format!("{own:?}"));
    }

    #[cfg(feature = "memory")]
    #[test]
    fn the_defaults_of_fallback_are_those_of_the_layer() {
        let values = Values::unset();
        let own = kv_layers::Fallback::to(kv_memory::MemoryStore::new);
        let ours = own.clone().failures(values.get(&fallback::FAILURES).unwrap());
        let ours = ours.pause(values.get(&fallback::PAUSE).unwrap());
        assert_eq!(format!("{ours:?}"), format!("{own:?}"));
    }
}
