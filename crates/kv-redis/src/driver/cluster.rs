//! The parts of a call that only a Cluster needs: several servers with keys, and slots that move.

use futures_util::future::join_all;
use kv_core::{Error, Result};

use super::attempt::Attempt;
use super::topology::Discovered;
use super::{Answer, Driver, Request, error};
use crate::config::Address;

/// A store's servers as a Cluster.
pub(crate) struct Cluster<'a> {
    pub(super) driver: &'a Driver,
    pub(super) found: &'a Discovered,
}

impl Cluster<'_> {
    /// All servers with slots, in the order of their addresses, even servers that cannot be reached
    /// now.
    pub(crate) fn servers(&self) -> Vec<Address> {
        self.found.places()
    }

    /// A digest of which server has which slots.
    pub(crate) fn digest(&self) -> u64 {
        self.found.digest()
    }

    /// Sends a request to one of the servers.
    pub(crate) async fn call_at(&self, server: &Address, request: Request) -> Result<Answer> {
        self.driver.check_open()?;
        let node = self.found.at(server).ok_or_else(|| {
            self.found.refresh_soon();
            error::unreachable(&server.to_string())
        })?;
        self.driver.one(Attempt::to(self.driver, request, &node), self.driver.timeout).await
    }

    /// Whether a slot has moved since the digest, may have moved, or is about to move.
    pub(crate) async fn has_moved(&self, digest: u64) -> Result<bool> {
        self.found.look().await?;
        if self.found.digest() != digest {
            return Ok(true);
        }
        let servers = self.servers();
        let views = servers.iter().map(|server| self.call_at(server, Request::ClusterNodes));
        for view in join_all(views).await {
            let Answer::Data(view) = view? else { return Err(unreadable()) };
            if is_moving(&String::from_utf8_lossy(&view)) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Whether a node's own line of CLUSTER NODES names a slot that is being moved: `[93-<-…]`.
fn is_moving(nodes: &str) -> bool {
    let own = nodes.lines().filter(|line| line.contains("myself"));
    own.flat_map(str::split_whitespace).any(|word| word.starts_with('['))
}

fn unreadable() -> Error {
    Error::new(kv_core::ErrorKind::Backend, "a node tells of its cluster in an unexpected shape")
}

#[cfg(test)]
mod tests {
    use super::is_moving;

    #[test]
    fn only_a_slot_in_the_nodes_own_line_is_moving() {
        let line = |flags: &str, rest: &str| {
            format!("07c37df 127.0.0.1:1@2 {flags} - 0 1426238317239 4 connected 0-5460 {rest}\n")
        };
        assert!(is_moving(&line("myself,master", "[77->-67ed2db]")));
        assert!(!is_moving(&line("myself,master", "")));
        assert!(!is_moving(&line("master", "[77->-67ed2db]")));
    }
}
