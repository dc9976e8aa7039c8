//! The smallest host: tables under a lock.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kv_core::queue::{
    Control, Controlled, Exchange, Exchanged, Inspect, Inspected, Maintain, Maintained, Partition,
    QueueEngine, Submit, Submitted,
};
use kv_core::{Clock, Result, async_trait};

use crate::{Machine, Tables};

/// Runs the machine on any tables, such as faulty ones. Engines must give its answers.
///
/// A partition is made at its first use; `wait` names all at once.
pub struct MachineHost<T> {
    clock: Arc<dyn Clock>,
    make: Box<dyn Fn() -> T + Send + Sync>,
    tables: Mutex<HashMap<Partition, T>>,
}

impl<T> fmt::Debug for MachineHost<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MachineHost").field("clock", &self.clock).finish_non_exhaustive()
    }
}

impl<T: Tables> MachineHost<T> {
    /// A host whose steps take the clock's date, and whose partitions are made by `make`.
    pub fn new(clock: Arc<dyn Clock>, make: impl Fn() -> T + Send + Sync + 'static) -> Self {
        Self { clock, make: Box::new(make), tables: Mutex::default() }
    }

    /// Looks into a partition's tables.
    pub fn with<R>(&self, partition: &Partition, look: impl FnOnce(&mut T) -> R) -> R {
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        look(tables.entry(partition.clone()).or_insert_with(&self.make))
    }

    fn step<R>(&self, partition: &Partition, step: impl FnOnce(Machine<'_, T>) -> R) -> R {
        let now = self.clock.wall();
        self.with(partition, |tables| step(Machine::new(tables, now)))
    }
}

#[async_trait]
impl<T: Tables + Send + 'static> QueueEngine for MachineHost<T> {
    async fn open(&self, queue: &str, partitions: u32) -> Result<()> {
        kv_core::queue::check_partitions(queue, partitions)
    }

    async fn submit(&self, partition: &Partition, request: Submit) -> Result<Vec<Submitted>> {
        self.step(partition, |mut machine| machine.submit(&request))
    }

    async fn exchange(&self, partition: &Partition, request: Exchange) -> Result<Exchanged> {
        self.step(partition, |mut machine| machine.exchange(&request))
    }

    async fn maintain(&self, partition: &Partition, request: Maintain) -> Result<Maintained> {
        self.step(partition, |mut machine| machine.maintain(&request))
    }

    async fn control(&self, partition: &Partition, request: Control) -> Result<Controlled> {
        self.step(partition, |mut machine| machine.control(&request))
    }

    async fn inspect(&self, partition: &Partition, request: Inspect) -> Result<Inspected> {
        self.step(partition, |machine| machine.inspect(&request))
    }

    async fn remove(&self, queue: &str, partitions: u32) -> Result<()> {
        kv_core::queue::check_partitions(queue, partitions)?;
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        tables.retain(|partition, _| *partition.queue != *queue);
        Ok(())
    }

    async fn wait(&self, partitions: &[Partition], _: Duration) -> Result<Vec<u32>> {
        Ok(partitions.iter().map(|partition| partition.number).collect())
    }
}
