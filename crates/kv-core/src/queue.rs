//! The contract of the queue engine: few verbs, each one atomic step on one partition.
//!
//! A queue has partitions; every verb except [`wait`](QueueEngine::wait) works on one. The pure
//! state machine of `kv-queue-machine` defines the verbs: every engine gives the machine's answers,
//! up to a renaming of tokens. Programs use `kv_queue::Queue`, not this module.

mod group;
mod job;
mod limits;
mod look;
mod request;
mod transfer;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

pub use group::{
    GroupBlock, GroupLimit, GroupState, MAX_GROUP_BYTES, MAX_GROUP_WEIGHT, check_group,
};
pub use job::{Handle, JobKey, Partition, Policy, Session, Unique, UniqueScope, encode_name};
pub use limits::{
    MAX_PARTITIONS, MAX_REASON_BYTES, MAX_SESSION_BYTES, MAX_UNIQUE_BYTES, check_control,
    check_exchange, check_export, check_import, check_inspect, check_maintain, check_partitions,
    check_submit, cut_reason,
};
pub use look::{
    DelayedBy, JobDetail, JobPage, JobView, ListPlace, MAX_HISTORY, PastFailure, Standing, State,
};
pub use request::{
    Claim, Claimed, Control, Controlled, Counts, DeadLetter, Exchange, Exchanged, Inspect,
    Inspected, Maintain, Maintained, NewJob, Operation, Peeked, SavedProgress, Submit, Submitted,
    Verdict,
};

pub use transfer::{Export, Exported, Import, Imported, JobImage, JobState, Numbers, UniqueImage};

use crate::{Achieved, Durability, Error, Result};

/// The most items in one request: jobs, handles, operations, or claims.
pub const MAX_BATCH: usize = 1_000;

/// About how many bytes travel in one request or reply: 1 MiB, so that no request blocks a
/// connection, a server or a process for long.
pub const BATCH_BYTES: usize = 1 << 20;

/// The last point in time, in microseconds since 1970: in the year 2255. Also the largest token and
/// sequence number of a request, so that a double can hold each.
pub const MAX_STAMP: u64 = (1 << 53) - 1;

/// The least urgent priority; 0 is the most urgent.
pub const MAX_PRIORITY: u8 = 15;

/// How queues run on a store.
#[derive(Clone)]
pub enum QueueSupport {
    /// The backend's own engine runs queues.
    Native(Arc<dyn QueueEngine>),
    /// The generic engine runs queues on conditional writes.
    Generic,
    /// The store cannot run queues, for this reason.
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

/// Runs queues. A backend with a native queue implements this trait.
///
/// # Contract
/// - Each verb is one atomic step, and one round trip where there is a server.
/// - The store's clock decides when a lease ends or a job is due; requests carry durations only.
/// - A handle's token is a fence: once a job was recovered or claimed again, every settle, extend
///   and checkpoint with the old token gets [`Verdict::Stale`] and changes nothing.
/// - If the reply to a request with a [`Session`] is lost, the caller can send the same request
///   again: the first execution counts, and the repeat gets its answer. A session has one request
///   in flight; a request older than the session's last one fails with `Conflict`.
/// - A repeat of an [`Exchange`] may ask for less. The repeat's own claim bounds which of the
///   recorded deliveries come again, in the recorded order. The same step releases each other
///   recorded delivery whose lease is still held under its token. So a repeat without a claim
///   returns the verdicts and withdraws the whole claim. If the original was never executed, the
///   repeat is its execution; an original that arrives later then claims nothing.
/// - Among the jobs of one priority, groups take turns; a turn starts as many jobs as the group's
///   weight says. Jobs without a group take turns as one group. A group's turn is for its most
///   urgent job, so urgency goes before fairness. A claim never delivers a job that its group's
///   limit or pause forbids. Limits count within the partition: all jobs of a group must be in one.
///   An engine without groups fails a submit of a job with a group with `Unsupported`.
/// - A job that is done is kept if the policy of the request that settles it says so, without its
///   body, until it is among too many or too old for the policy of a later request.
/// - A list of jobs goes on from a [`ListPlace`], which stays where it is when jobs come and go: a job
///   that stays in its state throughout is in exactly one page.
/// - A batch has at most [`MAX_BATCH`] items. A larger batch fails with `TooLarge` and changes
///   nothing.
///
/// # Cancel safety
/// A dropped future may leave its request executed. If the reply to a claim is lost, the jobs come
/// back when their leases end, or a repeat on the same session returns them, or a repeat without a
/// claim releases them.
#[async_trait]
pub trait QueueEngine: Send + Sync + 'static {
    /// Creates the queue with a number of partitions, or checks that it has that number.
    ///
    /// # Errors
    /// `Config` if the queue exists with another number of partitions, or in a format that this
    /// version does not know; nothing is changed.
    async fn open(&self, queue: &str, partitions: u32) -> Result<()>;

    /// Adds jobs. Returns an answer for each job, in order. Finds duplicates within one request
    /// too.
    ///
    /// # Errors
    /// `TooLarge` for more than [`MAX_BATCH`] jobs, `InvalidKey` for a name that no group can have,
    /// `Backpressure` if the partition is full, `Conflict` for a session's older request,
    /// `Unsupported` for a group if the engine has none. After such an error no job is added.
    async fn submit(&self, partition: &Partition, request: Submit) -> Result<Vec<Submitted>>;

