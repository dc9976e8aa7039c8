//! Observe: what is called, how it ends, and how long it takes.

mod latencies;
mod metrics;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use kv_core::{Clock, ErrorKind, Result, SystemClock};
use tracing::{Instrument, debug, debug_span, trace};

pub use self::latencies::Latencies;
pub use self::metrics::{Figures, Metrics};
use crate::{Call, Layer, Operation};

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ended {
    /// The store answered.
    Done,
    /// The call failed with an error of this kind.
    Failed(ErrorKind),
    /// The caller dropped the call before it ended.
    Dropped,
}

/// Receives the reports of [`Observe`]: [`Metrics`], or a program's own counters.
pub trait Meter: Send + Sync + 'static {
    /// Records a call that has ended. It runs within the call, so it should only count.
    fn record(&self, operation: Operation, ended: Ended, took: Duration);
}

/// Reports each call to a [`Meter`] and to `tracing`: the operation, how it ended, how long it
/// took. Never a key, a value or the text of an error.
///
/// The call runs in a span `store` of level DEBUG; its end is an event of level TRACE, or DEBUG for
/// an error. The program gets the error and decides whether to warn. A batch counts as one call,
/// which succeeds if the batch succeeds as a whole.
///
/// Each call costs two readings of the clock, a few atomic additions, and the cost of the span's
/// subscriber, if there is one.
///
/// ```
/// use kv_core::Store;
/// use kv_layers::{Layer, Metrics, Observe, Operation};
/// # kv_testkit::runtime()?.block_on(async {
/// let metrics = Metrics::new();
/// let store = Store::new(Observe::to(metrics.clone()).on(kv_memory::MemoryStore::new()));
/// store.set("k", "v").await.unwrap();
/// let sets = metrics.snapshot(Operation::Set);
/// assert_eq!((sets.done, sets.failed()), (1, 0));
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Observe {
    meter: Arc<dyn Meter>,
    clock: Arc<dyn Clock>,
}

impl Observe {
    /// Reports to a meter.
    pub fn to(meter: impl Meter) -> Self {
        Self { meter: Arc::new(meter), clock: Arc::new(SystemClock::new()) }
    }

    /// Where time comes from; the machine's clock unless given.
    #[must_use]
    pub fn clock(self, clock: impl Clock) -> Self {
        Self { clock: Arc::new(clock), ..self }
    }
}

impl fmt::Debug for Observe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observe").finish_non_exhaustive()
    }
}

/// A running call. If it is dropped before its end, it reports that.
struct Watch<'o> {
    observe: &'o Observe,
    operation: Operation,
    begun: Duration,
    ended: Ended,
}

impl<'o> Watch<'o> {
    fn start(observe: &'o Observe, call: Call) -> Self {
        let begun = observe.clock.now();
        Self { observe, operation: call.operation(), begun, ended: Ended::Dropped }
    }

    fn end<T>(mut self, result: &Result<T>) {
        self.ended = match result {
            Ok(_) => Ended::Done,
            Err(error) => Ended::Failed(error.kind()),
        };
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        let took = self.observe.clock.now().saturating_sub(self.begun);
        self.observe.meter.record(self.operation, self.ended, took);
        let operation = self.operation.name();
        match self.ended {
            Ended::Done => trace!(operation, ?took, "done"),
            Ended::Failed(kind) => debug!(operation, ?took, ?kind, "failed"),
            Ended::Dropped => debug!(operation, ?took, "dropped"),
        }
    }
}

impl Layer for Observe {
    async fn call<A, T, R>(
        &self,
        call: Call,
        args: A,
        run: impl Fn(A) -> R + Send + Sync,
    ) -> Result<T>
    where
        A: Clone + Send + Sync,
        T: Send,
        R: Future<Output = Result<T>> + Send,
    {
        let watched = async {
            let watch = Watch::start(self, call);
            let result = run(args).await;
            watch.end(&result);
            result
        };
        watched.instrument(debug_span!("store", operation = call.operation().name())).await
    }

    fn at_hand<T>(
        &self,
        call: Call,
        answer: impl FnOnce() -> Option<Result<T>>,
    ) -> Option<Result<T>> {
        let begun = self.clock.now();
        let result = answer()?;
        let watch = Watch { observe: self, operation: call.operation(), begun, ended: Ended::Done };
        watch.end(&result);
        Some(result)
    }
}
