//! The requests of the queue's verbs and their answers.

use std::ops::AddAssign;
use std::time::Duration;

use bytes::Bytes;

use super::{Handle, JobKey, Lane, Policy, Unique};

/// A job to be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewJob {
    /// What the job is about.
    pub body: Bytes,
    /// From 0, the most urgent, to [`MAX_PRIORITY`](super::MAX_PRIORITY).
    pub priority: u8,
    /// How long to wait before it can be claimed.
    pub delay: Duration,
    /// Keeps duplicates out.
    pub unique: Option<Unique>,
    /// If it was not claimed for the first time within this, it becomes a dead letter.
    pub time_to_live: Option<Duration>,
}

/// Adds jobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submit {
    /// Makes the request repeatable.
    pub lane: Option<Lane>,
    /// At most [`MAX_BATCH`](super::MAX_BATCH).
    pub jobs: Vec<NewJob>,
}

/// What became of one new job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Submitted {
    /// It was added.
    Added(JobKey),
    /// This job holds its unique key; nothing was added.
    Duplicate(JobKey),
}

/// Settles and claims.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// Makes the request repeatable.
    pub lane: Lane,
    /// Deliveries that are done.
    pub acks: Vec<Handle>,
    /// Everything else about deliveries, in order.
    pub operations: Vec<(Handle, Operation)>,
    /// New deliveries.
    pub claim: Option<Claim>,
    /// The queue's settings.
    pub policy: Policy,
}

/// What to do about one delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// It failed: try again after a time, or bury it if its budget is spent.
    Retry {
        /// The delay from now.
        after: Duration,
        /// What went wrong, kept with the job; cut at 1,024 bytes.
        reason: String,
    },
    /// It failed for good: to the dead letters.
    Fail {
        /// What went wrong, kept with the job; cut at 1,024 bytes.
        reason: String,
    },
    /// Not now: hand it back, no budget charged but that of deliveries.
    Snooze {
        /// The delay from now; zero makes it claimable at once.
        after: Duration,
    },
    /// Hand back what never began, such as a job that waited for a slot: no budget is charged, the
    /// time to live gets back the time since the claim, and the job is claimable at once, at the
    /// place that it had.
    Release,
    /// Still at work: the lease ends this long from now.
    Extend {
        /// The new lease.
        lease: Duration,
    },
    /// Keep this for whoever continues the job.
    Checkpoint {
        /// The state; replaces the last one.
        state: Bytes,
        /// How far the job is. A number higher than any before renews the failure budget.
        progress: u64,
    },
}

/// Asks for deliveries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// At most this many, and at most [`MAX_BATCH`](super::MAX_BATCH).
    pub limit: usize,
    /// At most so many bytes of bodies and checkpoints, but at least one job.
    pub bytes: usize,
    /// They come back if they are not settled or extended within this.
    pub lease: Duration,
}

/// What became of one item of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is done as asked.
    Applied,
    /// The job went to the dead letters: as asked, or as its budget is spent.
    Buried,
    /// The handle holds no lease any more; nothing changed.
    Stale,
    /// The job was cancelled; it is gone, and the worker can stop.
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
    /// Where the claim came back short: how long until a job is due or a lease ends, zero if one
    /// already is, or if there is `more`; `None` if nothing is scheduled.
    pub next_due: Option<Duration>,
    /// Whether the claim came back short although claimable jobs are left: it stopped at its limit
    /// of bytes, or had looked at as many jobs as one request may.
    pub more: bool,
}

/// One delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed {
    /// The right to settle it.
    pub handle: Handle,
    /// What the job is about.
    pub body: Bytes,
    /// From 1; failures and crashes count, snoozes do not.
    pub attempt: u32,
    /// From 1; every delivery counts that was not released.
    pub delivery: u32,
    /// What an earlier delivery left behind.
    pub checkpoint: Option<SavedProgress>,
}

/// A checkpoint, as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedProgress {
    /// The state.
    pub state: Bytes,
    /// The highest progress so far.
    pub progress: u64,
}

/// Moves what time has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tend {
    /// At most this many of each kind, and at most [`MAX_BATCH`](super::MAX_BATCH).
    pub limit: usize,
    /// The queue's settings.
    pub policy: Policy,
}

