//! The requests of the queue's verbs and their answers.

use std::ops::AddAssign;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::{
    GroupLimit, GroupState, Handle, JobDetail, JobKey, JobPage, ListPlace, Policy, Session, State,
    Unique,
};

/// A job to add.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewJob {
    /// The job's payload.
    pub body: Bytes,
    /// From 0, the most urgent, to [`MAX_PRIORITY`](super::MAX_PRIORITY), the least.
    pub priority: u8,
    /// How long the job waits before it can be claimed.
    pub delay: Duration,
    /// Keeps duplicates out.
    pub unique: Option<Unique>,
    /// If no claim has taken the job within this time, the job becomes a dead letter.
    pub time_to_live: Option<Duration>,
    /// The group whose turns and limits the job shares; at most
    /// [`MAX_GROUP_BYTES`](super::MAX_GROUP_BYTES), without control characters.
    pub group: Option<Arc<str>>,
    /// Whether the time of the submission is kept with the job. It costs the job a record.
    pub note_time: bool,
}

/// Adds jobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submit {
    /// Makes the request repeatable.
    pub session: Option<Session>,
    /// At most [`MAX_BATCH`](super::MAX_BATCH).
    pub jobs: Vec<NewJob>,
}

/// The answer to one new job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Submitted {
    /// The job was added, under this key.
    Added(JobKey),
    /// The job with this key holds the unique key; no job was added.
    Duplicate(JobKey),
}

/// Settles and claims.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// Makes the request repeatable.
    pub session: Session,
    /// The deliveries whose jobs are done.
    pub acks: Vec<Handle>,
    /// All other operations on deliveries, in order.
    pub operations: Vec<(Handle, Operation)>,
    /// Asks for new deliveries.
    pub claim: Option<Claim>,
    /// The queue's settings.
    pub policy: Policy,
}

/// What to do with one delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// The job failed: it is tried again after a time, or becomes a dead letter if its budget is
    /// spent.
    Retry {
        /// The delay from now.
        after: Duration,
        /// What went wrong, kept with the job; cut at 1,024 bytes.
        reason: String,
    },
    /// The job failed for good: it becomes a dead letter.
    Fail {
        /// What went wrong, kept with the job; cut at 1,024 bytes.
        reason: String,
    },
    /// Not now: the job comes back after a time. Only the budget of deliveries is charged.
    Snooze {
        /// The delay from now; zero makes the job claimable at once.
        after: Duration,
    },
    /// The job is done and returned this, which is kept with the job if the policy keeps done jobs.
    /// Otherwise the same as an ack.
    Done {
        /// What the job returned.
        value: Bytes,
    },
    /// The job never began: undo its claim. No budget is charged, and the delivery number does not
    /// rise. The job is claimable at once, at the place that it had before the claim, and its time
    /// to live gets back the time since the claim.
    Release,
    /// The group may start nothing for a time, as a server's `Retry-After` says. The group is
    /// paused at least that long, and the job takes the place that it had before the claim. No
    /// budget is charged, and the delivery number does not rise. A job without a group waits alone.
    Limited {
        /// The pause from now.
        after: Duration,
    },
    /// Extends the lease: it ends this long from now.
    Extend {
        /// The new lease.
        lease: Duration,
    },
    /// Saves a state for the job's next delivery.
    Checkpoint {
        /// The state; replaces the last one.
        state: Bytes,
        /// The job's progress. A number higher than any before renews the failure budget.
        progress: u64,
    },
}

/// Asks for deliveries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// At most this many, and at most [`MAX_BATCH`](super::MAX_BATCH).
    pub limit: usize,
    /// The claim ends before a job whose body and checkpoint would raise the sum over this number
    /// of bytes. It takes at least one job, however large.
    pub bytes: usize,
    /// How long the leases last. A job that is not settled or extended within this time comes back.
    pub lease: Duration,
}

/// The answer to one item of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The item was executed.
    Applied,
    /// The job became a dead letter: as asked, or because its budget is spent.
    Buried,
    /// The handle no longer holds a lease; nothing changed.
    Stale,
    /// The job was cancelled and is gone; its handler can stop.
    Cancelled,
}

/// The answer to an exchange.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exchanged {
    /// One for each ack, in order.
    pub acks: Vec<Verdict>,
    /// One for each operation, in order.
    pub operations: Vec<Verdict>,
    /// The new deliveries, most urgent first.
    pub claimed: Vec<Claimed>,
    /// If the claim brought fewer jobs than its limit: how long until a job is due, a lease ends,
    /// or the pause or spacing of a group with jobs ends; zero if one already has; `None` if
    /// nothing is scheduled.
    pub next_due: Option<Duration>,
    /// Whether the claim brought fewer jobs than its limit although claimable jobs are left,
    /// because it reached its bytes or has examined enough jobs; `next_due` is then zero.
    pub more: bool,
}

