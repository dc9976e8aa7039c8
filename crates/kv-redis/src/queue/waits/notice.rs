//! A waiter, and the wake-ups from its listeners.

use std::mem;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kv_core::Error;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::super::keys::Keys;
use super::lock;

/// The partitions of one listener of a wait.
#[derive(Clone)]
pub(super) struct Waiter {
    pub(super) queue: Arc<str>,
    pub(super) keys: Arc<[Keys]>,
    pub(super) partitions: Vec<u32>,
}

/// The result so far, from any number of listeners.
#[derive(Default)]
pub(super) struct Notice {
    told: Mutex<Told>,
    rung: Notify,
}

#[derive(Default)]
pub(super) struct Told {
    pub(super) numbers: Vec<u32>,
    pub(super) error: Option<Error>,
}

impl Notice {
    /// A job may be claimable in these partitions.
    pub(super) fn tell(&self, numbers: impl IntoIterator<Item = u32>) {
        lock(&self.told).numbers.extend(numbers);
        self.ring();
    }

    /// A listener has failed.
    pub(super) fn fail(&self, error: &Error) {
        lock(&self.told).error.get_or_insert_with(|| error.clone());
        self.ring();
    }

    /// Ends when something is told, or the time is over.
    pub(super) async fn rung(&self, limit: Duration) {
        let _is_over = timeout(limit, self.rung.notified()).await;
    }

    /// What was told since the last time.
    pub(super) fn take(&self) -> Told {
        mem::take(&mut *lock(&self.told))
    }

    /// The wait ends, whatever its result.
    pub(super) fn ring(&self) {
        self.rung.notify_one();
    }
}
