//! One delivery of one job, and the right to settle it.

mod about;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use kv_core::queue::{Claimed, Handle, Operation, SavedProgress, Verdict};
use kv_core::{Bytes, Error, ErrorKind, Result, Serializer};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::SetOnce;

use super::job::JobId;
use crate::requests::Requests;

/// One delivery of a job: its payload, its history, and the right to settle it.
///
/// That right is a lease. If the lease ends before the job is settled, the job is delivered again;
/// then every verb of the old delivery fails with `Conflict` and changes nothing. So make the work
/// idempotent, or check [`token`](Self::token) where the work writes.
///
/// # Errors
/// Every verb returns the store's verdict on this delivery, even if deliveries shared the request;
/// an error of a shared request reaches each of them. A verb fails with `Conflict` if the lease was
/// lost or the job was cancelled, and with the store's own errors, after the queue has repeated the
/// request safely for a while.
///
/// # Cancel safety
/// A dropped verb may or may not be executed; calling it again is safe. Dropping a delivery does
/// not settle it: its job comes back when the lease ends.
pub struct Delivery<T> {
    payload: T,
    lease: Arc<Lease>,
}

/// What a worker keeps of a delivery that it handed out.
pub(crate) struct Lease {
    requests: Arc<Requests>,
    partition: u32,
    handle: Handle,
    attempt: u32,
    delivery: u32,
    checkpoint: Option<SavedProgress>,
    group: Option<Arc<str>>,
    enqueued: Option<Duration>,
    /// Whether a request that settles is in flight, or has settled the delivery.
    settling: AtomicBool,
    /// The first verdict on a request that settles.
    settled: OnceLock<Settled>,
    /// The store's verdict that showed that the lease is gone.
    gone: SetOnce<Verdict>,
    /// Whether the handler asked to be told of a lost lease.
    is_watched: AtomicBool,
    /// Whether this process has cancelled the job.
    cancelled: AtomicBool,
}

/// What settles a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Settle {
    Ack,
    Retry,
    Fail,
    Snooze,
    Limited,
}

impl Settle {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ack => "ack",
            Self::Retry => "retry",
            Self::Fail => "fail",
            Self::Snooze => "snooze",
            Self::Limited => "limited",
        }
    }
}

/// The verb that settled a delivery, and its verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Settled {
    pub(crate) by: Settle,
    pub(crate) verdict: Verdict,
}

impl Lease {
    pub(crate) fn of(requests: &Arc<Requests>, partition: u32, claimed: Claimed) -> Self {
        let Claimed { handle, attempt, delivery, checkpoint, group, enqueued, body: _ } = claimed;
        Self {
            requests: Arc::clone(requests),
            partition,
            handle,
            attempt,
            delivery,
            checkpoint,
            group,
            enqueued,
            settling: AtomicBool::new(false),
            settled: OnceLock::new(),
            gone: SetOnce::new(),
            is_watched: AtomicBool::new(false),
            cancelled: AtomicBool::new(false),
        }
    }

    pub(crate) const fn handle(&self) -> Handle {
        self.handle
    }

    pub(crate) const fn partition(&self) -> u32 {
        self.partition
    }

    pub(crate) const fn attempt(&self) -> u32 {
        self.attempt
    }

    pub(crate) fn serializer(&self) -> &Serializer {
        self.requests.connection.serializer()
    }

    pub(crate) const fn id(&self) -> JobId {
        JobId { partition: self.partition, key: self.handle.key }
    }

    /// What settles the delivery as done with a value: a plain ack if the queue keeps none.
    pub(crate) fn done(
        &self,
        encode: impl FnOnce(&Serializer) -> Result<Bytes>,
    ) -> Result<Option<Operation>> {
        let settings = &self.requests.connection.settings;
        if settings.policy.keep_done == 0 {
            return Ok(None);
        }
        let value = encode(self.serializer())?;
        if value.len() > settings.max_payload {
            let (bytes, most) = (value.len(), settings.max_payload);
            let message = format!("a job returned {bytes} bytes; expected at most {most}");
            return Err(Error::new(ErrorKind::TooLarge, message));
        }
        Ok(Some(Operation::Done { value }))
    }

