//! A persistent job queue on any key-value store: leased, fenced, checkpointed, and exact about
//! "everything is done".
//!
//! [`Queue`] is for producers, consumers and operators, [`Delivery`] is one job in hand, and
//! [`Worker`] runs a handler on many. On a backend with an engine of its own the queue runs
//! natively; on any other that declares conditional writes it runs on the generic engine, which
//! keeps a partition's index in one value and holds up to 10,000 jobs a partition.

mod generic;
pub mod python;
mod queue;
mod requests;
mod retry;
mod worker;

pub use kv_core::queue::Counts as QueueStats;
pub use queue::{
    DeadJob, DeadLetters, Delivery, Enqueue, Enqueued, Job, JobId, Queue, QueueBuilder,
};
pub use requests::Undecodable;
pub use retry::RetryPolicy;
pub use tokio_util::sync::CancellationToken;
pub use worker::{Worker, WorkerSummary};

/// The README's code is a test.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
