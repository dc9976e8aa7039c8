//! Taking jobs.

use std::sync::Arc;
use std::time::Duration;

use kv_core::queue::{Claim, Claimed, MAX_BATCH, Operation, Partition};
use kv_core::{Error, Result};
use serde::de::DeserializeOwned;

use super::delivery::{Delivery, Lease};
use super::handle::Queue;
use super::job::JobId;

impl<T: DeserializeOwned> Queue<T> {
    /// Takes up to `n` jobs that can run now, the most urgent and then the oldest of a partition
    /// first; none if there are none. Each is leased: settle it, or it comes back.
    ///
    /// A job whose payload is no `T` goes to the dead letters with its bytes, and does not count.
    ///
    /// # Errors
    /// Those of the store, if not one job was taken; otherwise what was taken is returned.
    ///
    /// # Cancel safety
    /// Jobs that a dropped future has taken come back when their lease ends.
    pub async fn dequeue(&self, n: usize) -> Result<Vec<Delivery<T>>> {
        self.look(n).await.map_err(|error| error.operation("dequeue"))
    }

    /// Looks through the partitions for up to `n` jobs.
    async fn look(&self, n: usize) -> Result<Vec<Delivery<T>>> {
        self.connection().check_open()?;
        let mut found = Vec::new();
        for partition in self.connection().in_turn() {
            let lacking = n - found.len();
            if lacking == 0 {
                break;
            }
            if let Err(error) = self.look_into(partition, lacking, &mut found).await {
                if found.is_empty() {
                    return Err(error);
                }
                // What was taken is handed out; the error will show at the next look.
                break;
            }
        }
        Ok(found)
    }

    async fn look_into(
        &self,
        partition: &Partition,
        mut lacking: usize,
        found: &mut Vec<Delivery<T>>,
    ) -> Result<()> {
        let mut tended = self.connection().is_tend_due(partition);
        if tended {
            self.connection().tend(partition).await?;
        }
        while lacking > 0 {
            let limit = lacking.min(MAX_BATCH);
            let claim = Claim { limit, lease: self.connection().settings.lease };
            let answer =
                self.connection().exchange(partition, Vec::new(), Vec::new(), Some(claim)).await?;
            let claimed = answer.claimed.len();
            for claimed in answer.claimed {
                if let Some(delivery) = self.decode(partition.number, claimed).await {
                    found.push(delivery);
                    lacking = lacking.saturating_sub(1);
                }
            }
            if claimed == limit {
                continue;
            }
            if answer.next_due != Some(Duration::ZERO) || tended {
                break;
            }
            self.connection().tend(partition).await?;
            tended = true;
        }
        Ok(())
    }

    async fn decode(&self, partition: u32, claimed: Claimed) -> Option<Delivery<T>> {
        match self.connection().serializer().decode(&claimed.body) {
            Ok(payload) => {
                let lease = Arc::new(Lease::of(self.requests(), partition, claimed));
                Some(Delivery::new(payload, lease))
            }
            Err(error) => {
                let handle = claimed.handle;
                let id = JobId { partition, key: handle.key };
                let queue = self.connection().queue();
                let fail = set_aside(queue, id, &error);
                if let Err(error) = self.requests().ask(partition, handle, Some(fail)).await {
                    // It comes back when its lease ends; the others must not wait for that.
                    tracing::warn!(queue, job = %id, %error, "job could not be set aside");
                }
                None
            }
        }
    }
}

/// What becomes of a job whose payload does not decode.
pub(crate) fn set_aside(queue: &str, id: JobId, error: &Error) -> Operation {
    tracing::warn!(queue, job = %id, "payload does not decode; set aside as a dead letter");
    Operation::Fail { reason: format!("the payload does not decode: {error}") }
}
