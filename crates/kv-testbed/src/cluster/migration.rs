//! Slots on their way from one node to another.

use std::collections::BTreeMap;

use super::view::View;
use super::{LIMIT, RedisCluster};
use crate::error::{Error, Result};
use crate::resp::{Connection, Reply};
use crate::wait::eventually;

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

    /// Waits until the nodes that run know each other's epochs. Who takes a slot has to have a later one
    /// than all before it, or a message that is still on its way takes the slot back.
    fn settle(&self) -> Result<()> {
        let settled = || self.agreed_epochs().ok().filter(|agreed| *agreed).map(drop);
        let settled = eventually(LIMIT, settled);
        settled.ok_or_else(|| Error::new("the nodes do not hear of each other's epochs"))
    }

    fn agreed_epochs(&self) -> Result<bool> {
        let epochs = |at: usize| {
            let view = View::of(&mut self.member(at)?.0.connection()?)?;
            let epochs = view.lines.into_iter().map(|line| (line.id, line.epoch));
            let runs = |id: &str| self.awake().any(|at| self.place(id) == Some(at));
            Ok(epochs.filter(|(id, _)| runs(id)).collect::<BTreeMap<_, _>>())
        };
        let epochs: Vec<_> = self.awake().map(epochs).collect::<Result<_>>()?;
        Ok(epochs.windows(2).all(|pair| pair[0] == pair[1]))
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
        self.cluster.settle()?;
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
