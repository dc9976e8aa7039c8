//! A queue engine with a layer around each of its verbs.

use std::sync::Arc;
use std::time::Duration;

use kv_core::queue::{
    Control, Controlled, Exchange, Exchanged, Export, Exported, Import, Imported, Inspect,
    Inspected, Partition, QueueEngine, Submit, Submitted, Tend, Tended,
};
use kv_core::{Achieved, Durability, Result, async_trait};

use super::of;
use crate::{Layer, Operation};

pub(super) struct LayeredQueues<L> {
    pub(super) layer: Arc<L>,
    pub(super) engine: Arc<dyn QueueEngine>,
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<L: Layer> QueueEngine for LayeredQueues<L> {
    async fn open(&self, queue: &str, partitions: u32) -> Result<()> {
        let run = |queue| self.engine.open(queue, partitions);
        self.layer.call(of(Operation::QueueOpen), queue, run).await
    }

    async fn submit(&self, partition: &Partition, request: Submit) -> Result<Vec<Submitted>> {
        let run = |request| self.engine.submit(partition, request);
        self.layer.call(of(Operation::QueueSubmit), request, run).await
    }

    async fn submit_durable(
        &self,
        partition: &Partition,
        request: Submit,
        durability: Durability,
    ) -> Result<(Vec<Submitted>, Achieved)> {
        let run = |request| self.engine.submit_durable(partition, request, durability);
        self.layer.call(of(Operation::QueueSubmitDurable), request, run).await
    }

    async fn exchange(&self, partition: &Partition, request: Exchange) -> Result<Exchanged> {
        let run = |request| self.engine.exchange(partition, request);
        self.layer.call(of(Operation::QueueExchange), request, run).await
    }

    async fn tend(&self, partition: &Partition, request: Tend) -> Result<Tended> {
        let run = |request| self.engine.tend(partition, request);
        self.layer.call(of(Operation::QueueTend), request, run).await
    }

    async fn control(&self, partition: &Partition, request: Control) -> Result<Controlled> {
        let run = |request| self.engine.control(partition, request);
        self.layer.call(of(Operation::QueueControl), request, run).await
    }

    async fn inspect(&self, partition: &Partition, request: Inspect) -> Result<Inspected> {
        let run = |request| self.engine.inspect(partition, request);
        self.layer.call(of(Operation::QueueInspect), request, run).await
    }

    async fn wait(&self, partitions: &[Partition], timeout: Duration) -> Result<Vec<u32>> {
        let run = |partitions| self.engine.wait(partitions, timeout);
        self.layer.call(of(Operation::QueueWait), partitions, run).await
    }

    async fn remove(&self, queue: &str, partitions: u32) -> Result<()> {
        let run = |queue| self.engine.remove(queue, partitions);
        self.layer.call(of(Operation::QueueRemove), queue, run).await
    }

    async fn export(&self, partition: &Partition, request: Export) -> Result<Exported> {
        let run = |request| self.engine.export(partition, request);
        self.layer.call(of(Operation::QueueExport), request, run).await
    }

    async fn import(&self, partition: &Partition, request: Import) -> Result<Imported> {
        let run = |request| self.engine.import(partition, request);
        self.layer.call(of(Operation::QueueImport), request, run).await
    }
}
