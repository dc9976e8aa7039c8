//! What a handler returned beside "done".

use std::fmt;
use std::sync::Arc;

use kv_core::{Bytes, Result, Serializer};
use serde::Serialize;

/// A value that a job returned, from [`Outcome::done_with`](super::Outcome::done_with). The worker
/// encodes it by the store's serializer.
///
/// Two values are equal if they are the same as JSON.
#[derive(Clone)]
pub struct Returned(Arc<dyn Encode>);

trait Encode: Send + Sync {
    fn encode(&self, serializer: &Serializer) -> Result<Bytes>;
}

impl<T: Serialize + Send + Sync> Encode for T {
    fn encode(&self, serializer: &Serializer) -> Result<Bytes> {
        serializer.encode(self)
    }
}

impl Returned {
    pub(super) fn new(value: impl Serialize + Send + Sync + 'static) -> Self {
        Self(Arc::new(value))
    }

    pub(crate) fn encode(&self, serializer: &Serializer) -> Result<Bytes> {
        // On the value itself: an `Arc` has no encoding of its own.
        (*self.0).encode(serializer)
    }
}

impl PartialEq for Returned {
    fn eq(&self, other: &Self) -> bool {
        let json = |it: &Self| it.encode(&Serializer::Json).ok();
        Arc::ptr_eq(&self.0, &other.0) || json(self).is_some() && json(self) == json(other)
    }
}

impl Eq for Returned {}

/// Without the value, which is the program's.
impl fmt::Debug for Returned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Returned(..)")
    }
}
