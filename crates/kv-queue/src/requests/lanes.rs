//! Lanes: a lane is a session and a sequence number, by which the store recognises a repeated
//! request.

use std::sync::{Arc, Mutex, PoisonError};

use kv_core::queue::Lane;

/// The lanes of one process on one queue. A lane has one request in flight. There are as many lanes
/// as were ever in use at once.
#[derive(Debug)]
pub(super) struct Lanes {
    free: Mutex<Vec<Lane>>,
}

impl Lanes {
    pub(super) const fn new() -> Self {
        Self { free: Mutex::new(Vec::new()) }
    }

    /// A lane with the sequence number of a new request. Dropping the lane, as a cancelled caller
    /// does, gives it up: nobody knows what its last request did.
    pub(super) fn take(&self) -> Lane {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let Lane { name, request } = free.unwrap_or_else(fresh);
        Lane { name, request: request + 1 }
    }

    /// Returns a lane after the answer to its request.
    pub(super) fn give_back(&self, lane: Lane) {
        self.free.lock().unwrap_or_else(PoisonError::into_inner).push(lane);
    }
}

fn fresh() -> Lane {
    let name = format!("{:032x}", fastrand::u128(..));
    Lane { name: Arc::from(name), request: 0 }
}
