//! Failovers, and nodes that join and leave.

use std::time::Duration;

use super::RedisCluster;
use crate::error::{Error, Result};
use crate::wait::patiently;

/// Longer than the five seconds after which a replica gives up a failover that it was told to do.
const ONE_TRY: Duration = Duration::from_secs(6);
/// Primaries do not vote twice for the same shard within two node timeouts.
const TRIES: usize = 5;

impl RedisCluster {
    /// Hands a slot's shard over to a replica (`CLUSTER FAILOVER`), which loses no write, and waits
    /// until the cluster is ok; returns the new primary's place.
    ///
    /// # Errors
    /// When the shard has no running replica, or the replica does not take over.
    pub fn failover(&self, slot: u16) -> Result<usize> {
        let from = self.primary_of(slot)?;
        let replica = self.replicas_of(from)?.first().copied();
        let to = replica.ok_or_else(|| Error::new(format!("node {from} has no replica")))?;
        for _ in 0..TRIES {
            self.tell(to, &["CLUSTER", "FAILOVER"])?;
            let done = || (self.primary_of(slot).ok()? == to).then_some(());
            if patiently(ONE_TRY, done).is_some() {
                self.wait_until_ok()?;
                return Ok(to);
            }
        }
        Err(Error::new(format!("node {to} does not take over from node {from}")))
    }

    /// Kills the primary of a slot and returns its place at once; a replica takes over within a few
    /// seconds, see [`wait_until_ok`](Self::wait_until_ok).
    ///
    /// # Errors
    /// When no running node serves the slot.
    pub fn kill_primary(&mut self, slot: u16) -> Result<usize> {
        let at = self.primary_of(slot)?;
        self.nodes.get_mut(at).into_iter().for_each(|node| node.kill());
        Ok(at)
    }

    /// Adds a primary that serves no slot, waits until the cluster is ok, and returns its place.
    ///
    /// # Errors
    /// When it does not start, or the cluster does not become ok.
    pub fn add_primary(&mut self) -> Result<usize> {
        let node = self.node.clone().start()?;
        let known = self.awake().next().ok_or_else(|| Error::new("no node runs"))?;
        self.ids.push(node.demand_text(&["CLUSTER", "MYID"])?);
        self.nodes.push(node);
        let at = self.nodes.len() - 1;
        self.introduce(known, at)?;
        self.wait_until_ok()?;
        Ok(at)
    }

    /// Adds a replica of the node at `primary`, waits until it is in sync, and returns its place.
    ///
    /// # Errors
    /// When it does not start, or the cluster does not become ok.
    pub fn add_replica(&mut self, primary: usize) -> Result<usize> {
        let at = self.add_primary()?;
        self.follow(at, primary)?;
        self.wait_until_ok()?;
        Ok(at)
    }

    /// Kills the node at `at` and lets the others forget it; its place stays taken.
    ///
    /// # Errors
    /// When it serves slots, or others follow it.
    pub fn forget(&mut self, at: usize) -> Result<()> {
        if !self.slots_of(at)?.is_empty() || !self.replicas_of(at)?.is_empty() {
            return Err(Error::new(format!("node {at} is not empty")));
        }
        let id = self.member(at)?.1.to_owned();
        self.nodes.get_mut(at).into_iter().for_each(|node| node.kill());
        let others: Vec<usize> = self.awake().collect();
        others.into_iter().try_for_each(|other| self.tell(other, &["CLUSTER", "FORGET", &id]))
    }
}
