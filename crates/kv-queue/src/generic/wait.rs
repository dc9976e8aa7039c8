//! Waiting on a store that sends no wake-ups.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use kv_core::Result;
use kv_core::queue::Partition;
use tokio::sync::futures::Notified;
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
        let turns = partitions.iter().map(|partition| self.turns(partition));
        let mut turns = turns.collect::<Result<Vec<_>>>()?;
        turns.dedup_by(|one, other| Arc::ptr_eq(one, other));
        let end = Instant::now().checked_add(limit);
        let [mut pause, longest] = PAUSES;
        loop {
            // No wake-up is lost: the wait listens before it reads the index.
            let mut wakes: Vec<_> = turns.iter().map(|turns| Box::pin(turns.woken())).collect();
            let ready = self.to_look_into(partitions).await?;
            if !ready.is_empty() {
                return Ok(ready);
            }
            let look = Instant::now() + self.jitter(pause / 2) + pause / 2;
            let until = end.map_or(look, |end| end.min(look));
            if timeout_at(until, poll_fn(|context| any(&mut wakes, context))).await.is_err()
                && end.is_some_and(|end| end <= until)
            {
                return Ok(Vec::new());
            }
            pause = (pause * 2).min(longest);
        }
    }

    async fn to_look_into(&self, partitions: &[Partition]) -> Result<Vec<u32>> {
        let now = self.now().await?;
        let mut found = Vec::new();
        for partition in partitions {
            let (tables, _) = index::read(self.store(), &index::key(partition)).await?;
            if tables.is_claimable() || tables.has_due(now) {
                found.push(partition.number);
            }
        }
        Ok(found)
    }
}

fn any(wakes: &mut [Pin<Box<Notified<'_>>>], context: &mut Context<'_>) -> Poll<()> {
    let woken = |wake: &mut Pin<Box<Notified<'_>>>| wake.as_mut().poll(context).is_ready();
    if wakes.iter_mut().any(woken) { Poll::Ready(()) } else { Poll::Pending }
}
