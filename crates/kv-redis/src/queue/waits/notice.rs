//! A waiter, and the wake-ups from its listeners.

use std::mem;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::join_all;
use kv_core::{Error, Result};
use tokio::sync::Notify;
use tokio::time::timeout;

use super::super::keys::Keys;
use super::lane::{Call, Lane};
use super::{lock, wake};

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
struct Told {
    numbers: Vec<u32>,
    error: Option<Error>,
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

    /// The wait ends, whatever its result.
    pub(super) fn ring(&self) {
        self.rung.notify_one();
    }
}

/// One wait, on one listener or, on a Cluster, on several.
///
/// Each partition number in it is an element taken from a list on the server, so none may be lost:
/// when this value is dropped, untaken numbers go to others.
#[derive(Default)]
pub(super) struct Wait {
    notice: Arc<Notice>,
    registered: Vec<Registered>,
}

struct Registered {
    lane: Arc<Lane>,
    id: u64,
    call: Call,
    waiter: Waiter,
}

impl Wait {
    /// Adds a listener for its partitions.
    pub(super) fn add(&mut self, lane: &Arc<Lane>, waiter: Waiter) {
        let (id, call) = lane.state().register(waiter.clone(), Arc::clone(&self.notice));
        self.registered.push(Registered { lane: Arc::clone(lane), id, call, waiter });
    }

    /// Makes all listeners cover this waiter.
    pub(super) async fn begin(&self) {
        let calls = self.registered.iter().map(|registered| async {
            match registered.call {
                Call::Nothing => Ok(()),
                Call::Begin => {
                    registered.lane.listen();
                    Ok(())
                }
                Call::Interrupt => registered.lane.interrupt().await,
            }
        });
        for called in join_all(calls).await {
            if let Err(error) = called {
                self.notice.fail(&error);
            }
        }
    }

    /// The partitions with wake-ups, once there is one or the time is over.
    pub(super) async fn told(&mut self, limit: Duration) -> Result<Vec<u32>> {
        let _is_over = timeout(limit, self.notice.rung.notified()).await;
        let Told { mut numbers, error } = self.end();
        numbers.sort_unstable();
        numbers.dedup();
        match error {
            // A failure would come again; a wake-up would not.
            Some(error) if numbers.is_empty() => Err(error),
            _ => Ok(numbers),
        }
    }

    /// Takes no wake-up from now on.
    fn end(&self) -> Told {
        for Registered { lane, id, .. } in &self.registered {
            lane.state().remove(*id);
        }
        mem::take(&mut *lock(&self.notice.told))
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        for number in self.end().numbers {
            let has_it = |it: &&Registered| it.waiter.partitions.contains(&number);
            if let Some(Registered { lane, waiter, .. }) = self.registered.iter().find(has_it)
                && let Some(list) = wake(&waiter.keys, number)
            {
                lane.state().pass_on(&waiter.queue, number, list);
            }
        }
        for Registered { lane, .. } in &self.registered {
            lane.state().unregister();
        }
    }
}
