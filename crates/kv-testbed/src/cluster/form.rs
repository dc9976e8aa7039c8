//! Makes a cluster of nodes that do not know each other yet.

use super::{LIMIT, RedisCluster, SLOTS};
use crate::error::{Error, Result};
use crate::wait::patiently;

impl RedisCluster {
    /// The first nodes become primaries with as many slots each; the others follow them in turn.
    pub(super) fn form(&self, primaries: usize) -> Result<()> {
        for at in 0..self.nodes.len() {
            // Epochs that differ from the start need no settling.
            self.tell(at, &["CLUSTER", "SET-CONFIG-EPOCH", &(at + 1).to_string()])?;
            if at < primaries {
                let (first, last) = (share(at, primaries)?, share(at + 1, primaries)? - 1);
                self.tell(
                    at,
                    &["CLUSTER", "ADDSLOTSRANGE", &first.to_string(), &last.to_string()],
                )?;
            }
            // All of them meet, since it is slower when they hear of each other.
            (0..at).try_for_each(|earlier| self.introduce(earlier, at))?;
        }
        (primaries..self.nodes.len()).try_for_each(|at| self.follow(at, at % primaries))
    }

    pub(super) fn introduce(&self, one: usize, other: usize) -> Result<()> {
        let (node, _) = self.member(other)?;
        let (port, bus) =
            (node.port().to_string(), node.bus_port().unwrap_or_default().to_string());
        self.tell(one, &["CLUSTER", "MEET", "127.0.0.1", &port, &bus])
    }

    /// Makes the empty node at `replica` a replica, once it knows its primary.
    pub(super) fn follow(&self, replica: usize, primary: usize) -> Result<()> {
        let (_, id) = self.member(primary)?;
        let mut refused = Error::new("nothing was asked");
        let follows = patiently(LIMIT, || {
            self.tell(replica, &["CLUSTER", "REPLICATE", id]).map_err(|why| refused = why).ok()
        });
        follows.ok_or_else(|| Error::context(format!("node {replica} does not follow"))(refused))
    }

    /// Sends a command whose reply says no more than that it was done.
    pub(super) fn tell(&self, at: usize, arguments: &[&str]) -> Result<()> {
        self.member(at)?.0.demand(arguments).map(drop)
    }
}

/// The first slot of the primary at `at`, of `count`.
fn share(at: usize, count: usize) -> Result<u16> {
    u16::try_from(usize::from(SLOTS) * at / count).map_err(Error::context("too many primaries"))
}
