//! What a program touches: the queue, its jobs, and deliveries.

mod agreement;
mod builder;
mod dead;
mod delivery;
mod dequeue;
mod enqueue;
mod groups;
mod handle;
mod job;
mod operate;
mod peek;
mod registry;

pub use builder::QueueBuilder;
pub use dead::{DeadJob, DeadLetters};
pub use delivery::Delivery;
pub(crate) use delivery::{Lease, Settle, Settled};
pub(crate) use dequeue::undecodable;
#[cfg(feature = "schedule")]
pub(crate) use enqueue::{partition_for, placed};
pub use handle::Queue;
pub use job::{Enqueue, Enqueued, Job, JobId};
pub use registry::{QueueInfo, queue_names, queues};
