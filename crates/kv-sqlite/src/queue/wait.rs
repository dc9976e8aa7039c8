//! Waiting for a claimable job in any of several partitions.

use std::sync::Arc;
use std::time::Duration;

use kv_core::Result;
use kv_core::queue::Partition;

use super::partition;
use crate::file::Session;
use crate::workers::Workers;

/// Returns in which partitions a job is claimable, due or past its lease, as soon as there is one;
/// none when the time is over, as the next look finds.
///
/// No wake-up is lost: it is listened for before the tables are looked at.
pub(super) async fn until(
    workers: &Workers,
    partitions: &[Partition],
    timeout: Duration,
) -> Result<Vec<u32>> {
    workers.check_open()?;
    let waited: Arc<[Partition]> = partitions.into();
    let Some(first) = waited.first().cloned() else { return Ok(Vec::new()) };
    let begin = workers.uptime();
    loop {
        let first = first.clone();
        let queue = workers.read(move |session| partition::find(session, &first)).await?.queue;
        let bell = workers.bell(queue);
        let woken = bell.notified();
        let looked = Arc::clone(&waited);
        let ready = workers.read(move |session| look(session, &looked)).await?;
        if !ready.is_empty() || workers.uptime().saturating_sub(begin) >= timeout {
            return Ok(ready);
        }
        woken.await;
    }
}

fn look(session: &Session, partitions: &[Partition]) -> Result<Vec<u32>> {
    session.snapshot(|| {
        let mut ready = Vec::new();
        // A queue is described once, however many partitions it has.
        for of_one in partitions.chunk_by(|one, other| one.queue == other.queue) {
            let Some(first) = of_one.first() else { continue };
            let described = partition::describe(session, &first.queue)?;
            let busy =
                described.map_or(Ok(Vec::new()), |(queue, _)| partition::busy(session, queue));
            let busy = busy?;
            for partition in of_one {
                let found = partition::place(described, partition)?;
                let is_busy = busy.binary_search(&found.partition).is_ok();
                if is_busy && partition::has_work(session, found)? {
                    ready.push(partition.number);
                }
            }
        }
        Ok(ready)
    })
}
