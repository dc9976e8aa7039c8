//! A persistent job queue on any key-value store: leased, fenced, checkpointed, and exact about
//! "everything is done".
//!
//! ```
//! use kv_core::Store;
//! use kv_memory::MemoryStore; // or any other backend
//! use kv_queue::{Delivery, Job, Queue, Worker};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
//! let queue = Queue::<String>::open(&Store::new(MemoryStore::new()), "pages").await?;
//! queue.enqueue(Job::new("/about".to_owned()).unique("/about")).await?;
//!
//! let worker = Worker::new(queue).until_drained();
//! let summary = worker.run(|delivery: Delivery<String>| async move {
//!     assert_eq!(delivery.payload(), "/about"); // an error or a panic is tried again
//! });
//! assert_eq!(summary.await?.done, 1);
//! # Ok::<(), kv_core::Error>(()) }).unwrap();
//! ```
//!
//! Producers, consumers and operators use [`Queue`]. A [`Delivery`] is one claimed job. A
//! [`Worker`] runs a handler on many jobs. A backend may bring its own engine for queues. On any
//! other backend with conditional writes the generic engine runs the queue; it keeps a partition's
//! index in one value and holds up to 10,000 jobs a partition.

#[cfg(doctest)]
mod book;
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