/// One delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed {
    /// The right to settle the delivery.
    pub handle: Handle,
    /// The job's payload.
    pub body: Bytes,
    /// The number of the attempt, from 1; failures and crashes count, snoozes do not.
    pub attempt: u32,
    /// The number of the delivery, from 1; released deliveries do not count.
    pub delivery: u32,
    /// The checkpoint of an earlier delivery.
    pub checkpoint: Option<SavedProgress>,
    /// The job's group.
    pub group: Option<Arc<str>>,
    /// When the job was submitted, if that was noted: by the store's clock, since
    /// 1970-01-01T00:00:00Z.
    pub enqueued: Option<Duration>,
}

/// A checkpoint, as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedProgress {
    /// The state.
    pub state: Bytes,
    /// The highest progress so far.
    pub progress: u64,
}

/// Maintenance: promotes due jobs and recovers ended leases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Maintain {
    /// At most this many of each kind, and at most [`MAX_BATCH`](super::MAX_BATCH).
    pub limit: usize,
    /// The queue's settings.
    pub policy: Policy,
}

/// What maintenance changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Maintained {
    /// Timed jobs that became ready.
    pub promoted: usize,
    /// Jobs recovered from ended leases, those that became dead letters included.
    pub recovered: usize,
    /// Jobs that became dead letters.
    pub buried: usize,
    /// Unique windows, sessions and groups past their time that were forgotten.
    pub forgotten: usize,
    /// Groups with jobs whose pause or spacing ended.
    pub unblocked: usize,
    /// Whether the limit left due jobs or ended leases.
    pub more: bool,
    /// How long until the next job is due, lease ends, or group with jobs may start one; `None` if
    /// nothing is scheduled.
    pub next_due: Option<Duration>,
}

/// An operator's action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Control {
    /// Claims find nothing until [`Resume`](Self::Resume); running jobs go on.
    Pause,
    /// Ends a pause.
    Resume,
    /// Removes waiting jobs and dead letters. The next operation on a running job gets
    /// [`Verdict::Cancelled`]; an ack counts the job as done. Unique keys that last as long as
    /// their job are free at once.
    Cancel {
        /// The job.
        keys: Vec<JobKey>,
    },
    /// Removes dead letters, counted as evicted, and kept done jobs; ignores other jobs.
    Discard {
        /// The jobs; at most [`MAX_BATCH`](super::MAX_BATCH).
        keys: Vec<JobKey>,
    },
    /// Makes dead letters ready again, with fresh budgets: all of `keys`, or the oldest if `keys`
    /// is empty.
    Redrive {
        /// The jobs; empty for the oldest.
        keys: Vec<JobKey>,
        /// At most this many.
        limit: usize,
    },
    /// Lets waiting jobs wait this long from now; zero makes them claimable at once. Ignores jobs
    /// that run, are dead or are done.
    Reschedule {
        /// The jobs; at most [`MAX_BATCH`](super::MAX_BATCH).
        keys: Vec<JobKey>,
        /// The delay from now.
        delay: Duration,
    },
    /// Gives a group a limit of its own in place of the queue's, or takes it away. The limit counts
    /// from the next claim on, and stays until it is taken away or the partition is purged.
    LimitGroup {
        /// The group; it need not have jobs.
        group: Arc<str>,
        /// The limit; `None` for the queue's.
        limit: Option<GroupLimit>,
    },
    /// Pauses a group for a time, in place of the time that was set before; zero ends the pause.
    PauseGroup {
        /// The group; it need not have jobs.
        group: Arc<str>,
        /// The pause from now; [`Duration::MAX`] for no end.
        time: Duration,
    },
    /// Removes all jobs, dead letters, unique keys, sessions and groups in one step, whose length
    /// does not depend on their number. Counters and a pause stay.
    Purge,
}

/// What an operator's action did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Controlled {
    /// The number of jobs that were changed.
    pub affected: usize,
    /// Whether the limit left jobs to change.
    pub more: bool,
}

