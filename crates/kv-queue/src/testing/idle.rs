//! Running the jobs that are ready, and no more.

use std::time::Duration;

use kv_core::queue::Operation;
use kv_core::{Error, ErrorKind, Result};
use serde::de::DeserializeOwned;

use crate::outcome::{IntoOutcome, Outcome};
use crate::queue::{Delivery, JobId, Queue};

/// How many deliveries one call runs at most: a job that comes back at once for ever ends the test.
const MOST: usize = 100_000;

/// One delivery that [`run_until_idle`] ran.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ran {
    /// The job.
    pub job: JobId,
    /// The number of the attempt, from 1.
    pub attempt: u32,
    /// What the handler said.
    pub outcome: Outcome,
}

/// Runs a handler on the jobs that are ready, one after another, until none is: jobs that the
/// handler enqueues too, but none that is delayed. Returns what was run, in order.
///
/// Each job is settled as the handler says. A panic of the handler passes on to the test.
///
/// ```
/// use kv_core::Store;
/// use kv_queue::testing::run_until_idle;
/// use kv_queue::{Job, Outcome, Queue};
/// use std::time::Duration;
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let queue = Queue::<u32>::open(&Store::new(kv_memory::MemoryStore::new()), "mail").await?;
/// queue.enqueue(1).await?;
/// queue.enqueue(Job::new(2).delay(Duration::from_secs(60))).await?;
/// let ran = run_until_idle(&queue, |delivery| async move {
///     if *delivery.payload() == 1 { Outcome::fail("no such address") } else { Outcome::Done }
/// });
/// let ran = ran.await?;
/// assert_eq!(ran.len(), 1);
/// assert_eq!(ran[0].outcome, Outcome::fail("no such address"));
/// assert_eq!(queue.size().await?, 1, "the delayed one waits");
/// # Ok::<(), kv_core::Error>(()) }).unwrap();
/// ```
///
/// # Errors
/// Those of the store; `Backpressure` after 100,000 deliveries.
///
/// # Cancel safety
/// A dropped future leaves the job that it was running leased.
pub async fn run_until_idle<T, H, Fut>(queue: &Queue<T>, handler: H) -> Result<Vec<Ran>>
where
    T: DeserializeOwned,
    H: Fn(Delivery<T>) -> Fut,
    Fut: Future<Output: IntoOutcome>,
{
    let mut ran = Vec::new();
    while let Some(delivery) = queue.dequeue(1).await?.pop() {
        if ran.len() == MOST {
            let message = format!("{MOST} deliveries, and jobs are still ready");
            return Err(Error::new(ErrorKind::Backpressure, message));
        }
        let (payload, settle) = delivery.into_parts();
        let delivery = Delivery::new(payload, settle.lease().clone());
        let outcome = handler(delivery).await.into_outcome();
        if !settle.lease().is_settled() {
            settled(queue, &settle, &outcome).await?;
        }
        ran.push(Ran { job: settle.id(), attempt: settle.attempt(), outcome });
    }
    Ok(ran)
}

async fn settled<T>(queue: &Queue<T>, delivery: &Delivery<()>, outcome: &Outcome) -> Result<()> {
    let operation = match outcome {
        Outcome::Done => return delivery.ack().await,
        Outcome::DoneWith(value) => {
            return delivery.lease().finish(|serializer| value.encode(serializer)).await;
        }
        Outcome::Fail { reason } => return delivery.fail(reason).await,
        Outcome::Snooze { after } => return delivery.snooze(*after).await,
        Outcome::Limited { after } => return delivery.limited(*after).await,
        Outcome::Retry { after, reason } => {
            let policy = || queue.connection().settings.retry.delay(delivery.attempt());
            let after: Duration = after.unwrap_or_else(policy);
            Operation::Retry { after, reason: reason.clone() }
        }
    };
    delivery.lease().retry(operation).await
}
