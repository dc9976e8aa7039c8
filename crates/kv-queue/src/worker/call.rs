//! A call to the store for which the supervisor waits beside other things.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use kv_core::Result;

/// A call in flight, or none.
pub(super) struct Call<R>(Option<Pin<Box<dyn Future<Output = Result<R>> + Send>>>);

impl<R> Call<R> {
    pub(super) const fn none() -> Self {
        Self(None)
    }

    pub(super) fn begin(&mut self, call: impl Future<Output = Result<R>> + Send + 'static) {
        self.0 = Some(Box::pin(call));
    }

    pub(super) const fn is_under_way(&self) -> bool {
        self.0.is_some()
    }

    /// Ends when the call ends, and removes the call. Never ends without a call.
    pub(super) async fn answer(&mut self) -> Result<R> {
        let Some(call) = &mut self.0 else { return std::future::pending().await };
        let answer = call.await;
        self.0 = None;
        answer
    }

    /// Drops the call. Returns its answer if it has one already.
    pub(super) fn give_up(&mut self) -> Option<Result<R>> {
        let mut call = self.0.take()?;
        match call.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(answer) => Some(answer),
            Poll::Pending => None,
        }
    }
}