/// Reads a partition.
///
/// A page ends at its limit, or before an item whose body would raise the sum over its bytes. It
/// has at least one item if any is left. A short page does not mean the end: callers ask for the
/// page after the last item until a page is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Inspect {
    /// Answers [`Inspected::Counts`].
    Counts,
    /// The jobs that a claim would take next; jobs with a group come after those without, by the
    /// name of the group. Answers [`Inspected::Jobs`].
    Peek {
        /// Start after this ready job; at the beginning if the job is no longer ready.
        after: Option<JobKey>,
        /// At most this many.
        limit: usize,
        /// About how many bytes of bodies.
        bytes: usize,
    },
    /// The dead letters, oldest first. Answers [`Inspected::Dead`].
    Dead {
        /// Start after this dead letter; at the beginning if it is gone.
        after: Option<JobKey>,
        /// At most this many.
        limit: usize,
        /// About how many bytes of bodies.
        bytes: usize,
    },
    /// One job. Finding the lease of a running job may cost as much as there are running jobs.
    /// Answers [`Inspected::Job`].
    Job {
        /// The job.
        key: JobKey,
        /// Whether to read the payload, or what a done job returned.
        bytes: bool,
        /// The limit of a group without one of its own.
        default: GroupLimit,
    },
    /// The job whose duplicate a submit with this unique key would be. The job may have ended, if
    /// the key outlives its job. Answers [`Inspected::Unique`].
    Unique {
        /// The unique key, as a submit has it.
        key: Arc<str>,
    },
    /// A page of the jobs in a state: ready jobs in the order of claims, with those of groups after
    /// the others by the name of the group; the others by their time. A page ends at its limit, or
    /// after [`MAX_BATCH`](super::MAX_BATCH) jobs were examined, so a page of one group may be
    /// empty and not the last. Answers [`Inspected::List`].
    List {
        /// Which jobs.
        state: State,
        /// Only jobs of this group.
        group: Option<Arc<str>>,
        /// Start here; at the beginning if `None`.
        after: Option<ListPlace>,
        /// At most this many, and at least one.
        limit: usize,
    },
    /// The groups with jobs that wait or run, a limit of their own, or a pause or spacing that has
    /// not ended. Groups that only wait for the end of their time come first. A walk may miss a
    /// group whose jobs begin or end meanwhile. Answers [`Inspected::Groups`].
    Groups {
        /// Start after this group; at the beginning if it is gone.
        after: Option<Arc<str>>,
        /// At most this many.
        limit: usize,
        /// The limit of groups without one of their own.
        default: GroupLimit,
    },
}

/// The answer to an inspection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Inspected {
    /// The number of jobs in each state.
    Counts(Counts),
    /// Ready jobs.
    Jobs(Vec<Peeked>),
    /// Dead letters.
    Dead(Vec<DeadLetter>),
    /// Groups.
    Groups(Vec<GroupState>),
    /// One job.
    Job {
        /// The time of the answer by the store's clock, since 1970-01-01T00:00:00Z.
        now: Duration,
        /// The job; `None` if there is none of this key.
        job: Option<Box<JobDetail>>,
    },
    /// The job that holds a unique key; `None` if the key is free.
    Unique(Option<JobKey>),
    /// A page of jobs.
    List(JobPage),
}

/// The number of jobs in each state, of a partition or of a whole queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Jobs that wait for a claim. Jobs of a group that may not start now are counted too.
    pub ready: u64,
    /// Jobs that are delayed, snoozed or wait for a retry. Due jobs count here until maintenance
    /// promotes them.
    pub timed: u64,
    /// Jobs that are delivered and not settled.
    pub leased: u64,
    /// Dead letters.
    pub dead: u64,
    /// Jobs ever added; never falls.
    pub entered: u64,
    /// Jobs ever done.
    pub done: u64,
    /// Jobs ever cancelled.
    pub cancelled: u64,
    /// Dead letters dropped because there were too many, because they were too old, or by an
    /// operator.
    pub evicted: u64,
    /// Whether claims are paused.
    pub paused: bool,
    /// How long the oldest claimable job has waited, about; `None` if no job is claimable, or if
    /// none of them has a known age.
    ///
    /// A job is claimable from its submission, its due time, its return, or the end of its last
    /// lease. The last three are exact. The time of a submission is known between two marks: the
    /// age is told to a quarter where workers run, and up to a minute too long where none does. Of
    /// jobs with groups, the next ones of the first 32 groups that may start one count.
    pub oldest_ready: Option<Duration>,
}

impl Counts {
    /// Jobs that are not done: ready, timed or leased.
    pub const fn outstanding(&self) -> u64 {
        self.ready + self.timed + self.leased
    }
}

impl AddAssign for Counts {
    /// Sums up partitions; the sum is paused if any partition is, and as old as the oldest.
    fn add_assign(&mut self, other: Self) {
        self.ready += other.ready;
        self.timed += other.timed;
        self.leased += other.leased;
        self.dead += other.dead;
        self.entered += other.entered;
        self.done += other.done;
        self.cancelled += other.cancelled;
        self.evicted += other.evicted;
        self.paused |= other.paused;
        self.oldest_ready = self.oldest_ready.max(other.oldest_ready);
    }
}

/// A ready job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peeked {
    /// The job.
    pub key: JobKey,
    /// The job's payload.
    pub body: Bytes,
}

/// A job that failed for good, with its history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// The job.
    pub key: JobKey,
    /// The job's payload; empty if the store has lost it.
    pub body: Bytes,
    /// Why the job died: the last failure, or the spent budget.
    pub reason: String,
    /// The job's failures since its progress last advanced.
    pub failures: u32,
    /// The job's leases that ended unsettled.
    pub crashes: u32,
    /// The job's deliveries.
    pub deliveries: u32,
    /// When the job died, by the store's clock: time since 1970-01-01T00:00:00Z.
    pub died: Duration,
}
