//! One blocking command for all who wait on a store; on a Cluster one for each slot.
//!
//! A script that makes a job claimable leaves an element in the partition's list, at most one, and
//! so does a claim that leaves claimable jobs behind. A process blocks on the lists of all queues
//! on which somebody waits: BLPOP on a connection of its own, for [`BLOCK`](lane::BLOCK) at a time.
//! Redis gives the element to the process that has waited longest. An element for which nobody
//! waits here any more is put back for others.
//!
//! On a Cluster no command can block on lists of different slots, so each partition that is waited
//! for has a connection of its own, to the server that has it.
//!
//! When nothing came for that long, a glance tells of partitions in which something is to be done
//! all the same: a delayed job that another process added is due, the lease of one that died has
//! ended, a wake-up was lost.
//!
//! After an error everybody who waits is told, and the next who waits begins anew, on a connection
//! that is made anew.

mod lane;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::select_all;
use kv_core::Result;
use kv_core::queue::Partition;

use self::lane::{Lane, Waiter};
use super::keys::{self, Keys};
use super::scripts::Scripts;
use crate::config::RedisConfig;
use crate::driver::Driver;

/// The waits of one store.
pub(super) struct Waits {
    key_prefix: String,
    timeout: Duration,
    driver: Arc<Driver>,
    scripts: Scripts,
    nonce: u64,
    /// By what can be in one command: everything, or one slot.
    lanes: Mutex<BTreeMap<Option<u16>, Arc<Lane>>>,
}

impl Waits {
    pub(super) fn new(
        config: &RedisConfig,
        driver: Arc<Driver>,
        scripts: Scripts,
        nonce: u64,
    ) -> Self {
        let (key_prefix, timeout) = (config.key_prefix.clone(), config.timeout);
        Self { key_prefix, timeout, driver, scripts, nonce, lanes: Mutex::default() }
    }

    /// Waits until a job may be claimable in one of the partitions of a queue with these keys.
    pub(super) async fn wait(
        &self,
        partitions: &[Partition],
        keys: Arc<[Keys]>,
        limit: Duration,
    ) -> Result<Vec<u32>> {
        self.driver.check_open()?;
        let Some(first) = partitions.first() else { return Ok(Vec::new()) };
        let mut by_lane: BTreeMap<Option<u16>, (Bytes, Vec<u32>)> = BTreeMap::new();
        for Partition { number, .. } in partitions {
            let Some(keys) = usize::try_from(*number).ok().and_then(|at| keys.get(at)) else {
                continue;
            };
            let wake = &keys[keys::WAKE];
            let slot = self.driver.slot_of(wake);
            by_lane.entry(slot).or_insert_with(|| (wake.clone(), Vec::new())).1.push(*number);
        }
        let waits = by_lane.into_iter().map(|(slot, (wake, partitions))| {
            let lane = self.lane(slot, &wake);
            let (waiter, noticed) = Waiter::new(&first.queue, Arc::clone(&keys), partitions);
            Box::pin(async move { lane.wait(waiter, noticed, limit).await })
        });
        // Whichever is told first; the others' wake-ups are put back.
        select_all(waits).await.0
    }

    fn lane(&self, slot: Option<u16>, wake: &Bytes) -> Arc<Lane> {
        let mut lanes = self.lanes();
        let lane = lanes.entry(slot).or_insert_with(|| {
            let interruption = self.interruption(slot, wake);
            let driver = Arc::clone(&self.driver);
            Arc::new(Lane::new(driver, self.scripts, interruption, self.timeout))
        });
        Arc::clone(lane)
    }

    /// The list that ends a lane's command, in the slot of its lists.
    fn interruption(&self, slot: Option<u16>, wake: &Bytes) -> Bytes {
        let nonce = format!("{:016x}", self.nonce);
        match slot {
            None => format!("{}!kv:wake:{nonce}", self.key_prefix).into(),
            Some(_) => [wake, b":".as_slice(), nonce.as_bytes()].concat().into(),
        }
    }

    /// Ends the listeners and tells everybody who waits.
    pub(super) fn close(&self) {
        self.lanes().values().for_each(|lane| lane.close());
    }

    fn lanes(&self) -> MutexGuard<'_, BTreeMap<Option<u16>, Arc<Lane>>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
