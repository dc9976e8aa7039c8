//! From the bytes of a job to what its handler says.

use std::marker::PhantomData;
use std::sync::Arc;

use kv_core::Result;
use serde::de::DeserializeOwned;

use crate::outcome::{IntoOutcome, Outcome};
use crate::queue::{Delivery, Lease};

/// Runs jobs of which only the bytes are known.
pub(super) trait Handler: Send + Sync + 'static {
    /// Begins to handle a job.
    ///
    /// # Errors
    /// If the bytes do not decode: the job is set aside.
    fn begin(
        &self,
        lease: &Arc<Lease>,
        body: &[u8],
    ) -> Result<impl Future<Output = Outcome> + Send>;
}

/// A program's handler of payloads of one type.
pub(super) struct Typed<T, H> {
    handler: H,
    payload: PhantomData<fn(T)>,
}

impl<T, H> Typed<T, H> {
    pub(super) const fn new(handler: H) -> Self {
        Self { handler, payload: PhantomData }
    }
}

impl<T, H, Fut> Handler for Typed<T, H>
where
    T: DeserializeOwned + Send + 'static,
    H: Fn(Delivery<T>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output: IntoOutcome> + Send,
{
    fn begin(
        &self,
        lease: &Arc<Lease>,
        body: &[u8],
    ) -> Result<impl Future<Output = Outcome> + Send> {
        let delivery = Delivery::new(lease.serializer().decode(body)?, Arc::clone(lease));
        // Called inside, since the call itself may panic.
        Ok(async move { (self.handler)(delivery).await.into_outcome() })
    }
}
