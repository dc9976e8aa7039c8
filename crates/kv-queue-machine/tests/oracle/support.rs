//! A machine's host as a subject of the oracle.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use kv_core::async_trait;
use kv_core::queue::{Partition, QueueEngine};
use kv_queue_machine::Tables;
use kv_queue_machine::testing::{Dump, MachineHost, ManualClock, Subject};

pub(crate) struct Hosted<T> {
    clock: Arc<ManualClock>,
    host: MachineHost<T>,
    dump: fn(&T) -> Dump,
}

impl<T: Tables> Hosted<T> {
    pub(crate) fn new(make: impl Fn() -> T + Send + Sync + 'static, dump: fn(&T) -> Dump) -> Self {
        let clock = Arc::new(ManualClock::default());
        Self { host: MachineHost::new(Arc::clone(&clock) as _, make), clock, dump }
    }
}

#[async_trait]
impl<T: Tables + Send + 'static> Subject for Hosted<T> {
    fn engine(&self) -> &dyn QueueEngine {
        &self.host
    }

    async fn set_time(&self, now: Duration) {
        self.clock.set(now);
    }

    async fn check(&self, partition: &Partition) -> Result<(), String> {
        self.host.with(partition, |tables| (self.dump)(tables).check())
    }
}

/// Nothing here ever waits.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return output;
        }
    }
}
