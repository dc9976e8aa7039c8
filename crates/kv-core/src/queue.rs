//! The contract of the queue engine: few verbs, each one atomic step on one partition.
//!
//! A queue has partitions; every verb but [`wait`](QueueEngine::wait) works on one. The meaning
//! of the verbs is defined by the pure state machine of `kv-queue-machine`: every engine answers
//! as it does, up to the renaming of tokens. Programs use `kv_queue::Queue`, not this module.

mod job;
mod limits;
mod request;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

pub use job::{Handle, JobKey, Lane, Partition, Policy, Unique, UniqueScope};
pub use limits::{
    MAX_LANE_BYTES, MAX_PARTITIONS, MAX_REASON_BYTES, MAX_STAMP, MAX_UNIQUE_BYTES, check_control,
    check_exchange, check_inspect, check_partitions, check_submit, check_tend, cut_reason,
};
pub use request::{
    Claim, Claimed, Control, Controlled, Counts, DeadLetter, Exchange, Exchanged, Inspect,
    Inspected, NewJob, Operation, Peeked, SavedProgress, Submit, Submitted, Tend, Tended, Verdict,
};

use crate::{Achieved, Durability, Error, Result};

/// The most items in one request: jobs, handles, operations, or claims.
pub const MAX_BATCH: usize = 1_000;

/// About how many bytes travel in one request or reply.
pub const BATCH_BYTES: usize = 1 << 20;

/// The least urgent priority; 0 is the most urgent.
pub const MAX_PRIORITY: u8 = 15;

/// How queues run on a store.
#[derive(Clone)]
pub enum QueueSupport {
    /// By the backend's own engine.
    Native(Arc<dyn QueueEngine>),
    /// By the generic engine, on conditional writes.
    Generic,
    /// Not at all, and why.
    Refused(&'static str),
}

impl std::fmt::Debug for QueueSupport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Native(_) => f.write_str("Native(..)"),
            Self::Generic => f.write_str("Generic"),
            Self::Refused(why) => f.debug_tuple("Refused").field(why).finish(),
        }
    }
}

/// Runs queues: what a backend with a native queue implements.
///
/// # Contract
/// - Each verb is one atomic step, and one round trip where there is a server.
/// - The store's clock decides when a lease ends or a job is due; requests carry durations only.
/// - A handle's token fences: once a job was recovered or claimed again, every settle, extend and
///   checkpoint under the old token is [`Verdict::Stale`] and changes nothing.
/// - A request that names a [`Lane`] can be repeated, as it is, when its reply was lost: the
///   first execution counts, and the repeat gets the same answer. A lane has one request in
///   flight; a request older than the last is refused as `Conflict`.
/// - A repeat may ask for less. Of what the first execution claimed, and what is still leased, it
///   brings as much as its own claim asks for; the rest is released, as by
///   [`Operation::Release`]. So a repeat without a claim withdraws the claim of a request whose
///   reply was lost, without bringing a body.
/// - Batches are at most [`MAX_BATCH`]; a larger one is `TooLarge`, and nothing is done.
///
/// # Cancel safety
/// A dropped future may leave its request executed. Claimed jobs whose reply is lost come back
/// when their lease ends, or by repeating the request on its lane.
#[async_trait]
pub trait QueueEngine: Send + Sync + 'static {
    /// Creates the queue with a number of partitions, or checks that it has that number.
    ///
    /// # Errors
    /// `Config` if the queue exists with another number of partitions, or in a format that this
    /// version does not know; nothing is changed.
    async fn open(&self, queue: &str, partitions: u32) -> Result<()>;

    /// Adds jobs: an answer for each, in order. Duplicates inside one request are seen.
    ///
    /// # Errors
    /// `TooLarge` for more than [`MAX_BATCH`] jobs, `Backpressure` where a partition is full,
    /// `Conflict` for a lane's older request. None of the jobs is added then.
    async fn submit(&self, partition: &Partition, request: Submit) -> Result<Vec<Submitted>>;

    /// [`submit`](Self::submit), and waits until copies have the jobs, those that earlier requests
    /// added too; what they had when it returned. It is also repeated as that is.
    ///
    /// # Errors
    /// Those of [`submit`](Self::submit); `Unsupported` where the store does not declare
    /// [`DURABILITY`](crate::Capabilities::DURABILITY), and nothing is added then. That too little
    /// was reached is none.
    async fn submit_durable(
        &self,
        partition: &Partition,
        request: Submit,
        durability: Durability,
    ) -> Result<(Vec<Submitted>, Achieved)> {
        let _ = (partition, request, durability);
        Err(Error::unsupported("durable jobs"))
    }

    /// Settles, extends and checkpoints, then claims, all in one step: first the acks, then the
    /// operations, then the claim, with a verdict for each item.
    ///
    /// # Errors
    /// `TooLarge` for more than [`MAX_BATCH`] items of a kind, `Conflict` for a lane's older
    /// request. Nothing is done then.
    async fn exchange(&self, partition: &Partition, request: Exchange) -> Result<Exchanged>;

    /// Promotes due jobs, recovers those whose lease ended, forgets what is past its time: up to
    /// a limit of each.
    ///
    /// # Errors
    /// Those of the store.
    async fn tend(&self, partition: &Partition, request: Tend) -> Result<Tended>;

    /// Pauses, resumes, cancels, redrives or purges; bounded, to be repeated while `more`.
    ///
    /// # Errors
    /// `TooLarge` for more than [`MAX_BATCH`] keys.
    async fn control(&self, partition: &Partition, request: Control) -> Result<Controlled>;

    /// Looks, and changes nothing.
    ///
    /// # Errors
    /// `TooLarge` for a limit above [`MAX_BATCH`].
    async fn inspect(&self, partition: &Partition, request: Inspect) -> Result<Inspected>;

    /// Waits until a job may have become claimable in one of the partitions, which are all of one
    /// queue, and returns the numbers of those; none when the time is over.
    ///
    /// It may return early and may name partitions in which nothing is. The engine itself waits
    /// at most about `timeout`; one without a timer may wait longer, so callers bound it by their
    /// own.
    ///
    /// A submit, promotion, recovery, redrive or resume after this call began wakes at least one
    /// waiter among all processes, and if nobody waited then, the next one. An engine need not
    /// wake all: who is woken claims there, and a claim that leaves claimable jobs behind wakes
    /// the next waiter. What is due later wakes nobody at its time: callers sleep until `next_due`
    /// themselves. What no caller knows of, such as the lease of a process that died, an engine
    /// finds: from time to time, a few seconds apart, a wait names where a job is claimable, due,
    /// or past its lease.
    ///
    /// # Errors
    /// Those of the store; `Config` for a partition of a queue that was not opened.
    ///
    /// # Cancel safety
    /// A dropped wait may take a wake-up along; a later wait finds what it was about.
    async fn wait(&self, partitions: &[Partition], timeout: Duration) -> Result<Vec<u32>>;

    /// Removes a queue whole: jobs, unique keys, counters, its number of partitions, and what the
    /// engine keeps of it in memory. It need not be open; later verbs on it are `Config` until it
    /// is opened again. Removing it again does nothing.
    ///
    /// # Errors
    /// Those of the store, a part may be removed then; `Unsupported` where the engine cannot.
    ///
    /// # Cancel safety
    /// A dropped future may have removed a part.
    async fn remove(&self, queue: &str, partitions: u32) -> Result<()> {
        let _ = (queue, partitions);
        Err(Error::unsupported("removing queues"))
    }
}
