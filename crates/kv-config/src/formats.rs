//! The formats of stored values by name; pickle stands behind its feature.

use kv_core::Serializer;

use crate::problem::{Problems, compiled_out};
use crate::values::Values;
use crate::variables::general::SERIALIZER;

/// The format that is set; nothing where a problem was told.
pub(crate) fn prepare(values: &Values, problems: &mut Problems) -> Option<Serializer> {
    let name = values.get(&SERIALIZER)?;
    let format = find(&name);
    if format.is_none() {
        problems.add(values.subject(&SERIALIZER), compiled_out(&name), "json or msgpack");
    }
    format
}

fn find(name: &str) -> Option<Serializer> {
    match name {
        "json" => Some(Serializer::Json),
        "msgpack" => Some(Serializer::MessagePack),
        #[cfg(feature = "pickle")]
        "pickle" => Some(Serializer::custom(kv_pickle::Pickle)),
        _ => None,
    }
}
