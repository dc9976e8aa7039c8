//! A real Redis Cluster of one test's own.

mod builder;
mod change;
mod form;
mod migration;
mod ready;
mod slot;
mod view;

use std::time::Duration;

pub use self::builder::RedisClusterBuilder;
pub use self::migration::SlotMigration;
pub use self::slot::{SLOTS, slot_of};
use self::view::View;
use crate::error::{Error, Result};
use crate::resp::Reply;
use crate::server::{RedisServer, RedisServerBuilder};

/// What takes longest is a failover of nodes that share two cores with other tests.
const LIMIT: Duration = Duration::from_secs(120);

/// A real Redis Cluster on free ports of 127.0.0.1: three primaries and three replicas, unless the
/// builder says otherwise.
///
/// Each node is a [`RedisServer`], and goes as one goes when this value is dropped or the test's
/// process dies. Nodes are told apart by their place in [`nodes`](Self::nodes), which stays the
/// same whatever a node becomes or does; at the start the primaries come first, and the replica at
/// `primaries + n` follows the primary at `n`. Slots are shared out evenly, in that order.
///
/// What waits, waits at most a minute.
///
/// ```no_run
/// use kv_testbed::{RedisCluster, slot_of};
/// let mut cluster = RedisCluster::start()?;
/// let killed = cluster.kill_primary(slot_of("user:7"))?;
/// cluster.wait_until_ok()?;
/// assert_ne!(cluster.primary_of(slot_of("user:7"))?, killed);
/// cluster.nodes_mut()[killed].restart()?;
/// # kv_testbed::Result::Ok(())
/// ```
#[derive(Debug)]
pub struct RedisCluster {
    nodes: Vec<RedisServer>,
    /// The names by which the nodes at the same places know each other.
    ids: Vec<String>,
    /// What a further node starts with.
    node: RedisServerBuilder,
}

impl RedisCluster {
    /// Starts a cluster with the defaults and waits until it is [ok](Self::wait_until_ok).
    ///
    /// # Errors
    /// When no `redis-server` is found, or the cluster does not become ok.
    pub fn start() -> Result<Self> {
        Self::builder().start()
    }

    /// A cluster with settings of its own.
    pub fn builder() -> RedisClusterBuilder {
        RedisClusterBuilder::default()
    }

    /// All nodes, those that were killed included.
    pub fn nodes(&self) -> &[RedisServer] {
        &self.nodes
    }

    /// All nodes, to kill or restart one.
    pub fn nodes_mut(&mut self) -> &mut [RedisServer] {
        &mut self.nodes
    }

    /// The ports of the clients, in the order of [`nodes`](Self::nodes).
    pub fn ports(&self) -> Vec<u16> {
        self.nodes.iter().map(RedisServer::port).collect()
    }

    /// The places of the nodes that run and take themselves for primaries.
    ///
    /// # Errors
    /// When a node does not answer.
    pub fn primaries(&self) -> Result<Vec<usize>> {
        let own = self.own_lines()?;
        Ok(own.iter().filter(|(_, line)| line.primary).map(|(at, _)| *at).collect())
    }

    /// The place of the node that serves a slot: of several that claim it, the latest elected.
    ///
    /// # Errors
    /// When no running node serves it, or a node does not answer.
    pub fn primary_of(&self, slot: u16) -> Result<usize> {
        let own = self.own_lines()?;
        let claims = own.iter().filter(|(_, line)| line.serves(slot));
        let latest = claims.max_by_key(|(_, line)| line.epoch).map(|(at, _)| *at);
        latest.ok_or_else(|| Error::new(format!("no running node serves slot {slot}")))
    }

    /// The places of the running replicas of the node at `primary`, by its own account.
    ///
    /// # Errors
    /// When that node does not answer.
    pub fn replicas_of(&self, primary: usize) -> Result<Vec<usize>> {
        let (node, id) = self.member(primary)?;
        let view = View::of(&mut node.connection()?)?;
        let of = |line: &view::Line| line.primary_id.as_deref() == Some(id);
        let replicas = view.lines.iter().filter(|line| of(line));
        let places = replicas.filter_map(|line| self.place(&line.id));
        Ok(places.filter(|at| self.awake().any(|awake| awake == *at)).collect())
    }

    /// The slots that the node at `primary` serves, by its own account.
    ///
    /// # Errors
    /// When that node does not answer.
    pub fn slots_of(&self, primary: usize) -> Result<Vec<u16>> {
        let (node, _) = self.member(primary)?;
        let own = View::of(&mut node.connection()?)?.own()?;
        Ok(own.slots.into_iter().flatten().collect())
    }

    /// Sends one command to the node that serves a key's slot, and on to the other one (`ASKING`)
    /// where the slot is on its way and the key has moved.
    ///
    /// # Errors
    /// When no running node serves the slot, or the node does not answer within ten seconds.
    pub fn command<A: AsRef<[u8]>>(&self, key: &str, arguments: &[A]) -> Result<Reply> {
        let slot = slot_of(key);
        let mut connection = self.member(self.primary_of(slot)?)?.0.connection()?;
        let reply = connection.command(arguments)?;
        if !matches!(&reply, Reply::Error(text) if text.starts_with("ASK ")) {
            return Ok(reply);
        }
        let leaving = View::of(&mut connection)?.own()?.leaving;
        let to = leaving.iter().find(|(leaves, _)| *leaves == slot).map(|(_, id)| id);
        let at = to.and_then(|to| self.place(to));
        let at = at.ok_or_else(|| Error::new(format!("slot {slot} has just moved")))?;
        let mut connection = self.member(at)?.0.connection()?;
        connection.demand(&["ASKING"])?;
        connection.command(arguments)
    }

    /// What each node that runs says of itself.
    fn own_lines(&self) -> Result<Vec<(usize, view::Line)>> {
        let own = |at: usize| Ok((at, View::of(&mut self.member(at)?.0.connection()?)?.own()?));
        self.awake().map(own).collect()
    }

    /// The places of the nodes that run and are not suspended.
    fn awake(&self) -> impl Iterator<Item = usize> {
        let nodes = self.nodes.iter().enumerate();
        nodes.filter(|(_, node)| node.is_awake()).map(|(at, _)| at)
    }

    fn member(&self, at: usize) -> Result<(&RedisServer, &str)> {
        let member = self.nodes.get(at).zip(self.ids.get(at));
        let member = member.map(|(node, id)| (node, id.as_str()));
        member.ok_or_else(|| Error::new(format!("the cluster has no node at {at}")))
    }

    fn place(&self, id: &str) -> Option<usize> {
        self.ids.iter().position(|known| known == id)
    }
}
