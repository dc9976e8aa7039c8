//! The queue's machine on the disk.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use kv_core::queue::{
    Control, Controlled, Exchange, Exchanged, Inspect, Inspected, Maintain, Maintained, Partition,
    Policy, QueueEngine, Submit, Submitted,
};
use kv_core::{Error, ErrorKind, Result, async_trait};
use kv_queue_machine::{Machine, MemTables};

use super::disk::{Disk, Time};
use super::faults::Fault;

/// The partitions of every queue.
#[derive(Clone, Default)]
pub(super) struct Queues(BTreeMap<String, Vec<MemTables>>);

impl Queues {
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// What a faulty store does to its queues when it reads its disk.
    pub(super) fn spoil(&mut self, fault: Option<Fault>, later: Duration) {
        for tables in self.0.values_mut().flatten() {
            let mut machine = tables.at(later);
            if fault == Some(Fault::LeasesEnd) {
                machine.maintain(&Maintain { limit: 100, policy: Policy::default() }).unwrap();
            } else {
                let policy = Policy { keep_dead: 0, ..Policy::default() };
                machine.maintain(&Maintain { limit: 100, policy }).unwrap();
            }
        }
    }
}

pub(super) struct DiskQueues {
    pub(super) disk: Arc<Mutex<Disk>>,
    pub(super) known: Arc<Mutex<Disk>>,
    pub(super) time: Arc<Time>,
    pub(super) closed: Arc<AtomicBool>,
    pub(super) fault: Option<Fault>,
}

impl DiskQueues {
    fn step<R>(
        &self,
        partition: &Partition,
        step: impl FnOnce(Machine<'_, MemTables>) -> Result<R>,
    ) -> Result<R> {
        let mut known = self.open_disk()?;
        let now = self.time.now(known.mark);
        known.mark = known.mark.max(now);
        let queue = known.queues.0.get_mut(&*partition.queue);
        let tables = queue.and_then(|queue| queue.get_mut(partition.number as usize));
        let tables = tables.ok_or_else(|| Error::new(ErrorKind::Config, "not open"))?;
        let answer = step(tables.at(now));
        *self.disk.lock().unwrap() = known.clone();
        answer
    }

    fn open_disk(&self) -> Result<MutexGuard<'_, Disk>> {
        let closed = self.closed.load(Ordering::Acquire);
        if closed { Err(Error::closed()) } else { Ok(self.known.lock().unwrap()) }
    }
}

#[async_trait]
impl QueueEngine for DiskQueues {
    async fn open(&self, queue: &str, partitions: u32) -> Result<()> {
        let mut known = self.open_disk()?;
        let made = || vec![MemTables::default(); partitions as usize];
        let found = known.queues.0.entry(queue.to_owned()).or_insert_with(made).len();
        if found != partitions as usize && self.fault != Some(Fault::PartitionsForgotten) {
            return Err(Error::new(ErrorKind::Config, "another number of partitions"));
        }
        Ok(())
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

    async fn wait(&self, partitions: &[Partition], _: Duration) -> Result<Vec<u32>> {
        Ok(partitions.iter().map(|partition| partition.number).collect())
    }
}
