//! What a node says of its replication.

use crate::error::Result;
use crate::resp::Connection;

/// What it answers to `INFO replication`.
#[derive(Debug)]
pub(crate) struct Replication(String);

impl Replication {
    pub(crate) fn of(node: &mut Connection) -> Result<Self> {
        Ok(Self(node.demand(&["INFO", "replication"])?.text().unwrap_or_default()))
    }

    pub(crate) fn is_primary(&self) -> bool {
        self.says("role:master")
    }

    /// Whether it is a replica of the node at this port.
    pub(crate) fn follows(&self, port: u16) -> bool {
        self.says(&format!("master_port:{port}"))
    }

    /// Whether it is a replica that has all data of its primary and hears of what changes.
    pub(crate) fn is_in_sync(&self) -> bool {
        self.says("master_link_status:up") && self.says("master_sync_in_progress:0")
    }

    /// How many replicas hear of what changes in this primary.
    pub(crate) fn online_replicas(&self) -> usize {
        self.0.lines().filter(|line| line.contains("state=online")).count()
    }

    fn says(&self, line: &str) -> bool {
        self.0.lines().any(|said| said == line)
    }
}