/// What a tend moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tended {
    /// Delayed jobs that can be claimed now.
    pub promoted: usize,
    /// Jobs taken back from ended leases, those that were buried included.
    pub recovered: usize,
    /// Jobs that went to the dead letters.
    pub buried: usize,
    /// Unique windows and lanes that were forgotten.
    pub forgotten: usize,
    /// Whether more is due than the limit.
    pub more: bool,
    /// How long until the next job is due or lease ends; `None` if nothing is scheduled.
    pub next_due: Option<Duration>,
}

/// An operator's action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Control {
    /// Claims find nothing until [`Resume`](Self::Resume); running jobs go on.
    Pause,
    /// Ends a pause.
    Resume,
    /// Removes jobs that wait, and dead letters. Those that run are told by their next verdict;
    /// their unique key of [`Live`](super::UniqueScope::Live) scope is free at once.
    Cancel {
        /// Which.
        keys: Vec<JobKey>,
    },
    /// Makes dead letters claimable again, with fresh budgets: all of `keys`, or with none the
    /// oldest.
    Redrive {
        /// Which; empty for the oldest.
        keys: Vec<JobKey>,
        /// At most this many.
        limit: usize,
    },
    /// Removes everything: jobs of every state, unique keys, lanes. Counters stay.
    Purge {
 limit: usize },
    /// Removes dead letters; jobs in other states are passed over.
    Discard {
        /// Which.
        keys: Vec<JobKey>,
    },
}

/// What an operator's action did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Controlled {
    /// Jobs that were changed.
    pub affected: usize,
    /// Whether the limit left some.
    pub more: bool,
}

/// A look at a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inspect {
    /// Answers [`Inspected::Counts`].
    Counts,
    /// The jobs that would be claimed next. Answers [`Inspected::Jobs`]; a short page is not the
    /// end, an empty one is.
    Peek {
        /// Start behind this one; from the first if it is not claimable any more.
        after: Option<JobKey>,
        /// At most so many bytes, but at least one job.
        bytes: usize,
        /// At most this many.
        limit: usize,
    },
    /// The dead letters, oldest first. Answers [`Inspected::Dead`]; a short page is not the end,
    /// an empty one is.
    Dead {
        /// At most so many bytes, but at least one letter.
        bytes: usize,
        /// Start behind this one.
        after: Option<JobKey>,
        /// At most this many.
        limit: usize,
    },
}

/// The answer to a look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Inspected {
    /// How many jobs are where.
    Counts(Counts),
    /// Jobs that wait.
    Jobs(Vec<Peeked>),
    /// Jobs that died.
    Dead(Vec<DeadLetter>),
}

/// How many jobs of a partition, or of a whole queue, are where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Claimable now.
    pub ready: u64,
    /// Delayed, snoozed or waiting for a retry, the due ones that no tend moved yet included.
    pub timed: u64,
    /// Delivered and not settled.
    pub leased: u64,
    /// Dead letters.
    pub dead: u64,
    /// Ever added; never falls.
    pub entered: u64,
    /// Ever acked.
    pub done: u64,
    /// Ever cancelled.
    pub cancelled: u64,
    /// Dead letters dropped: beyond the cap, too old, discarded or cancelled.
    pub evicted: u64,
    /// Whether claims are paused.
    pub paused: bool,
}

impl Counts {
    /// Jobs that are not done: ready, timed or leased.
    pub const fn outstanding(&self) -> u64 {
        self.ready + self.timed + self.leased
    }
}

impl AddAssign for Counts {
    /// Sums up partitions; paused is what one of them is.
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
    }
}

/// A job that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peeked {
    /// Which.
    pub key: JobKey,
    /// What it is about.
    pub body: Bytes,
}

/// A job that died, with what is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// Which.
    pub key: JobKey,
    /// What it was about; empty if the store has lost it.
    pub body: Bytes,
    /// Why it died: the last failure, or the budget that was spent.
    pub reason: String,
    /// Its failures since its progress last advanced.
    pub failures: u32,
    /// Its leases that ended unsettled.
    pub crashes: u32,
    /// Its deliveries.
    pub deliveries: u32,
    /// When it died, by the store's clock: time since 1970-01-01T00:00:00Z.
    pub died: Duration,
}
