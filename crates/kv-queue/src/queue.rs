//! What a program touches: the queue, its jobs, and deliveries.

mod builder;
mod delivery;
mod dequeue;
mod enqueue;
mod handle;
mod job;
mod operate;

pub use builder::QueueBuilder;
pub use delivery::Delivery;
pub(crate) use delivery::{Lease, Settle, Settled};
pub(crate) use dequeue::set_aside;
pub use handle::Queue;
pub use job::{Enqueue, Enqueued, Job, JobId};
pub use operate::DeadJob;
