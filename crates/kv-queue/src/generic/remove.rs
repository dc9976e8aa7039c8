//! Removing a queue: each partition's index, then the bodies that it named, and last the settings.
//!
//! In this order an interrupted removal can be repeated: the repeat finds the rest, except bodies
//! whose index is gone, which nobody reads.

use std::sync::PoisonError;

use kv_core::queue::{Partition, check_partitions};
use kv_core::{Bytes, Condition, Error, ErrorKind, Result};
use kv_queue_machine::{Map, MemTables};

use super::{GenericEngine, index};

/// How often an index is read anew when others write it meanwhile.
const ATTEMPTS: usize = 48;

/// How many bodies are deleted in one call.
const BODIES: usize = 1_000;

impl GenericEngine {
    pub(super) async fn remove_queue(&self, queue: &str, partitions: u32) -> Result<()> {
        check_partitions(queue, partitions).map_err(|error| error.operation("remove"))?;
        let turns = self.queues.write().unwrap_or_else(PoisonError::into_inner).remove(queue);
        for number in 0..partitions {
            let turn = match &turns {
                Some(turns) => turns.take(number).await,
                None => None,
            };
            let removed = self.remove_partition(&Partition { queue: queue.into(), number }).await;
            drop(turn);
            removed.map_err(|error| error.operation("remove"))?;
        }
        if let Some(turns) = turns {
            turns.wake();
        }
        let settings = index::settings(queue);
        self.store().delete(&settings, Condition::Always).await.map(drop)
    }

    async fn remove_partition(&self, partition: &Partition) -> Result<()> {
        let key = index::key(partition);
        for _ in 0..ATTEMPTS {
            // Removes only the index that was read: if a step of another process comes between and
            // adds bodies, the next attempt removes them too.
            let (tables, condition) = index::read(self.store(), &key).await?;
            if condition == Condition::Absent {
                return Ok(());
            }
            if self.store().delete(&key, condition).await? {
                let names = names(&tables);
                for some in names.chunks(BODIES) {
                    self.discard(partition, some.iter()).await;
                }
                return Ok(());
            }
        }
        let message = format!("others changed the partition during each of {ATTEMPTS} attempts");
        Err(Error::new(ErrorKind::Conflict, message).key(&key))
    }
}

/// The blobs that tables name.
fn names(tables: &MemTables) -> Vec<Bytes> {
    let named = tables.entries(Map::Body).chain(tables.entries(Map::Checkpoint));
    named.map(|(_, name)| name.clone()).collect()
}
