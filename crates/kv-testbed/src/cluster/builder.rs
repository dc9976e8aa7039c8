//! The settings a cluster starts with.

use std::time::Duration;

use super::RedisCluster;
use crate::error::{Error, Result};
use crate::server::{Kind, RedisServer, RedisServerBuilder, start_all};
use crate::tls::Tls;

/// Short enough for a failover to take a few seconds, and longer than a node is kept waiting for
/// its turn on a busy machine.
const NODE_TIMEOUT: Duration = Duration::from_millis(1_500);

/// The settings a [`RedisCluster`] starts with.
#[derive(Debug, Clone)]
pub struct RedisClusterBuilder {
    primaries: usize,
    replicas: usize,
    node: RedisServerBuilder,
}

impl Default for RedisClusterBuilder {
    /// A replica takes over however long it was cut off, and nodes keep the part that a test gave
    /// them: none follows another primary by itself.
    fn default() -> Self {
        let node = RedisServer::builder()
            .kind(Kind::ClusterNode)
            .config("cluster-config-file", "nodes.conf")
            .config("cluster-replica-validity-factor", "0")
            .config("cluster-allow-replica-migration", "no")
            .config("repl-diskless-sync-delay", "0");
        Self { primaries: 3, replicas: 1, node }.node_timeout(NODE_TIMEOUT)
    }
}

impl RedisClusterBuilder {
    /// How many primaries share the slots; 3 by default. With fewer than three running, no other
    /// node takes over from one that fails.
    #[must_use]
    pub fn primaries(mut self, count: usize) -> Self {
        self.primaries = count;
        self
    }

    /// How many replicas each primary has; 1 by default.
    #[must_use]
    pub fn replicas(mut self, count: usize) -> Self {
        self.replicas = count;
        self
    }

    /// How long a node may be silent before the others take it for failed; 1.5 s by default.
    #[must_use]
    pub fn node_timeout(self, timeout: Duration) -> Self {
        self.config("cluster-node-timeout", timeout.as_millis().to_string())
    }

    /// Whether nodes refuse everything while some slots are not served; they do by default.
    #[must_use]
    pub fn full_coverage(self, required: bool) -> Self {
        self.config("cluster-require-full-coverage", if required { "yes" } else { "no" })
    }

    /// The password of all nodes, among themselves too; without a `"` in it.
    #[must_use]
    pub fn password(mut self, password: &str) -> Self {
        self.node = self.node.password(password);
        self
    }

    /// Lets the nodes speak TLS, among themselves too.
    #[must_use]
    pub fn tls(mut self, tls: Tls) -> Self {
        self.node = self.node.tls(tls);
        self
    }

    /// Gives each node a clock that the test can step, see [`SteppedClock`](crate::SteppedClock);
    /// they run. A step takes its time out of every timeout among the nodes: let
    /// [`node_timeout`](Self::node_timeout) be longer than all steps together.
    #[must_use]
    pub fn clock(mut self) -> Self {
        self.node = self.node.clock();
        self
    }

    /// Adds a line to every `redis.conf`, see [`RedisServerBuilder::config`].
    #[must_use]
    pub fn config(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.node = self.node.config(key, value);
        self
    }

    /// Starts the nodes, makes them a cluster and waits until it is
    /// [ok](RedisCluster::wait_until_ok).
    ///
    /// # Errors
    /// When no `redis-server` is found, or the cluster does not become ok.
    pub fn start(self) -> Result<RedisCluster> {
        if self.primaries == 0 {
            return Err(Error::new("a cluster needs a primary"));
        }
        let count = self.primaries * (1 + self.replicas);
        let nodes = start_all(vec![self.node.clone(); count])?;
        let id = |node: &RedisServer| node.demand_text(&["CLUSTER", "MYID"]);
        let ids = nodes.iter().map(id).collect::<Result<_>>()?;
        let cluster = RedisCluster { nodes, ids, node: self.node };
        cluster.form(self.primaries)?;
        cluster.wait_until_ok()?;
        Ok(cluster)
    }
}
