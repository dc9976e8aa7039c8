//! `memory`: its settings to its builder.

use std::sync::Arc;
use std::time::Duration;

use kv_memory::{MemoryStore, MemoryStoreBuilder};

use crate::backends::with;
use crate::factory::{Backend, Connect};
use crate::values::Values;
use crate::variables::memory::{CLEANUP_INTERVAL, MAX_ENTRIES};

pub(crate) fn prepare(values: &Values) -> Connect {
    let (entries, interval) = (values.get(&MAX_ENTRIES), values.get(&CLEANUP_INTERVAL));
    Arc::new(move || {
        let store = builder(entries, interval).build();
        Box::pin(async { Ok(Box::new(store) as Backend) })
    })
}

fn builder(entries: Option<usize>, interval: Option<Duration>) -> MemoryStoreBuilder {
    let builder = with(MemoryStore::builder(), entries, MemoryStoreBuilder::max_entries);
    with(builder, interval, MemoryStoreBuilder::cleanup_interval)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_those_of_the_builder() {
        let values = Values::unset();
        let built = builder(values.get(&MAX_ENTRIES), values.get(&CLEANUP_INTERVAL));
        assert_eq!(format!("{built:?}"), format!("{:?}", MemoryStore::builder()));
    }
}
