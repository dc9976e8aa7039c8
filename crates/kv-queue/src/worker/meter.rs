//! Figures of a worker, told as they happen.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use super::summary::Ending;
use crate::queue::{JobId, Lease};

/// Is told what a [`Worker`](crate::Worker) does, to count and to measure.
///
/// The calls must not block; a panic is logged and otherwise ignored. The depth of a queue is in
/// [`Queue::stats`](crate::Queue::stats).
///
/// ```
/// use kv_queue::{Ending, Meter, MeteredJob, Queue, Worker};
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use std::time::Duration;
///
/// #[derive(Default)]
/// struct Counts {
///     done: AtomicU64,
///     handled_ms: AtomicU64,
/// }
///
/// impl Meter for Counts {
///     fn handled(&self, _: &MeteredJob<'_>, took: Duration) {
///         let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
///         self.handled_ms.fetch_add(millis, Ordering::Relaxed);
///     }
///
///     fn ended(&self, _queue: &str, ending: Ending) {
///         self.done.fetch_add(u64::from(ending == Ending::Done), Ordering::Relaxed);
///     }
/// }
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// # let store = kv_core::Store::new(kv_memory::MemoryStore::new());
/// let queue = Queue::<u32>::open(&store, "numbers").await?;
/// queue.enqueue_many(1..=3_u32).await?;
/// let counts = Arc::new(Counts::default());
/// let worker = Worker::new(queue).meter(Arc::clone(&counts)).until_drained();
/// worker.run(|_| async {}).await?;
/// assert_eq!(counts.done.load(Ordering::Relaxed), 3);
/// # Ok::<(), kv_core::Error>(()) }).unwrap();
/// ```
pub trait Meter: Send + Sync + 'static {
    /// A handler is about to begin.
    fn started(&self, job: &MeteredJob<'_>) {
        let _ = job;
    }

    /// A handler has ended, by itself or because it was dropped, this long after it began.
    fn handled(&self, job: &MeteredJob<'_>, took: Duration) {
        let _ = (job, took);
    }

    /// A delivery has ended, by the store's verdict. Each delivery ends once, in one of these ways,
    /// as in the [`WorkerSummary`](crate::WorkerSummary).
    fn ended(&self, queue: &str, ending: Ending) {
        let _ = (queue, ending);
    }
}

impl<M: Meter + ?Sized> Meter for Arc<M> {
    fn started(&self, job: &MeteredJob<'_>) {
        (**self).started(job);
    }

    fn handled(&self, job: &MeteredJob<'_>, took: Duration) {
        (**self).handled(job, took);
    }

    fn ended(&self, queue: &str, ending: Ending) {
        (**self).ended(queue, ending);
    }
}

/// The delivery that a [`Meter`] is told of.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct MeteredJob<'a> {
    /// The queue's name.
    pub queue: &'a str,
    /// The job.
    pub job: JobId,
    /// The number of the attempt, from 1.
    pub attempt: u32,
}

impl<'a> MeteredJob<'a> {
    pub(super) const fn of(queue: &'a str, lease: &Lease) -> Self {
        Self { queue, job: lease.id(), attempt: lease.attempt() }
    }
}

/// A worker's meter, if it has one.
#[derive(Clone, Default)]
pub(super) struct Metering(Option<Arc<dyn Meter>>);

impl Metering {
    pub(super) fn by(meter: impl Meter) -> Self {
        Self(Some(Arc::new(meter)))
    }

    pub(super) const fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Tells the meter. Call this without a lock.
    pub(super) fn tell(&self, tell: impl FnOnce(&dyn Meter)) {
        let Some(meter) = &self.0 else { return };
        if catch_unwind(AssertUnwindSafe(|| tell(&**meter))).is_err() {
            tracing::warn!("a worker's meter panicked");
        }
    }
}
