//! What done jobs returned.

use std::time::Duration;

use kv_core::{Error, ErrorKind, Result};
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::handle::Queue;
use super::info::{JobInfo, JobStatus};
use super::job::JobId;

/// The first pause of a wait before it asks the store again, and the longest.
const PAUSE: Duration = Duration::from_millis(5);
const LONGEST: Duration = Duration::from_millis(500);

impl<T> Queue<T> {
    /// What a job returned; `None` while it is not done, and if it is not kept.
    ///
    /// A handler returns a value by [`Outcome::done_with`](crate::Outcome::done_with) or
    /// [`Delivery::ack_with`](crate::Delivery::ack_with); a job that was done without a value
    /// returned `()`. The queue must [keep done jobs](crate::QueueBuilder::keep_done).
    ///
    /// # Errors
    /// `InvalidKey` for an id of another queue; `Serialization` if the value does not decode as an
    /// `R`; those of the store.
    pub async fn result<R: DeserializeOwned>(&self, id: JobId) -> Result<Option<R>> {
        match self.look_up("result", id, true).await? {
            Some(job) if matches!(job.status, JobStatus::Done { .. }) => {
                self.returned(id, job).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// Waits until a job is done, and returns what it returned.
    ///
    /// A job that this handle, a clone of it or their worker settles ends the wait at once. For a job
    /// of another process the wait asks the store again after pauses of 5 ms that double up to half a
    /// second.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use kv_queue::{Outcome, Queue, Worker};
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// # let store = kv_core::Store::new(kv_memory::MemoryStore::new());
    /// let queue = Queue::<u32>::builder("double").keep_done(100).open(&store).await?;
    /// let worker = Worker::new(queue.clone());
    /// tokio::spawn(worker.run(|job| async move { Outcome::done_with(2 * job.payload()) }));
    /// let id = queue.enqueue(21).await?.id();
    /// let doubled: u32 = queue.wait(id, Duration::from_secs(10)).await?;
    /// assert_eq!(doubled, 42);
    /// # Ok::<(), kv_core::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// `Timeout` if the job is not done within this time; `Conflict` if the job failed for good, or
    /// is gone: done and not kept, or cancelled; `Config` if this handle keeps no done jobs;
    /// `InvalidKey` for an id of another queue; `Serialization` if the value does not decode as an
    /// `R`; those of the store.
    ///
    /// # Cancel safety
    /// A dropped wait changes nothing.
    pub async fn wait<R: DeserializeOwned>(&self, id: JobId, timeout: Duration) -> Result<R> {
        let job = self.ended(id, timeout).await;
        let job = job.map_err(|error| error.operation("wait").key(&id.to_string()))?;
        self.returned(id, job)
    }

    /// The job when it is done.
    async fn ended(&self, id: JobId, timeout: Duration) -> Result<JobInfo> {
        if self.connection().settings.policy.keep_done == 0 {
            let message = "this handle keeps no done jobs; expected one opened with `keep_done`";
            return Err(Error::new(ErrorKind::Config, message));
        }
        let until = Instant::now().checked_add(timeout);
        let mut pause = PAUSE;
        loop {
            // Before the look, so that no end is missed.
            let watched = self.requests().watch(id.partition, id.key);
            let settled = watched.notified();
            let job = self.look_up("wait", id, false).await?.ok_or_else(gone)?;
            match &job.status {
                JobStatus::Done { .. } => {
                    return self.look_up("wait", id, true).await?.ok_or_else(gone);
                }
                JobStatus::Dead { reason, .. } => return Err(failed(reason)),
                _ => {}
            }
            let left = until.map_or(pause, |until| until.duration_since(Instant::now()));
            if left.is_zero() {
                let message = format!("the job was not done within {timeout:?}");
                return Err(Error::new(ErrorKind::Timeout, message));
            }
            drop(tokio::time::timeout(pause.min(left), settled).await);
            pause = (2 * pause).min(LONGEST);
        }
    }

    fn returned<R: DeserializeOwned>(&self, id: JobId, job: JobInfo) -> Result<R> {
        let serializer = self.connection().serializer();
        let bytes = match job.detail.and_then(|detail| detail.bytes) {
            Some(bytes) => bytes,
            None => serializer.encode(&())?,
        };
        let value = serializer.decode(&bytes);
        value.map_err(|error| error.operation("result").key(&id.to_string()))
    }
}

fn gone() -> Error {
    let message = "there is no such job: it was cancelled, or is done and no longer kept";
    Error::new(ErrorKind::Conflict, message)
}

fn failed(reason: &str) -> Error {
    Error::new(ErrorKind::Conflict, format!("the job failed for good: {reason}"))
}