    /// Settles as done with a value.
    pub(crate) async fn finish(
        &self,
        encode: impl FnOnce(&Serializer) -> Result<Bytes>,
    ) -> Result<()> {
        let done = self.done(encode);
        let id = || self.id().to_string();
        let done = done.map_err(|error| error.operation("ack").key(&id()))?;
        self.settle(Settle::Ack, done).await
    }

    /// How the delivery was settled, once a verdict came.
    pub(crate) fn settled(&self) -> Option<Settled> {
        self.settled.get().copied()
    }

    pub(crate) fn is_settled(&self) -> bool {
        self.settled.get().is_some()
    }

    /// Whether a request that settles has a verdict, or is in flight.
    pub(crate) fn is_settling(&self) -> bool {
        self.settling.load(Ordering::Acquire)
    }

    /// Ends the handler of this delivery: this verdict says that the delivery has lost the job.
    pub(crate) fn lose(&self, verdict: Verdict) {
        // The first verdict says why.
        let _ = self.gone.set(verdict);
    }

    /// Whether [`lose`](Self::lose) was called.
    pub(crate) fn is_lost(&self) -> bool {
        self.gone.get().is_some()
    }

    /// Whether the handler asked to be told of a lost lease, and so wants to clean up.
    pub(crate) fn is_watched(&self) -> bool {
        self.is_watched.load(Ordering::Acquire)
    }

    /// Notes that the job was cancelled, to explain a lost lease later.
    pub(crate) fn cancel(&self) {
        self.cancelled.store(true, Ordering::Release);
    }

    /// The verdict; `Cancelled` if this process knows that a cancel caused a stale lease.
    pub(crate) fn explained(&self, verdict: Verdict) -> Verdict {
        match verdict {
            Verdict::Stale if self.cancelled.load(Ordering::Acquire) => Verdict::Cancelled,
            other => other,
        }
    }

    /// Ends when [`lose`](Self::lose) was called, with its verdict.
    pub(crate) async fn lost(&self) -> Verdict {
        *self.gone.wait().await
    }

    /// Extends or checkpoints: the delivery goes on.
    async fn apply(&self, verb: &'static str, operation: Operation) -> Result<()> {
        let verdict = self.requests.ask(self.partition, self.handle, Some(operation)).await;
        if let Ok(gone @ (Verdict::Stale | Verdict::Cancelled)) = verdict
            // A settle in flight may have ended the lease itself.
            && !self.is_settling()
        {
            self.lose(self.explained(gone));
        }
        self.judge(verb, verdict)
    }

    /// Ends the delivery, unless no verdict comes.
    async fn settle(&self, verb: Settle, operation: Option<Operation>) -> Result<()> {
        if self.own_verb().is_some() {
            return self.judge(verb.name(), Ok(Verdict::Stale));
        }
        self.settling.store(true, Ordering::Release);
        let mut asking = Asking { settling: &self.settling, has_verdict: false };
        let verdict = self.requests.ask(self.partition, self.handle, operation).await;
        asking.has_verdict = verdict.is_ok();
        let judged = self.judge(verb.name(), verdict.clone());
        if let Ok(verdict) = verdict {
            // If two verbs were sent at once, the first has settled the delivery.
            let _ = self.settled.set(Settled { by: verb, verdict });
        }
        judged
    }

    /// Settles as failed, by this operation.
    #[cfg(feature = "testing")]
    pub(crate) async fn retry(&self, operation: Operation) -> Result<()> {
        self.settle(Settle::Retry, Some(operation)).await
    }

