//! A loader as the cache runs it: bytes or an error, whatever it does.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use serde::Serialize;

use crate::{BoxError, Bytes, Error, ErrorKind, Result, Serializer};

/// A load that gives encoded values. It does nothing until it is polled.
pub(in crate::store) type Load<'l, R = Bytes> =
    Pin<Box<dyn Future<Output = Result<R>> + Send + 'l>>;

/// The loaded value of the caller whose loader ran, so that it need not decode its own bytes.
pub(super) struct Slot<T>(Arc<Mutex<Option<T>>>);

impl<T> Slot<T> {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(None)))
    }

    pub(super) fn take(&self) -> Option<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// The load of one value.
pub(super) fn load<'l, T, F, Fut, E>(serializer: Serializer, slot: &Slot<T>, loader: F) -> Load<'l>
where
    T: Serialize + Send + 'l,
    F: FnOnce() -> Fut + Send + 'l,
    Fut: Future<Output = Result<T, E>> + Send + 'l,
    E: Into<BoxError> + 'l,
{
    let slot = Arc::clone(&slot.0);
    Box::pin(Caught(Box::pin(async move {
        let value = loader().await.map_err(failed)?;
        let bytes = serializer.encode(&value)?;
        *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
        Ok(bytes)
    })))
}

/// The load of many values, each with its key.
pub(super) fn load_many<'l, T, F, Fut, L, E>(
    serializer: Serializer,
    loader: Arc<F>,
    keys: Vec<String>,
) -> Load<'l, Vec<(String, Bytes)>>
where
    T: Serialize + Send + 'l,
    F: Fn(Vec<String>) -> Fut + Send + Sync + 'l,
    Fut: Future<Output = Result<L, E>> + Send + 'l,
    L: IntoIterator<Item = (String, T)> + 'l,
    E: Into<BoxError> + 'l,
{
    Box::pin(Caught(Box::pin(async move {
        let values = loader(keys).await.map_err(failed)?;
        values.into_iter().map(|(key, value)| Ok((key, serializer.encode(&value)?))).collect()
    })))
}

/// The error of a loader.
fn failed(cause: impl Into<BoxError>) -> Error {
    Error::new(ErrorKind::Loader, "the loader failed").because(cause)
}

/// A future whose panic is an error. What the panic says may show a value, so the error does not.
struct Caught<'l, R>(Load<'l, R>);

impl<R> Future for Caught<'_, R> {
    type Output = Result<R>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        // A future that panicked is never polled again: its owner has the error then.
        let polled = catch_unwind(AssertUnwindSafe(|| self.0.as_mut().poll(context)));
        polled.unwrap_or_else(|_| {
            Poll::Ready(Err(Error::new(ErrorKind::Loader, "the loader panicked")))
        })
    }
}
