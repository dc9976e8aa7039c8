//! The formats of stored values by name; pickle stands behind its feature.

use kv_core::Serializer;

use crate::problem::Problems;
use crate::settings::Settings;
use crate::values::Values;

/// The format that is set; nothing where a problem was told.
pub(crate) fn prepare(
    general: &Settings,
    values: &Values,
    problems: &mut Problems,
) -> Option<Serializer> {
    let name = general.get::<String>("SERIALIZER").ok()?;
    let format = find(&name);
    if format.is_none() {
        let problem = format!("`{name}` is compiled out: kv-config's feature `{name}` brings it");
        problems.add(values.subject("", "SERIALIZER"), problem, "json or msgpack");
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
