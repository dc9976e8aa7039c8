//! What a program touches: the queue, its jobs, and deliveries.

mod act;
mod agreement;
mod builder;
mod dead;
mod delivery;
mod dequeue;
mod enqueue;
mod groups;
mod handle;
mod info;
mod job;
mod look;
mod operate;
mod peek;
mod registry;
mod results;
mod which;
mod workers;

pub use builder::QueueBuilder;
pub use dead::{DeadJob, DeadLetters};
pub use delivery::Delivery;
pub(crate) use delivery::{Lease, Settle, Settled};
pub(crate) use dequeue::undecodable;
#[cfg(feature = "schedule")]
pub(crate) use enqueue::{partition_for, placed};
pub use handle::Queue;
pub use info::{JobInfo, JobPast, JobStatus};
pub use job::{Enqueue, Enqueued, Job, JobId};
pub use look::{JobFilter, Jobs};
pub use registry::{QueueInfo, queue_names, queues};
pub use which::{Redrive, Which};
pub use workers::WorkerInfo;
pub(crate) use workers::{BEAT, MAX_NAMED, beat, leave};
