//! Hosts with one planted bug each, around good tables.

use std::sync::Arc;
use std::time::Duration;

use kv_core::queue::{
    Control, Controlled, Exchange, Exchanged, Inspect, Inspected, MAX_BATCH, Maintain, Maintained,
    Partition, QueueEngine, Session, Submit, Submitted,
};
use kv_core::{Result, async_trait};
use kv_queue_machine::MemTables;
use kv_queue_machine::testing::{MachineHost, ManualClock, Subject};

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HostFault {
    /// Claims are acked before anyone ran them.
    AckBeforeRun,
    /// The time is a client's, which is a second ahead.
    ClientClock,
    /// All partitions are one.
    SharedPartitions,
    /// A batch beyond the limit is cut instead of refused.
    CutBatch,
    /// A unique key that is looked up is told free.
    HolderLost,
    /// A step that is refused as older is done all the same.
    OlderDone,
}

pub(crate) struct FaultyHost {
    clock: Arc<ManualClock>,
    host: MachineHost<MemTables>,
    fault: HostFault,
}

impl FaultyHost {
    pub(crate) fn new(fault: HostFault) -> Self {
        let clock = Arc::new(ManualClock::default());
        Self { host: MachineHost::new(Arc::clone(&clock) as _, MemTables::default), clock, fault }
    }

    fn at(&self, partition: &Partition) -> Partition {
        let shared = self.fault == HostFault::SharedPartitions;
        Partition { number: if shared { 0 } else { partition.number }, ..partition.clone() }
    }
}

#[async_trait]
impl Subject for FaultyHost {
    fn engine(&self) -> &dyn QueueEngine {
        self
    }

    async fn set_time(&self, now: Duration) {
        let ahead = u64::from(self.fault == HostFault::ClientClock);
        self.clock.set(now + Duration::from_secs(ahead));
    }
}

#[async_trait]
impl QueueEngine for FaultyHost {
    async fn open(&self, queue: &str, partitions: u32) -> Result<()> {
        self.host.open(queue, partitions).await
    }

    async fn submit(&self, at: &Partition, mut request: Submit) -> Result<Vec<Submitted>> {
        if self.fault == HostFault::CutBatch {
            request.jobs.truncate(MAX_BATCH);
        }
        self.host.submit(&self.at(at), request).await
    }

    async fn exchange(&self, at: &Partition, mut request: Exchange) -> Result<Exchanged> {
        let done = self.host.exchange(&self.at(at), request.clone()).await;
        match done {
            Ok(exchanged) if self.fault == HostFault::AckBeforeRun => {
                request.acks = exchanged.claimed.iter().map(|claimed| claimed.handle).collect();
                (request.operations, request.claim) = (Vec::new(), None);
                request.session = Session { name: "own".into(), request: u64::MAX >> 11 };
                let ack = self.host.with(&self.at(at), |tables| {
                    tables.at(kv_core::Clock::wall(&*self.clock)).exchange(&request)
                });
                ack.map(|_| exchanged)
            }
            Err(error)
                if self.fault == HostFault::OlderDone
                    && error.kind() == kv_core::ErrorKind::Conflict =>
            {
                request.session.name = "other".into();
                self.host.exchange(&self.at(at), request).await
            }
            other => other,
        }
    }

    async fn maintain(&self, at: &Partition, request: Maintain) -> Result<Maintained> {
        self.host.maintain(&self.at(at), request).await
    }

    async fn control(&self, at: &Partition, request: Control) -> Result<Controlled> {
        self.host.control(&self.at(at), request).await
    }

    async fn inspect(&self, at: &Partition, request: Inspect) -> Result<Inspected> {
        if self.fault == HostFault::HolderLost && matches!(request, Inspect::Unique { .. }) {
            return Ok(Inspected::Unique(None));
        }
        self.host.inspect(&self.at(at), request).await
    }

    async fn remove(&self, queue: &str, partitions: u32) -> Result<()> {
        self.host.remove(queue, partitions).await
    }

    async fn wait(&self, partitions: &[Partition], timeout: Duration) -> Result<Vec<u32>> {
        self.host.wait(partitions, timeout).await
    }
}
