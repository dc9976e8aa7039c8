//! Taking jobs.

use std::sync::Arc;
use std::time::Duration;

use kv_core::queue::{Claimed, MAX_BATCH, Operation, Partition};
use kv_core::{Error, Result};
use serde::de::DeserializeOwned;

use super::delivery::{Delivery, Lease};
use super::handle::Queue;
use super::job::JobId;
use super::pace::Pace;
use crate::requests::{Requests, Settings, Undecodable};

/// How many partitions a call looks into before it asks which of the others have jobs at all.
const UNASKED: usize = 8;

/// How often a partition is maintained in a row while more is due.
const MAINTENANCE: usize = 10;

impl<T: DeserializeOwned> Queue<T> {
    /// Takes up to `n` jobs that can run now, the most urgent and then the oldest of a partition
    /// first; none if there are none. Each is leased: settle it, or it comes back.
    ///
    /// Jobs travel in replies of about 1 MiB. A job whose payload is no `T` has failed, and does
    /// not count: it is tried again later or buried, as the queue
    /// [was told](crate::QueueBuilder::undecodable).
    ///
    /// # Errors
    /// Those of the store, if not one job was taken; otherwise what was taken is returned.
    ///
    /// # Cancel safety
    /// Jobs that a dropped future has taken are handed back in the background, and charged
    /// nothing: they were never begun. Without a runtime, or if the process ends, they come back
    /// when their leases end.
    pub async fn dequeue(&self, n: usize) -> Result<Vec<Delivery<T>>> {
        self.take(n).await.map_err(|error| error.operation("dequeue"))
    }

    /// Takes up to `n` jobs. What was taken is handed out whatever comes after: the next call shows
    /// the error.
    async fn take(&self, n: usize) -> Result<Vec<Delivery<T>>> {
        self.connection().check_open()?;
        let mut taken = Taken { requests: self.requests(), deliveries: Vec::new() };
        match self.take_into(&mut taken, n).await {
            Err(error) if taken.deliveries.is_empty() => Err(error),
            _ => Ok(std::mem::take(&mut taken.deliveries)),
        }
    }

    /// Looks through the partitions: the first ones one after another, the others only where jobs
    /// are.
    async fn take_into(&self, taken: &mut Taken<'_, T>, n: usize) -> Result<()> {
        let mut partitions = self.connection().in_turn();
        for partition in partitions.by_ref().take(UNASKED) {
            self.take_from(partition, taken, n).await?;
        }
        if taken.deliveries.len() >= n {
            return Ok(());
        }
        for partition in self.outstanding_among(partitions).await {
            self.take_from(partition, taken, n).await?;
        }
        Ok(())
    }

    async fn take_from(
        &self,
        partition: &Partition,
        taken: &mut Taken<'_, T>,
        n: usize,
    ) -> Result<()> {
        let mut lacking = n.saturating_sub(taken.deliveries.len());
        if lacking == 0 {
            return Ok(());
        }
        let mut pace = Pace::default();
        let mut maintained = self.connection().is_tend_due(partition);
        if maintained {
            self.maintain(partition).await?;
        }
        while lacking > 0 {
            let limit = lacking.min(MAX_BATCH);
            let claims = self.requests().claim(partition, limit).await?;
            let is_short = claims.claimed.len() < limit;
            for claimed in claims.claimed {
                pace.handled(claimed.body.len()).await;
                if let Some(delivery) = self.decode(partition.number, claimed).await {
                    taken.deliveries.push(delivery);
                    lacking = lacking.saturating_sub(1);
                }
            }
            if !is_short || claims.more {
                continue;
            }
            if claims.next_due != Some(Duration::ZERO) || maintained {
                break;
            }
            self.maintain(partition).await?;
            maintained = true;
        }
        Ok(())
    }

    /// Promotes and recovers all that is due, so that what is urgent among it is claimed first.
    async fn maintain(&self, partition: &Partition) -> Result<()> {
        for _ in 0..MAINTENANCE {
            if !self.connection().tend(partition).await?.more {
                return Ok(());
            }
        }
        self.connection().tend_soon(partition);
        Ok(())
    }

    async fn decode(&self, partition: u32, claimed: Claimed) -> Option<Delivery<T>> {
        let connection = self.connection();
        match connection.serializer().decode(&claimed.body) {
            Ok(payload) => {
                let lease = Arc::new(Lease::of(self.requests(), partition, claimed));
                Some(Delivery::new(payload, lease))
            }
            Err(error) => {
                let id = JobId { partition, key: claimed.handle.key };
                let failure = undecodable(&connection.settings, id, claimed.attempt, &error);
                let told = self.requests().ask(partition, claimed.handle, Some(failure)).await;
                if let Err(error) = told {
                    // It comes back when its lease ends; the others must not wait for that.
                    tracing::warn!(queue = connection.queue(), job = %id, %error, "job could not be set aside");
                }
                None
            }
        }
    }
}

/// Deliveries that are not handed out yet. Dropped, they are handed back: nobody began them.
struct Taken<'a, T> {
    requests: &'a Arc<Requests>,
    deliveries: Vec<Delivery<T>>,
}

impl<T> Drop for Taken<'_, T> {
    fn drop(&mut self) {
        for delivery in self.deliveries.drain(..) {
            let lease = delivery.lease();
            self.requests.release(lease.partition(), lease.handle());
        }
    }
}

/// What is said of a delivery whose payload does not decode.
pub(crate) fn undecodable(
    settings: &Settings,
    id: JobId,
    attempt: u32,
    error: &Error,
) -> Operation {
    let reason = format!("the payload does not decode: {}", chain(error));
    tracing::warn!(queue = %settings.name, job = %id, attempt, reason, "payload does not decode");
    match settings.undecodable {
        Undecodable::Retry => Operation::Retry { after: settings.retry.delay(attempt), reason },
        Undecodable::Bury => Operation::Fail { reason },
    }
}

/// An error with its causes, each once.
fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    text
}