    /// The verb of this delivery that has settled it.
    fn own_verb(&self) -> Option<Settle> {
        let is_own = |it: &&Settled| matches!(it.verdict, Verdict::Applied | Verdict::Buried);
        self.settled.get().filter(is_own).map(|it| it.by)
    }

    /// Turns a verdict into the result of a verb.
    pub(crate) fn judge(&self, verb: &'static str, verdict: Result<Verdict>) -> Result<()> {
        let conflict = |message: String| Err(Error::new(ErrorKind::Conflict, message));
        let verdict = verdict.map(|verdict| self.explained(verdict));
        let judged = match (verdict, self.own_verb()) {
            (Ok(Verdict::Stale), Some(by)) => {
                conflict(format!("this delivery was already settled by `{}`", by.name()))
            }
            (Ok(Verdict::Stale), None) => {
                conflict("the lease was lost; the job is no longer yours".to_owned())
            }
            (Ok(Verdict::Cancelled), _) => conflict("the job was cancelled; it is gone".to_owned()),
            (Ok(Verdict::Applied | Verdict::Buried), _) => Ok(()),
            (Err(error), _) => Err(error),
        };
        judged.map_err(|error| error.operation(verb).key(&self.id().to_string()))
    }
}

/// Marks a request that settles as in flight. If it is dropped without a verdict, the delivery
/// counts as unsettled.
struct Asking<'a> {
    settling: &'a AtomicBool,
    has_verdict: bool,
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.settling.store(self.has_verdict, Ordering::Release);
    }
}

impl<T> Delivery<T> {
    pub(crate) const fn new(payload: T, lease: Arc<Lease>) -> Self {
        Self { payload, lease }
    }

    pub(crate) const fn lease(&self) -> &Arc<Lease> {
        &self.lease
    }

    /// The job's payload.
    pub const fn payload(&self) -> &T {
        &self.payload
    }

    /// The job's id: the same in every delivery of the job.
    pub fn id(&self) -> JobId {
        self.lease.id()
    }

    /// The number of this attempt, from 1. Failures and crashes count; snoozes do not.
    pub fn attempt(&self) -> u32 {
        self.lease.attempt
    }

    /// The number of this delivery of the job, from 1. Snoozes count; released claims do not.
    pub fn delivery(&self) -> u32 {
        self.lease.delivery
    }

    /// The fencing token: higher than the token of every earlier claim in the job's partition. A
    /// write to another system can carry the token and refuse a lower one.
    pub fn token(&self) -> u64 {
        self.lease.handle.token
    }

    /// The job's group.
    pub fn group(&self) -> Option<&str> {
        self.lease.group.as_deref()
    }

    /// Settles: the job is done, and is removed.
    ///
    /// # Errors
    /// `Conflict` if the lease was lost: another delivery does the job.
    pub async fn ack(&self) -> Result<()> {
        self.lease.settle(Settle::Ack, None).await
    }

    /// Settles: the job is done and returned this value, encoded by the store's serializer. The value
    /// is kept if the queue [keeps done jobs](crate::QueueBuilder::keep_done), and else dropped.
    ///
    /// # Errors
    /// `Conflict` if the lease was lost: another delivery does the job. `Serialization` if the value
    /// cannot be encoded, `TooLarge` if it has more bytes than a payload may have; the delivery is
    /// then not settled.
    pub async fn ack_with<R: Serialize + Sync + ?Sized>(&self, value: &R) -> Result<()> {
        self.lease.finish(|serializer| serializer.encode(value)).await
    }

    /// Settles: the job failed. It is delivered again after this time, or becomes a dead letter if
    /// its budget of failures is spent. Fits a server's `Retry-After`.
    ///
    /// # Errors
    /// `Conflict` if the lease was lost or the job was cancelled.
    pub async fn retry(&self, after: Duration) -> Result<()> {
        let reason = "retry asked for".to_owned();
        self.lease.settle(Settle::Retry, Some(Operation::Retry { after, reason })).await
    }

