//! The jobs of queues, as they are.

use std::sync::Arc;

use kv_core::queue::{
    BATCH_BYTES, Export, Import, MAX_BATCH, Partition, QueueEngine, QueueSupport, encode_name,
};
use kv_core::{Error, ErrorKind, KeyValueStore, RESERVED, Result};

use super::position::{At, Place};
use super::{Copied, StoreCopy};

/// How many jobs are in a step.
const JOBS: usize = 500;
const _: () = assert!(JOBS <= MAX_BATCH, "a page is one request");

impl StoreCopy<'_> {
    /// Copies a page of a partition; where to go on.
    pub(super) async fn copy_jobs(&self, at: At, copied: &mut Copied) -> Result<Place> {
        let Some((name, count)) = self.queues.get(at.queue) else { return Ok(Place::End) };
        let named = |error: Error| error.operation("copy").key(name);
        let (source, from) = self.open(self.from, name, &at, *count).await.map_err(named)?;
        let (destination, to) = self.open(self.to, name, &at, *count).await.map_err(named)?;
        let request = Export { at: at.page, limit: JOBS, bytes: BATCH_BYTES };
        let page = source.export(&from, request).await.map_err(named)?;
        let import = Import { jobs: page.jobs, unique: page.unique, numbers: page.numbers };
        let imported = destination.import(&to, import).await.map_err(named)?;
        copied.jobs += imported.added;
        copied.present += imported.present;
        copied.left_out += page.broken;
        Ok(match page.next {
            Some(next) => Place::Queue(At { page: Some(next), ..at }),
            None => Place::partition(&self.queues, at.queue, at.partition + 1),
        })
    }

    /// The engine of a store, in which the queue is open, and the partition there.
    async fn open(
        &self,
        store: &dyn KeyValueStore,
        name: &str,
        at: &At,
        partitions: u32,
    ) -> Result<(Arc<dyn QueueEngine>, Partition)> {
        let engine = match store.queue_engine() {
            QueueSupport::Native(engine) => engine,
            QueueSupport::Refused(why) => return Err(Error::new(ErrorKind::Unsupported, why)),
            QueueSupport::Generic => {
                return Err(Error::unsupported(
                    "copying queues of a store without an engine of its own",
                ));
            }
        };
        let queue = [store.key_prefix(), RESERVED, "queue:", &encode_name(name)].concat();
        // Each time: a copy may go on in a process that has not opened it.
        engine.open(&queue, partitions).await?;
        Ok((engine, Partition { queue: queue.into(), number: at.partition }))
    }
}
