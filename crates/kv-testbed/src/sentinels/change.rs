//! Failovers.

use std::time::Duration;

use super::{LIMIT, NAME, RedisSentinels};
use crate::error::{Error, Result};
use crate::replication::Replication;
use crate::wait::patiently;

const TRIES: usize = 5;

impl RedisSentinels {
    /// Lets a sentinel hand over to a replica (`SENTINEL FAILOVER`) though nothing has failed,
    /// waits until all of them are ok, and returns the new primary's place.
    ///
    /// # Errors
    /// When no sentinel runs, or nothing comes of it.
    pub fn failover(&self) -> Result<usize> {
        let from = self.primary()?;
        // One that comes to nothing is given up after this time, and may be asked for again.
        let one_try = self.failover_timeout + Duration::from_secs(2);
        for _ in 0..TRIES {
            self.begin_failover()?;
            if let Some(to) = patiently(one_try, || self.settled().filter(|at| *at != from)) {
                self.wait_until_ok()?;
                return Ok(to);
            }
        }
        Err(Error::new(format!("nothing takes over from node {from}")))
    }

    /// A sentinel refuses until it knows a replica that is fit, and while another failover is young.
    fn begin_failover(&self) -> Result<()> {
        let mut refused = Error::new("no sentinel runs");
        let begun = patiently(LIMIT, || {
            let asked = self.awake_sentinels().next()?.demand(&["SENTINEL", "FAILOVER", NAME]);
            asked.map_err(|why| refused = why).ok()
        });
        begun.map(drop).ok_or_else(|| Error::context("no failover")(refused))
    }

    /// Kills the primary and returns its place at once; the sentinels make a replica the primary
    /// within a few seconds, see [`wait_until_failed_over`](Self::wait_until_failed_over).
    ///
    /// # Errors
    /// When the sentinels do not name one.
    pub fn kill_primary(&mut self) -> Result<usize> {
        let at = self.primary()?;
        self.nodes.get_mut(at).into_iter().for_each(|node| node.kill());
        Ok(at)
    }

    /// Waits until all sentinels that run name another primary than the node at `old`, and it takes
    /// itself for one; returns its place.
    ///
    /// # Errors
    /// When they do not within a minute.
    pub fn wait_until_failed_over(&self, old: usize) -> Result<usize> {
        let new = patiently(LIMIT, || self.settled().filter(|at| *at != old));
        new.ok_or_else(|| Error::new(format!("nothing takes over from node {old}")))
    }

    /// Waits until all sentinels that run name the node at `expected` as the primary, and it takes
    /// itself for one.
    ///
    /// # Errors
    /// When they do not within a minute.
    pub fn wait_until_primary_is(&self, expected: usize) -> Result<()> {
        let named = patiently(LIMIT, || self.settled().filter(|at| *at == expected));
        named.map(drop).ok_or_else(|| Error::new(format!("node {expected} is not the primary")))
    }

    /// The primary that all sentinels name, if it knows that it is one.
    fn settled(&self) -> Option<usize> {
        let at = self.primary().ok()?;
        let node = self.nodes.get(at).filter(|node| node.is_awake())?;
        Replication::of(&mut node.connection().ok()?).ok()?.is_primary().then_some(at)
    }
}
