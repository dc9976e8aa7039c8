//! A persistent job queue on any key-value store: leased, fenced, checkpointed, and exact about
//! "everything is done".
//!
//! Producers, consumers and operators use [`Queue`]. A [`Delivery`] is one claimed job. A
//! [`Worker`] runs a handler on many jobs. A backend may bring its own engine for queues. On any
//! other backend with conditional writes the generic engine runs the queue; it keeps a partition's
//! index in one value and holds up to 10,000 jobs a partition.

mod generic;
mod outcome;
pub mod python;
mod queue;
mod requests;
mod retry;
#[cfg(feature = "schedule")]
mod schedule;
mod task;
#[cfg(feature = "testing")]
pub mod testing;
mod worker;

pub use kv_core::queue::Counts as QueueStats;
pub use kv_core::queue::{DelayedBy, GroupBlock, GroupLimit, GroupState, PastFailure, State};
pub use outcome::{Failure, Fate, IntoOutcome, JobError, Outcome, Returned};
pub use queue::{
    DeadJob, DeadLetters, Delivery, Enqueue, Enqueued, Job, JobFilter, JobId, JobInfo, JobPast,
    JobStatus, Jobs, Queue, QueueBuilder, QueueInfo, Redrive, Which, WorkerInfo, queue_names,
    queues,
};
pub use requests::Undecodable;
pub use retry::RetryPolicy;
#[cfg(feature = "schedule")]
pub use schedule::{
    Cron, Fired, Firing, Misfire, NewSchedule, Overlap, ScheduleInfo, Scheduler, Schedules,
};
pub use task::{IntoTask, Task, Tasks};
pub use tokio_util::sync::CancellationToken;
pub use worker::{Ending, Meter, MeteredJob, NoState, Router, WithState, Worker, WorkerSummary};

/// The README's code is a test.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
