//! The library's own backends, each behind its feature. Nothing else names them.

#[cfg(feature = "memory")]
mod memory;
#[cfg(feature = "redis")]
mod redis;

use crate::factory::Connect;
use crate::problem::Problems;
use crate::table::TABLE;
use crate::values::Values;

/// The backends that can be compiled in, by the name of their feature.
const FEATURES: [&str; 2] = ["memory", "redis"];

/// Those that are compiled in.
pub(crate) const COMPILED: &[&str] = &[
    #[cfg(feature = "memory")]
    "memory",
    #[cfg(feature = "redis")]
    "redis",
];

/// The feature that would bring the backend.
pub(crate) fn compiled_out(name: &str) -> Option<&'static str> {
    FEATURES.into_iter().find(|feature| *feature == name && !COMPILED.contains(feature))
}

/// Whether the table knows variables of the backend, but no version brings it yet.
pub(crate) fn is_planned(name: &str) -> bool {
    TABLE.iter().any(|(known, _)| !known.is_empty() && *known == name) && !FEATURES.contains(&name)
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
        _ => None,
    }
}
