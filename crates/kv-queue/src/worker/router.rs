//! Handlers by the name of the task.

use std::collections::BTreeMap;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use kv_core::Result;

use super::handler::Handler;
use super::{Worker, WorkerSummary, supervisor};
use crate::outcome::{IntoOutcome, Outcome};
use crate::queue::{Delivery, Lease};
use crate::task::{self, Task, Tasks};

type Handling = Pin<Box<dyn Future<Output = Outcome> + Send>>;
type Route = Box<dyn Fn(&Arc<Lease>, &[u8]) -> Result<Handling> + Send + Sync>;

/// The handlers of a queue of [`Tasks`], one for each type of payload.
///
/// A job whose name no handler has is set aside as one that does not decode, as
/// [configured](crate::QueueBuilder::undecodable): by default it is tried again, so that a worker of
/// another version can run it. The reason lists the known names.
#[derive(Default)]
pub struct Router {
    routes: BTreeMap<&'static str, Route>,
}

impl Router {
    /// A router without handlers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the handler of a type; replaces the handler of the same name.
    #[must_use]
    pub fn on<K, H, Fut>(mut self, handler: H) -> Self
    where
        K: Task,
        H: Fn(Delivery<K>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: IntoOutcome> + Send + 'static,
    {
        let handler = Arc::new(handler);
        let route = move |lease: &Arc<Lease>, body: &[u8]| {
            let payload = task::payload(lease.serializer(), body)?;
            let (delivery, handler) = (Delivery::new(payload, Arc::clone(lease)), handler.clone());
            // Called inside, since the call itself may panic.
            let handling: Handling =
                Box::pin(async move { handler(delivery).await.into_outcome() });
            Ok(handling)
        };
        self.routes.insert(K::NAME, Box::new(route));
        self
    }

    /// The names that have a handler, in their order.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.routes.keys().copied()
    }
}

impl Handler for Router {
    fn begin(
        &self,
        lease: &Arc<Lease>,
        body: &[u8],
    ) -> Result<impl Future<Output = Outcome> + Send> {
        let name = task::name(lease.serializer(), body)?;
        match self.routes.get(&*name) {
            Some(route) => route(lease, body),
            None => Err(task::unknown(&name, self.names())),
        }
    }
}

impl Worker<Tasks> {
    /// Runs each job with the handler of its type, until the worker is stopped or the queue is
    /// drained.
    ///
    /// # Errors
    /// As those of [`run`](Worker::run).
    ///
    /// # Cancel safety
    /// A dropped future drops the handlers; their jobs come back when their leases end. Use the
    /// token to stop.
    pub async fn run_router(self, router: Router) -> Result<WorkerSummary> {
        supervisor::run(self, router).await
    }
}

impl fmt::Debug for Router {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}
