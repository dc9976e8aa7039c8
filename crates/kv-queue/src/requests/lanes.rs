//! Lanes: by a lane and a number, a repeated request is recognised.

use std::sync::{Arc, Mutex, PoisonError};

use kv_core::queue::Lane;

/// The lanes of one process on one queue. A lane has one request in flight; there are as many as
/// were ever needed at once.
#[derive(Debug)]
pub(super) struct Lanes {
    free: Mutex<Vec<Lane>>,
}

impl Lanes {
    pub(super) const fn new() -> Self {
        Self { free: Mutex::new(Vec::new()) }
    }

    /// A lane with the number of a new request. Dropping it, as a cancelled caller does, gives
    /// the lane up: nobody knows what its last request did.
    pub(super) fn take(&self) -> Lane {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let Lane { name, request } = free.unwrap_or_else(fresh);
        Lane { name, request: request + 1 }
    }

    /// Gives a lane back whose request was answered.
    pub(super) fn give_back(&self, lane: Lane) {
        self.free.lock().unwrap_or_else(PoisonError::into_inner).push(lane);
    }
}

fn fresh() -> Lane {
    let name = format!("{:032x}", fastrand::u128(..));
    Lane { name: Arc::from(name), request: 0 }
}
