//! The generic engine and the machine agree, also when replies are lost and others interfere.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use kv_core::async_trait;
use kv_core::queue::{Partition, QueueEngine};
use kv_queue_machine::testing::{Dump, Subject, check};
use kv_queue_machine::{Map, MemTables};

use super::super::GenericEngine;
use super::store::MapStore;

/// The engine, and whether others write the index before every third of its writes.
struct Generic {
    store: Arc<MapStore>,
    engine: GenericEngine,
    raced: Option<AtomicU64>,
}

impl Generic {
    fn new(raced: bool) -> Self {
        let store = Arc::new(MapStore::default());
        let engine = super::engine(&store, 7);
        Self { store, engine, raced: raced.then(AtomicU64::default) }
    }
}

#[async_trait]
impl Subject for Generic {
    fn engine(&self) -> &dyn QueueEngine {
        if let Some(calls) = &self.raced
            && calls.fetch_add(1, Ordering::SeqCst).is_multiple_of(3)
        {
            self.store.races.store(1, Ordering::SeqCst);
        }
        &self.engine
    }

    async fn set_time(&self, now: Duration) {
        self.store.clock.set(now);
    }

    /// Every body and checkpoint of the index has its blob, and there is no other blob.
    async fn check(&self, partition: &Partition) -> Result<(), String> {
        let at = format!("{}:{}", partition.queue, partition.number);
        let index = self.store.value(&format!("{at}:index"));
        let tables = index.map_or_else(|| Ok(MemTables::default()), |it| MemTables::decode(&it));
        let tables = tables.map_err(|error| error.to_string())?;
        Dump::from(&tables).check()?;
        let names = tables.entries(Map::Body).chain(tables.entries(Map::Checkpoint));
        let hex = |name: &[u8]| {
            name.iter().take(16).map(|byte| format!("{byte:02x}")).collect::<String>()
        };
        let named: BTreeSet<_> = names.map(|(_, it)| format!("{at}:body:{}", hex(it))).collect();
        let stored: BTreeSet<_> = self.store.keys(&format!("{at}:body:")).into_iter().collect();
        if named == stored { Ok(()) } else { Err(format!("{named:?} but {stored:?}")) }
    }
}

#[tokio::test(start_paused = true)]
async fn it_answers_as_the_machine_does_and_leaves_no_blob_behind() {
    check(async || Generic::new(false), 0..100, 500).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn it_answers_as_the_machine_does_while_others_write() {
    check(async || Generic::new(true), 500..520, 500).await.unwrap();
}