    /// Settles: the job failed for good, and becomes a dead letter with this reason.
    ///
    /// # Errors
    /// `Conflict` if the lease was lost or the job was cancelled.
    pub async fn fail(&self, reason: impl Into<String>) -> Result<()> {
        self.lease.settle(Settle::Fail, Some(Operation::Fail { reason: reason.into() })).await
    }

    /// Settles: not now. The job is delivered again after this time, and is charged no attempt.
    ///
    /// # Errors
    /// `Conflict` if the lease was lost or the job was cancelled.
    pub async fn snooze(&self, after: Duration) -> Result<()> {
        self.lease.settle(Settle::Snooze, Some(Operation::Snooze { after })).await
    }

    /// Settles: a server said not before this time, as by the status 429 or 503 with `Retry-After`.
    /// The job's group is paused for that long at least, no other job of the group begins meanwhile,
    /// and this job is the first of them afterwards. Nothing is charged: no attempt, no delivery.
    /// Without a group, the job alone waits.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use kv_queue::{Job, Queue};
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// # let store = kv_core::Store::new(kv_memory::MemoryStore::new());
    /// let queue = Queue::<u32>::open(&store, "fetch").await?;
    /// queue.enqueue_many([1, 2].map(|page| Job::new(page).group("example.org"))).await?;
    /// let delivery = queue.dequeue(1).await?.remove(0);
    /// delivery.limited(Duration::from_secs(30)).await?;
    /// assert!(queue.dequeue(2).await?.is_empty());
    /// # Ok::<(), kv_core::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// `Conflict` if the lease was lost or the job was cancelled.
    pub async fn limited(&self, retry_after: Duration) -> Result<()> {
        let operation = Operation::Limited { after: retry_after };
        self.lease.settle(Settle::Limited, Some(operation)).await
    }

    /// Extends the lease: it then ends this long from now. A [`Worker`](crate::Worker) renews
    /// leases by itself.
    ///
    /// # Errors
    /// `Conflict` if the lease was lost or the job was cancelled.
    pub async fn extend(&self, lease: Duration) -> Result<()> {
        self.lease.apply("extend", Operation::Extend { lease }).await
    }

    /// Saves a state for the next delivery after a crash or a retry; replaces the last state.
    ///
    /// # Errors
    /// `Conflict` if the lease was lost or the job was cancelled; the saved state then stays.
    /// `Serialization` if the store's serializer cannot encode the state.
    pub async fn checkpoint<S: Serialize + Sync + ?Sized>(&self, state: &S) -> Result<()> {
        self.checkpoint_at(0, state).await
    }

    /// Saves a state and the job's progress. A progress higher than any before renews the job's
    /// budget of failures.
    ///
    /// # Errors
    /// As [`checkpoint`](Self::checkpoint).
    pub async fn checkpoint_at<S: Serialize + Sync + ?Sized>(
        &self,
        progress: u64,
        state: &S,
    ) -> Result<()> {
        let state = self.lease.serializer().encode(state);
        let state = state.map_err(|error| error.operation("checkpoint"))?;
        let operation = Operation::Checkpoint { state, progress };
        self.lease.apply("checkpoint", operation).await
    }

    /// The state that an earlier delivery saved, or `None`.
    ///
    /// # Errors
    /// `Serialization` if the saved bytes do not decode as an `S`.
    pub fn restore<S: DeserializeOwned>(&self) -> Result<Option<S>> {
        let saved = self.lease.checkpoint.as_ref();
        let state = saved.map(|saved| self.lease.serializer().decode(&saved.state)).transpose();
        state.map_err(|error| error.operation("restore").key(&self.id().to_string()))
    }
}

impl<T> fmt::Debug for Delivery<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("id", &self.id().to_string())
            .field("attempt", &self.attempt())
            .finish_non_exhaustive()
    }
}
