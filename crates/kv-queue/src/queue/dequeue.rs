//! Taking jobs.

use std::sync::Arc;
use std::time::Duration;

use kv_core::queue::{Claimed, MAX_BATCH, Operation, Partition};
use kv_core::{Error, ErrorKind, Pace, Result};
use serde::de::DeserializeOwned;

use super::delivery::{Delivery, Lease};
use super::handle::Queue;
use super::job::JobId;
use crate::requests::{Requests, Settings, Undecodable};

/// How many partitions a call claims from before it asks which of the others have jobs.
const UNASKED: usize = 8;

/// How many times in a row a partition is maintained while more jobs are due.
const MAINTENANCE: usize = 10;

/// How many claims in a row may bring nothing although more jobs are ready. Each examines up to
/// 1,000 jobs that cannot be delivered, such as expired ones.
const VAIN: usize = 10_000;

impl<T: DeserializeOwned> Queue<T> {
    /// Takes up to `n` ready jobs, of each partition the most urgent first and among those the
    /// oldest; returns no delivery if no job is ready. Each delivery has a lease: settle it, or the
    /// job comes back.
    ///
    /// Jobs travel in replies of about 1 MiB. A job whose payload does not decode as a `T` does not
    /// count towards `n`: it is tried again later or becomes a dead letter, as
    /// [configured](crate::QueueBuilder::undecodable).
    ///
    /// # Errors
    /// Those of the store, if no job was taken. If an error comes after some jobs were taken, those
    /// jobs are returned, and the next call reports the error.
    ///
    /// # Cancel safety
    /// The jobs that a dropped future has taken are handed back in the background and charged
    /// nothing. Without a runtime, or if the process ends, the jobs come back when their leases
    /// end.
    pub async fn dequeue(&self, n: usize) -> Result<Vec<Delivery<T>>> {
        self.take(n).await.map_err(|error| error.operation("dequeue"))
    }

    /// Takes up to `n` jobs. Returns the jobs that were taken even if an error follows; the next
    /// call shows the error.
    async fn take(&self, n: usize) -> Result<Vec<Delivery<T>>> {
        self.connection().check_open()?;
        let mut taken = Taken { requests: self.requests(), deliveries: Vec::new() };
        match self.take_into(&mut taken, n).await {
            Err(error) if taken.deliveries.is_empty() => Err(error),
            _ => Ok(std::mem::take(&mut taken.deliveries)),
        }
    }

    /// Claims from the partitions: from the first ones one after another, from the others only if
    /// they have jobs.
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
        let (mut pace, mut vain) = (Pace::default(), 0);
        let mut maintained = self.connection().is_tend_due(partition);
        if maintained {
            self.maintain(partition).await?;
        }
        while lacking > 0 {
            let limit = lacking.min(MAX_BATCH);
            let claims = self.requests().claim(partition, limit).await?;
            let (is_short, before) = (claims.claimed.len() < limit, lacking);
            for claimed in claims.claimed {
                pace.handled(claimed.body.len()).await;
                if let Some(delivery) = self.decode(partition.number, claimed).await {
                    taken.deliveries.push(delivery);
                    lacking = lacking.saturating_sub(1);
                }
            }
            if !is_short || claims.more {
                vain = if lacking < before { 0 } else { vain + 1 };
                if vain == VAIN {
                    return Err(in_vain(partition));
                }
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

    /// Promotes due jobs and recovers ended leases, so that urgent jobs among them are claimed
    /// first.
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
                    // The job comes back when its lease ends; the other jobs must not wait for
                    // that.
                    tracing::warn!(queue = connection.queue(), job = %id, %error, "job could not be set aside");
                }
                None
            }
        }
    }
}

fn in_vain(partition: &Partition) -> Error {
    let message = format!(
        "{VAIN} claims from partition {} brought no job that can be delivered, although the store \
         says each time that more are ready",
        partition.number
    );
    Error::new(ErrorKind::Backend, message).key(&partition.queue)
}

/// Deliveries that the caller does not have yet. When they are dropped, their jobs are released.
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

/// How a delivery is settled if its payload does not decode.
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