    /// Like [`submit`](Self::submit), and waits until copies have the jobs, even the jobs that an
    /// earlier execution added. Also returns how many copies have them. It can be repeated like
    /// `submit`.
    ///
    /// # Errors
    /// Those of [`submit`](Self::submit); `Unsupported` if the store does not declare
    /// [`DURABILITY`](crate::Capabilities::DURABILITY), and then no job is added. Reaching fewer
    /// copies than asked is not an error; compare with [`Achieved::meets`](crate::Achieved::meets).
    async fn submit_durable(
        &self,
        partition: &Partition,
        request: Submit,
        durability: Durability,
    ) -> Result<(Vec<Submitted>, Achieved)> {
        let _ = (partition, request, durability);
        Err(Error::unsupported("durable jobs"))
    }

    /// Settles, extends, checkpoints and claims in one step: first the acks, then the operations,
    /// then the claim. Returns a verdict for each item.
    ///
    /// # Errors
    /// `TooLarge` for more than [`MAX_BATCH`] items of a kind, `Conflict` for a session's older
    /// request. After such an error nothing has changed.
    async fn exchange(&self, partition: &Partition, request: Exchange) -> Result<Exchanged>;

    /// Maintains a partition: promotes due jobs, recovers jobs whose lease ended, and forgets
    /// unique windows and sessions past their time; up to a limit of each.
    ///
    /// # Errors
    /// Those of the store.
    async fn maintain(&self, partition: &Partition, request: Maintain) -> Result<Maintained>;

    /// Pauses, resumes, cancels, redrives, reschedules, discards or purges, or changes a group. Each
    /// call is bounded; callers repeat a redrive while [`Controlled::more`] is true.
    ///
    /// # Errors
    /// `TooLarge` for more than [`MAX_BATCH`] keys; `InvalidKey` or `Config` for a group's name or
    /// limit that cannot be; `Unsupported` for a group if the engine has none.
    async fn control(&self, partition: &Partition, request: Control) -> Result<Controlled>;

    /// Reads counts, ready jobs, dead letters, groups, one job, who holds a unique key, or a list of
    /// jobs. Changes nothing.
    ///
    /// # Errors
    /// `TooLarge` for a limit above [`MAX_BATCH`] or a unique key above [`MAX_UNIQUE_BYTES`],
    /// `InvalidKey` for a place in the list of another state.
    async fn inspect(&self, partition: &Partition, request: Inspect) -> Result<Inspected>;

    /// Waits until a job may have become claimable in one of these partitions of one queue, and
    /// returns the numbers of such partitions. Returns an empty list when the time is over.
    ///
    /// The wait may return early, and may name partitions without jobs. An engine waits at most
    /// about `timeout`; an engine without a timer may wait longer, so callers add their own bound.
    ///
    /// A submit, promotion, recovery, redrive or resume after this call began wakes at least one
    /// waiter among all processes; if nobody waits, it wakes the next waiter. An engine need not
    /// wake all waiters: the woken one claims there, and a claim that leaves claimable jobs wakes
    /// the next waiter. A job that becomes due later wakes nobody at that time: callers sleep until
    /// `next_due` themselves. An engine also finds work that no caller knows of, such as the lease
    /// of a dead process: every few seconds a wait names the partitions with a job that is
    /// claimable, due, or past its lease, or a group whose pause or spacing has ended.
    ///
    /// # Errors
    /// Those of the store; `Config` for a partition of a queue that was not opened.
    ///
    /// # Cancel safety
    /// A dropped wait may lose a wake-up; a later wait finds the jobs that it announced.
    async fn wait(&self, partitions: &[Partition], timeout: Duration) -> Result<Vec<u32>>;

    /// Removes a queue with everything stored for it, its number of partitions included, and
    /// forgets what this engine keeps of it in memory.
    ///
    /// `partitions` is the number with which the queue was opened, by any engine. Removing a queue
    /// that does not exist succeeds. Afterwards the queue's verbs fail with `Config` until the
    /// queue is opened again. A verb that runs at the same time takes effect before or after the
    /// removal; after it, the verb may leave jobs behind.
    ///
    /// # Errors
    /// `Unsupported` if the engine cannot remove queues, `Config` for a number of partitions that
    /// no queue can have, and those of the store, after which the removal can be repeated.
    ///
    /// # Cancel safety
    /// A dropped removal may be half done; the caller can repeat it.
    async fn remove(&self, queue: &str, partitions: u32) -> Result<()> {
        let _ = (queue, partitions);
        Err(Error::unsupported("removing queues"))
    }

    /// Reads a page of everything that is stored of a partition: jobs, dead letters, unique keys
    /// and numbers. Changes nothing. Sessions of senders are left out: they end with their senders.
    ///
    /// # Errors
    /// `Unsupported` if the engine cannot; `TooLarge` for a limit above [`MAX_BATCH`], `InvalidKey`
    /// for a cursor of another engine, and those of the store.
    async fn export(&self, partition: &Partition, request: Export) -> Result<Exported> {
        let _ = (partition, request);
        Err(Error::unsupported("reading a queue for another store"))
    }

    /// Stores what another engine has [exported](Self::export), in one step. A job that is there
    /// already stays as it is, so a repeat changes nothing.
    ///
    /// # Errors
    /// `Unsupported` if the engine cannot; `TooLarge` for more than [`MAX_BATCH`] items; `Conflict`
    /// if another job has the key of a job or holds a unique key, and then nothing has changed.
    async fn import(&self, partition: &Partition, request: Import) -> Result<Imported> {
        let _ = (partition, request);
        Err(Error::unsupported("storing a queue of another store"))
    }
}
