//! One blocking command for all waits on a store; on a Cluster one for each slot.
//!
//! A script that makes a job claimable pushes an element to the partition's list, unless the list
//! has one; a claim that leaves claimable jobs does the same. A process blocks on the lists of all
//! queues on which it waits: BLPOP on a separate connection, for [`BLOCK`](listener::BLOCK) at a
//! time. Redis gives the element to the process that has waited longest. If no wait of this process
//! wants the element any more, or the waiter was dropped before it took the wake-up, the process
//! puts the element back for others.
//!
//! On a Cluster no command can block on lists of different slots, so each partition with a wait has
//! a separate connection to its server.
//!
//! If no element came for that long, a glance finds partitions with work that no element announced:
//! a delayed job of another process is due, the lease of a dead process has ended, or a wake-up was
//! lost.
//!
//! After an error every wait fails, and the next wait begins on a new connection. A connection on
//! which nobody has waited for as long is closed; nothing stays of queues that are
//! gone.

mod listener;
mod notice;
mod wait;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use kv_core::queue::Partition;
use kv_core::{Error, Result};

use self::listener::{BLOCK, Listener, Listeners, MARGIN};
use self::notice::Waiter;
use self::wait::Wait;
use super::keys::Keys;
use super::scripts::Scripts;
use crate::config::RedisConfig;
use crate::driver::Driver;

/// The waits of one store.
pub(super) struct Waits {
    common: Arc<Common>,
    key_prefix: String,
    nonce: u64,
    listeners: Arc<Mutex<Listeners>>,
}

/// What all listeners need.
struct Common {
    /// For commands that do not block.
    driver: Arc<Driver>,
    scripts: Scripts,
    /// How long a blocking command may take, including its wait.
    timeout: Duration,
}

impl Waits {
    pub(super) fn new(
        config: &RedisConfig,
        driver: Arc<Driver>,
        scripts: Scripts,
        nonce: u64,
    ) -> Self {
        let timeout = config.timeout + BLOCK + MARGIN;
        let common = Arc::new(Common { driver, scripts, timeout });
        Self { common, key_prefix: config.key_prefix.clone(), nonce, listeners: Arc::default() }
    }

    /// Waits until a job may be claimable in one of the partitions of a queue with these keys.
    ///
    /// # Cancel safety
    /// A wake-up that a dropped wait did not take goes to another wait.
    pub(super) async fn wait(
        &self,
        partitions: &[Partition],
        keys: Arc<[Keys]>,
        limit: Duration,
    ) -> Result<Vec<u32>> {
        self.common.driver.check_open()?;
        let mut wait = self.register(partitions, &keys)?;
        wait.begin().await;
        wait.told(limit).await
    }

    /// Makes listeners report these partitions to a waiter, from now on.
    fn register(&self, partitions: &[Partition], keys: &Arc<[Keys]>) -> Result<Wait> {
        let mut by_slot: BTreeMap<Option<u16>, (Bytes, Vec<u32>)> = BTreeMap::new();
        for Partition { number, .. } in partitions {
            let Some(wake) = wake(keys, *number) else { continue };
            let slot = self.common.driver.slot_of(&wake);
            by_slot.entry(slot).or_insert_with(|| (wake, Vec::new())).1.push(*number);
        }
        let mut wait = Wait::default();
        // An idle listener ends under the same lock, so no listener ends in between.
        let mut listeners = lock(&self.listeners);
        if listeners.is_closed {
            return Err(Error::closed());
        }
        for (slot, (wake, numbers)) in by_slot {
            let Some(Partition { queue, .. }) = partitions.first() else { break };
            let listener = listeners
                .by_slot
                .entry(slot)
                .or_insert_with(|| Arc::new(self.listener(slot, &wake)));
            let keys = Arc::clone(keys);
            let waiter = Waiter { queue: Arc::clone(queue), keys, partitions: numbers };
            wait.add(listener, waiter);
        }
        Ok(wait)
    }

    fn listener(&self, slot: Option<u16>, wake: &Bytes) -> Listener {
        let listeners = Arc::downgrade(&self.listeners);
        Listener::new(slot, Arc::clone(&self.common), self.interruption(slot, wake), listeners)
    }

    /// The list that interrupts a listener's blocking command, in the slot of the listener's lists.
    fn interruption(&self, slot: Option<u16>, wake: &Bytes) -> Bytes {
        let nonce = format!("{:016x}", self.nonce);
        match slot {
            None => format!("{}!kv:wake:{nonce}", self.key_prefix).into(),
            Some(_) => [wake, b":".as_slice(), nonce.as_bytes()].concat().into(),
        }
    }

    /// Ends the listeners and all waits.
    pub(super) fn close(&self) {
        let by_slot = {
            let mut listeners = lock(&self.listeners);
            listeners.is_closed = true;
            std::mem::take(&mut listeners.by_slot)
        };
        by_slot.values().for_each(|listener| listener.close());
    }
}

/// The list of a partition's wake-ups.
fn wake(keys: &[Keys], number: u32) -> Option<Bytes> {
    let keys = usize::try_from(number).ok().and_then(|at| keys.get(at));
    keys.map(|keys| keys.wake().clone())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
