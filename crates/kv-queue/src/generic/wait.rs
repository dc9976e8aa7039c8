//! Waiting on a store that sends no wake-ups.

use std::time::Duration;

use kv_core::Result;
use kv_core::queue::Partition;
use tokio::time::{Instant, timeout_at};

use super::{GenericEngine, index};

/// The shortest and the longest pause between two reads of an index.
const PAUSES: [Duration; 2] = [Duration::from_millis(10), Duration::from_millis(250)];

impl GenericEngine {
    pub(super) async fn wait_for(
        &self,
        partitions: &[Partition],
        limit: Duration,
    ) -> Result<Vec<u32>> {
        let Some(first) = partitions.first() else { return Ok(Vec::new()) };
        let turns = self.turns(first)?;
        for other in partitions {
            self.turns(other)?;
        }
        let end = Instant::now().checked_add(limit);
        let [mut pause, longest] = PAUSES;
        loop {
            // No wake-up is lost: the wait listens before it reads the index.
            let woken = turns.woken();
            let ready = self.that_may_have_work(partitions).await?;
            if !ready.is_empty() {
                return Ok(ready);
            }
            let look = Instant::now() + self.jitter(pause / 2) + pause / 2;
            let until = end.map_or(look, |end| end.min(look));
            let is_late = timeout_at(until, woken).await.is_err();
            if is_late && end.is_some_and(|end| end <= until) {
                return Ok(Vec::new());
            }
            pause = (pause * 2).min(longest);
        }
    }

    async fn that_may_have_work(&self, partitions: &[Partition]) -> Result<Vec<u32>> {
        let now = self.now().await?;
        let tables = index::read_many(self.store(), partitions).await?;
        let found = partitions.iter().zip(tables);
        let found = found.filter(|(_, tables)| tables.work_at().is_some_and(|at| at <= now));
        Ok(found.map(|(partition, _)| partition.number).collect())
    }
}
