//! The library's own backends, each behind its feature. Nothing else names them.

#[cfg(feature = "memory")]
mod memory;
#[cfg(feature = "redis")]
mod redis;
#[cfg(feature = "sqlite")]
mod sqlite;

use crate::factory::Connect;
use crate::problem::Problems;
use crate::values::Values;

/// The backends that can be compiled in, by the name of their feature.
const FEATURES: [&str; 3] = ["memory", "redis", "sqlite"];

/// Those that are compiled in.
pub(crate) const COMPILED: &[&str] = &[
    #[cfg(feature = "memory")]
    "memory",
    #[cfg(feature = "redis")]
    "redis",
    #[cfg(feature = "sqlite")]
    "sqlite",
];

/// Those whose names programs could give to backends of their own before the library had one: such
/// a registration goes before ours.
pub(crate) const YIELDING: [&str; 1] = ["sqlite"];

/// The feature that would bring the backend.
pub(crate) fn compiled_out(name: &str) -> Option<&'static str> {
    FEATURES.into_iter().find(|feature| *feature == name && !COMPILED.contains(feature))
}

/// The builder with the value, or as it is where there is none.
#[cfg(any(feature = "memory", feature = "redis", feature = "sqlite"))]
fn with<B, T>(builder: B, value: Option<T>, set: impl Fn(B, T) -> B) -> B {
    match value {
        Some(value) => set(builder, value),
        None => builder,
    }
}

/// How the backend of this name is connected. Variables of the others are checked too.
pub(crate) fn prepare(name: &str, values: &Values, problems: &mut Problems) -> Option<Connect> {
    // A backend that is compiled out leaves some of them unused.
    let _ = (values, &problems);
    #[cfg(feature = "redis")]
    let redis = redis::prepare(name == "redis", values, problems);
    match name {
        #[cfg(feature = "memory")]
        "memory" => Some(memory::prepare(values)),
        #[cfg(feature = "redis")]
        "redis" => redis,
        #[cfg(feature = "sqlite")]
        "sqlite" => sqlite::prepare(values, problems),
        _ => None,
    }
}
