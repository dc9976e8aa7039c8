//! For the tests of programs: a clock that a paused test moves, deliveries without a queue, and a
//! queue that runs until it is idle.

mod clock;
mod enqueued;
mod handed;
mod idle;

pub use clock::TokioClock;
pub use enqueued::{EnqueuedJob, Recorder};
pub use handed::{Handed, HandedJob};
pub use idle::{Ran, run_until_idle};
