//! When a cluster is ok.

use super::view::{Line, Shape, View};
use super::{LIMIT, RedisCluster};
use crate::error::{Error, Result};
use crate::replication::Replication;
use crate::resp::Connection;
use crate::wait::patiently;

impl RedisCluster {
    /// Waits until the nodes that run are ok, and agree.
    ///
    /// They say `cluster_state:ok`; all of them see all of them, every slot served by one of them,
    /// and the same primaries and replicas; every replica is in sync with its primary. Nodes that
    /// were killed or paused are left out: their slots have to be taken over first.
    ///
    /// # Errors
    /// Says what was still missing after a minute.
    pub fn wait_until_ok(&self) -> Result<()> {
        let mut missing = Error::new("nothing was asked");
        let ok = patiently(LIMIT, || self.check().map_err(|why| missing = why).ok());
        ok.ok_or_else(|| Error::context("the cluster is not ok")(missing))
    }

    fn check(&self) -> Result<()> {
        let awake: Vec<usize> = self.awake().collect();
        let ids: Vec<&str> =
            awake.iter().map(|at| Ok(self.member(*at)?.1)).collect::<Result<_>>()?;
        let mut agreed = None;
        for at in awake {
            let (node, _) = self.member(at)?;
            let shape = check_node(&mut node.connection()?, &ids);
            let shape = shape.map_err(Error::context(format!("node {at}")))?;
            if agreed.get_or_insert_with(|| shape.clone()) != &shape {
                return Err(Error::new(format!("node {at} does not agree yet")));
            }
        }
        agreed.map(drop).ok_or_else(|| Error::new("no node runs"))
    }
}

fn check_node(node: &mut Connection, ids: &[&str]) -> Result<Shape> {
    let state = node.demand(&["CLUSTER", "INFO"])?.text().unwrap_or_default();
    if !state.lines().any(|line| line == "cluster_state:ok") {
        return Err(Error::new("its cluster_state is not ok"));
    }
    let view = View::of(node)?;
    let shape = view.shape(ids)?;
    let own = view.own()?;
    let follows = |line: &&Line| line.primary_id.as_ref() == Some(&own.id);
    let running = |line: &&Line| ids.contains(&line.id.as_str());
    let replicas = view.lines.iter().filter(follows).filter(running).count();
    let replication = Replication::of(node)?;
    let in_sync = if own.primary {
        replication.is_primary() && replication.online_replicas() >= replicas
    } else {
        replication.is_in_sync()
    };
    if in_sync { Ok(shape) } else { Err(Error::new("it is not in sync")) }
}
