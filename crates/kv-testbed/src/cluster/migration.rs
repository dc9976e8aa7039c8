//! Slots on their way from one node to another.

use super::RedisCluster;
use crate::error::{Error, Result};
use crate::resp::{Connection, Reply};

/// Keys that one `MIGRATE` carries.
const BATCH: &str = "100";
const MIGRATE_LIMIT_MS: &str = "5000";

/// A slot in the middle of its move, and as many of its keys moved as the test asked for.
///
/// Meanwhile the old node answers for the keys that it still holds and says `ASK` for the others;
/// the new node answers after `ASKING` only. A command with several keys of which some have moved
/// gets `TRYAGAIN`. Dropping this value leaves the slot as it is.
#[derive(Debug)]
#[must_use = "the slot stays where it is until finish"]
pub struct SlotMigration<'a> {
    cluster: &'a RedisCluster,
    slot: String,
    source: usize,
    target: usize,
    /// To the source.
    connection: Connection,
}

impl RedisCluster {
    /// Begins to move a slot: marks it `IMPORTING` on the node at `target` and `MIGRATING` on the
    /// one that serves it.
    ///
    /// # Errors
    /// When a node refuses, as the one does that serves the slot already.
    pub fn begin_move(&self, slot: u16, target: usize) -> Result<SlotMigration<'_>> {
        let source = self.primary_of(slot)?;
        let ((node, from), (_, to)) = (self.member(source)?, self.member(target)?);
        let (connection, slot) = (node.connection()?, slot.to_string());
        self.tell(target, &["CLUSTER", "SETSLOT", &slot, "IMPORTING", from])?;
        self.tell(source, &["CLUSTER", "SETSLOT", &slot, "MIGRATING", to])?;
        Ok(SlotMigration { cluster: self, slot, source, target, connection })
    }

    /// Moves a slot with its keys and returns how many it had; its clients may go on meanwhile.
    ///
    /// # Errors
    /// When a node refuses.
    pub fn move_slot(&self, slot: u16, target: usize) -> Result<usize> {
        self.begin_move(slot, target)?.finish()
    }

    /// Moves slots with their keys, one after the other, and returns how many keys they had.
    ///
    /// # Errors
    /// When a node refuses; the slots before it have moved.
    pub fn reshard(&self, slots: impl IntoIterator<Item = u16>, target: usize) -> Result<usize> {
        slots.into_iter().map(|slot| self.move_slot(slot, target)).sum()
    }
}

impl SlotMigration<'_> {
    /// The place of the node that has served the slot.
    pub fn source(&self) -> usize {
        self.source
    }

    /// The place of the node that is to serve it.
    pub fn target(&self) -> usize {
        self.target
    }

    /// Moves these keys; one that does not exist is left out.
    ///
    /// # Errors
    /// When `MIGRATE` fails.
    pub fn move_keys<K: AsRef<[u8]>>(&mut self, keys: &[K]) -> Result<()> {
        let (target, _) = self.cluster.member(self.target)?;
        let port = target.port().to_string();
        let mut command: Vec<&[u8]> = vec![b"MIGRATE", b"127.0.0.1", port.as_bytes(), b"", b"0"];
        command.push(MIGRATE_LIMIT_MS.as_bytes());
        if let Some(password) = target.password() {
            command.extend([b"AUTH", password.as_bytes()]);
        }
        command.push(b"KEYS");
        command.extend(keys.iter().map(AsRef::as_ref));
        self.connection.demand(&command).map(drop)
    }

    /// Some of the keys that have not moved, a hundred at most; empty when all have.
    ///
    /// # Errors
    /// When the old node does not answer.
    pub fn keys_left(&mut self) -> Result<Vec<Vec<u8>>> {
        let reply = self.connection.demand(&["CLUSTER", "GETKEYSINSLOT", &self.slot, BATCH])?;
        let Reply::Array(keys) = reply else { return Err(Error::new("no array of keys")) };
        let bytes = |key| if let Reply::Bulk(bytes) = key { Some(bytes) } else { None };
        Ok(keys.into_iter().filter_map(bytes).collect())
    }

    /// Moves the keys that are left, tells every primary that the slot has moved, and returns how
    /// many keys were left.
    ///
    /// # Errors
    /// When a node refuses.
    pub fn finish(mut self) -> Result<usize> {
        let mut moved = 0;
        loop {
            let keys = self.keys_left()?;
            if keys.is_empty() {
                break;
            }
            self.move_keys(&keys)?;
            moved += keys.len();
        }
        let (_, id) = self.cluster.member(self.target)?;
        let others = self.cluster.primaries()?.into_iter().filter(|at| *at != self.target);
        // The new owner first: from then on it alone takes new keys.
        for at in std::iter::once(self.target).chain(others) {
            self.cluster.tell(at, &["CLUSTER", "SETSLOT", &self.slot, "NODE", id])?;
        }
        Ok(moved)
    }

    /// Leaves the slot where it was; keys that have moved are out of reach until it moves again.
    ///
    /// # Errors
    /// When a node refuses.
    pub fn cancel(self) -> Result<()> {
        let stable = |at| self.cluster.tell(at, &["CLUSTER", "SETSLOT", &self.slot, "STABLE"]);
        stable(self.source).and_then(|()| stable(self.target))
    }
}
