//! The native queue engine: the queue's machine, under a lock for each partition.

mod partitions;
#[cfg(test)]
mod tests;
mod wait;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use kv_core::queue::check_partitions;
use kv_core::queue::{
    Control, Controlled, Exchange, Exchanged, Export, Exported, Import, Imported, Inspect,
    Inspected, Partition, QueueEngine, Submit, Submitted, Tend, Tended,
};
use kv_core::{Clock, Error, ErrorKind, Result, async_trait};
use kv_queue_machine::MemTables;

use partitions::Partitions;

/// All queues of a store.
///
/// The time of a step is the clock's date. A verb on a queue that this store has not opened, or on
/// an unknown partition, fails with `Config`. Queues are never evicted, and end with the store.
///
/// # Cancel safety
/// Every verb except `wait` is done at its first poll. `wait` changes nothing.
#[derive(Debug)]
pub(crate) struct MemoryQueues {
    clock: Arc<dyn Clock>,
    queues: RwLock<HashMap<Arc<str>, Arc<Partitions>>>,
    closed: AtomicBool,
}

impl MemoryQueues {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, queues: RwLock::default(), closed: AtomicBool::new(false) }
    }

    /// Ends the engine: waiting calls return, and every later call fails with `Closed`.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        for queue in self.queues.read().unwrap_or_else(PoisonError::into_inner).values() {
            queue.wake();
        }
    }

    fn check_open(&self) -> Result<()> {
        if self.closed.load(Ordering::SeqCst) { Err(Error::closed()) } else { Ok(()) }
    }

    fn queue(&self, partition: &Partition) -> Result<Arc<Partitions>> {
        self.check_open()?;
        let queues = self.queues.read().unwrap_or_else(PoisonError::into_inner);
        queues.get(&partition.queue).cloned().ok_or_else(|| not_open(partition))
    }

    /// One step on a partition.
    fn step<R>(
        &self,
        partition: &Partition,
        step: impl FnOnce(&mut MemTables, Duration) -> Result<R>,
    ) -> Result<R> {
        let queue = self.queue(partition)?;
        let answer = queue.step(partition.number, |tables| step(tables, self.clock.wall()));
        answer.ok_or_else(|| not_open(partition))?
    }

    /// The queue of all these partitions; `None` without partitions.
    fn queue_of(&self, partitions: &[Partition]) -> Result<Option<Arc<Partitions>>> {
        let Some(first) = partitions.first() else { return Ok(None) };
        let queue = self.queue(first)?;
        let is_of_it = |it: &&Partition| it.queue == first.queue && it.number < queue.count();
        match partitions.iter().find(|partition| !is_of_it(partition)) {
            Some(other) => Err(not_open(other)),
            None => Ok(Some(queue)),
        }
    }
}

#[async_trait]
impl QueueEngine for MemoryQueues {
    async fn open(&self, queue: &str, partitions: u32) -> Result<()> {
        self.check_open()?;
        check_partitions(queue, partitions)?;
        let mut queues = self.queues.write().unwrap_or_else(PoisonError::into_inner);
        let Some(known) = queues.get(queue) else {
            queues.insert(queue.into(), Arc::new(Partitions::new(partitions)));
            return Ok(());
        };
        if known.count() == partitions {
            return Ok(());
        }
        let message = format!("{partitions} partitions; the queue has {}", known.count());
        Err(Error::new(ErrorKind::Config, message).operation("open").key(queue))
    }

    async fn submit(&self, partition: &Partition, request: Submit) -> Result<Vec<Submitted>> {
        self.step(partition, |tables, now| tables.at(now).submit(&request))
    }

    async fn exchange(&self, partition: &Partition, request: Exchange) -> Result<Exchanged> {
        self.step(partition, |tables, now| tables.at(now).exchange(&request))
    }

    async fn tend(&self, partition: &Partition, request: Tend) -> Result<Tended> {
        self.step(partition, |tables, now| tables.at(now).tend(&request))
    }

    async fn control(&self, partition: &Partition, request: Control) -> Result<Controlled> {
        self.step(partition, |tables, now| tables.at(now).control(&request))
    }

    async fn inspect(&self, partition: &Partition, request: Inspect) -> Result<Inspected> {
        self.step(partition, |tables, now| tables.at(now).inspect(&request))
    }

    /// A wake-up wakes all waiters. The wait ends only by a wake-up, at once if a job is claimable
    /// already. The caller bounds the time, since this engine needs no runtime.
    async fn wait(&self, partitions: &[Partition], _timeout: Duration) -> Result<Vec<u32>> {
        let Some(queue) = self.queue_of(partitions)? else { return Ok(Vec::new()) };
        let closed = || self.closed.load(Ordering::SeqCst);
        let ready = wait::until(&queue, partitions, self.clock.wall(), closed).await;
        self.check_open()?;
        match partitions.first().filter(|_| queue.is_removed()) {
            Some(partition) => Err(not_open(partition)),
            None => Ok(ready),
        }
    }

    async fn remove(&self, queue: &str, partitions: u32) -> Result<()> {
        self.check_open()?;
        check_partitions(queue, partitions).map_err(|error| error.operation("remove"))?;
        let removed = self.queues.write().unwrap_or_else(PoisonError::into_inner).remove(queue);
        if let Some(removed) = removed {
            removed.remove();
        }
        Ok(())
    }

    async fn export(&self, partition: &Partition, request: Export) -> Result<Exported> {
        self.step(partition, |tables, now| tables.at(now).export(&request))
    }

    async fn import(&self, partition: &Partition, request: Import) -> Result<Imported> {
        self.step(partition, |tables, now| tables.at(now).import(&request))
    }
}

fn not_open(partition: &Partition) -> Error {
    let message = format!("partition {} is not open in this store", partition.number);
    Error::new(ErrorKind::Config, message).key(&partition.queue)
}
