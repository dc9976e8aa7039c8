//! Tokio's time as a clock.

use std::time::Duration;

use kv_core::Clock;
use tokio::time::Instant;

/// The date on which every such clock starts: 2027-01-15T08:00:00Z.
const START: Duration = Duration::from_secs(1_800_000_000);

/// A clock that goes with Tokio's time. In a test with `start_paused` each sleep and
/// `tokio::time::advance` moves it, so that leases, delays and schedules of a store on this clock
/// pass without waiting.
///
/// ```
/// use kv_core::Store;
/// use kv_queue::testing::TokioClock;
/// use kv_queue::{Job, Queue, Worker};
/// use std::time::Duration;
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
/// let memory = kv_memory::MemoryStore::builder().clock(TokioClock::new()).build();
/// let queue = Queue::<u32>::open(&Store::new(memory), "mail").await?;
/// queue.enqueue(Job::new(7).delay(Duration::from_secs(86_400))).await?;
/// let worker = Worker::new(queue).until_drained();
/// assert_eq!(worker.run(|_| async {}).await?.done, 1, "a day later, at once");
/// # Ok::<(), kv_core::Error>(()) }).unwrap();
/// ```
#[derive(Clone, Copy, Debug)]
pub struct TokioClock(Instant);

impl TokioClock {
    /// A clock that starts now, on 2027-01-15T08:00:00Z.
    pub fn new() -> Self {
        Self(Instant::now())
    }
}

impl Default for TokioClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for TokioClock {
    fn now(&self) -> Duration {
        self.0.elapsed()
    }

    fn wall(&self) -> Duration {
        START + self.0.elapsed()
    }
}
