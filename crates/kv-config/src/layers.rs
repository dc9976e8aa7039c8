//! The layers by name: in the one order, and with no variable of a layer that is not there.

#[cfg(feature = "layers")]
mod stack;

use kv_core::Result;

use crate::factory::Backend;
use crate::problem::{Problems, quote};
use crate::suggest::nearest;
use crate::values::Values;
use crate::variables::general::LAYERS;

/// Every layer, the outermost first.
pub(crate) const ORDER: [&str; 9] = [
    "observe",
    "statistics",
    "read-only",
    "compress",
    "encrypt",
    "fallback",
    "limit",
    "retry",
    "timeout",
];

/// What a layer refuses; the others refuse nothing.
const REFUSED: [(&str, &str); 4] = [
    ("read-only", "the layer `read-only` refuses every change, and queues"),
    ("compress", "the layer `compress` refuses queues; use a configuration without it for these"),
    ("encrypt", "the layer `encrypt` refuses queues; use a configuration without it for these"),
    (
        "fallback",
        "the layer `fallback` refuses conditions (`update`, `set_if_absent`), `take`, counters, \
         durable writes and queues; use a configuration without it for these",
    ),
];

/// What stands around each store that is connected.
#[derive(Clone, Default)]
pub(crate) struct Chosen {
    names: Vec<String>,
    #[cfg(feature = "layers")]
    stack: stack::Stack,
}

impl Chosen {
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    pub(crate) fn refusals(&self) -> Vec<&'static str> {
        let is_chosen = |layer| self.names.iter().any(|name| name == layer);
        let chosen = REFUSED.iter().filter(|(layer, _)| is_chosen(*layer));
        chosen.map(|(_, refused)| *refused).collect()
    }

    #[cfg(feature = "layers")]
    pub(crate) fn metrics(&self) -> &kv_layers::Metrics {
        self.stack.metrics()
    }

    #[cfg(feature = "layers")]
    pub(crate) fn statistics(&self) -> &kv_layers::Statistics {
        self.stack.statistics()
    }

    pub(crate) fn around(&self, store: Backend) -> Result<Backend> {
        #[cfg(feature = "layers")]
        let store = self.stack.around(store)?;
        Ok(store)
    }
}

/// The layers that are named; what is wrong with them is told.
pub(crate) fn prepare(values: &Values, problems: &mut Problems) -> Chosen {
    // A value that was refused is told already.
    let names = values.get(&LAYERS).unwrap_or_default();
    let names: Vec<String> = names.iter().map(|name| name.trim().to_ascii_lowercase()).collect();
    if let Some(problem) = complaint(&names) {
        problems.add(values.subject(&LAYERS), problem, in_order());
        return Chosen::default();
    }
    refuse_without_effect(&names, values, problems);
    if cfg!(not(feature = "layers")) && !names.is_empty() {
        let problem = "needs what is compiled out: kv-config's feature `layers` brings it";
        problems.add(values.subject(&LAYERS), problem, "no layers");
    }
    Chosen {
        #[cfg(feature = "layers")]
        stack: stack::prepare(&names, values, problems),
        names,
    }
}

/// What is wrong with the names: one that is unknown, or out of order.
fn complaint(names: &[String]) -> Option<String> {
    let known = ORDER.map(str::to_owned);
    let mut last: Option<usize> = None;
    for name in names {
        let Some(place) = ORDER.iter().position(|known| known == name) else {
            let meant = nearest(name, &known);
            let meant = meant.map(|name| format!(", did you mean `{name}`?")).unwrap_or_default();
            return Some(format!("{} is no layer{meant}", quote(name)));
        };
        match last.and_then(|last| Some((last, ORDER.get(last)?))) {
            Some((last, _)) if last == place => return Some(format!("names `{name}` twice")),
            Some((last, inner)) if last > place => {
                return Some(format!(
                    "names `{name}` inside of `{inner}`, which it has to surround"
                ));
            }
            _ => last = Some(place),
        }
    }
    None
}

fn in_order() -> String {
    format!("any of {}, in this order", ORDER.join(", "))
}

/// A variable of a layer that is not there is likely one of a layer that was forgotten.
fn refuse_without_effect(names: &[String], values: &Values, problems: &mut Problems) {
    for group in values.groups() {
        let layer = group.name.as_ref();
        if !ORDER.contains(&layer) || names.iter().any(|name| name == layer) {
            continue;
        }
        for (subject, _) in values.set_in(group) {
            let expected = format!("{} to name `{layer}`", LAYERS.name());
            problems.add(subject, "has no effect", expected);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_layer_with_variables_stands_in_the_order() {
        let groups = crate::variables::groups();
        let names: Vec<&str> = groups.iter().map(|group| group.name.as_ref()).collect();
        let with_variables: Vec<&str> =
            names.into_iter().filter(|name| ORDER.contains(name)).collect();
        assert!(with_variables.contains(&"timeout"));
        let in_order = ORDER.into_iter().filter(|name| with_variables.contains(name));
        assert_eq!(in_order.collect::<Vec<_>>(), with_variables);
    }

    #[cfg(feature = "layers")]
    #[test]
    fn the_order_is_that_of_the_layers_themselves() {
        assert_eq!(ORDER, kv_layers::Layers::ORDER);
    }
}
