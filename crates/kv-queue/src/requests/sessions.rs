//! Sessions, by which the store recognises a repeated request.

use std::sync::{Arc, Mutex, PoisonError};

use kv_core::queue::Session;

/// The sessions of one process on one queue. A session has one request in flight. There are as many
/// sessions as were ever in use at once.
#[derive(Debug)]
pub(super) struct Sessions {
    free: Mutex<Vec<Session>>,
}

impl Sessions {
    pub(super) const fn new() -> Self {
        Self { free: Mutex::new(Vec::new()) }
    }

    /// A session with the sequence number of a new request. Dropping the session, as a cancelled
    /// caller does, gives it up: nobody knows what its last request did.
    pub(super) fn take(&self) -> Session {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let Session { name, request } = free.unwrap_or_else(fresh);
        Session { name, request: request + 1 }
    }

    /// Returns a session after the answer to its request.
    pub(super) fn give_back(&self, session: Session) {
        self.free.lock().unwrap_or_else(PoisonError::into_inner).push(session);
    }
}

fn fresh() -> Session {
    let name = format!("{:032x}", fastrand::u128(..));
    Session { name: Arc::from(name), request: 0 }
}
