//! The settings that nodes and sentinels start with.

use std::time::Duration;

use super::{NAME, RedisSentinels};
use crate::error::{Error, Result};
use crate::server::{Kind, RedisServer, RedisServerBuilder, start_all};
use crate::tls::Tls;

/// Short enough for a failover to take a few seconds, and longer than a node is kept waiting for
/// its turn on a busy machine.
const DOWN_AFTER: Duration = Duration::from_millis(1_000);
/// A failover that does not come about is begun again after twice this time.
const FAILOVER_TIMEOUT: Duration = Duration::from_secs(5);

/// The settings that [`RedisSentinels`] start with.
#[derive(Debug, Clone)]
pub struct RedisSentinelsBuilder {
    replicas: usize,
    sentinels: usize,
    down_after: Duration,
    failover_timeout: Duration,
    node: RedisServerBuilder,
    sentinel: RedisServerBuilder,
}

impl Default for RedisSentinelsBuilder {
    fn default() -> Self {
        Self {
            replicas: 2,
            sentinels: 3,
            down_after: DOWN_AFTER,
            failover_timeout: FAILOVER_TIMEOUT,
            node: RedisServer::builder().config("repl-diskless-sync-delay", "0"),
            sentinel: RedisServer::builder().kind(Kind::Sentinel),
        }
    }
}

impl RedisSentinelsBuilder {
    /// How many replicas the primary has; 2 by default.
    #[must_use]
    pub fn replicas(mut self, count: usize) -> Self {
        self.replicas = count;
        self
    }

    /// How many sentinels there are, more than half of which have to agree; 3 by default.
    #[must_use]
    pub fn sentinels(mut self, count: usize) -> Self {
        self.sentinels = count;
        self
    }

    /// How long a node may be silent before a sentinel takes it for failed; 1 s by default.
    #[must_use]
    pub fn down_after(mut self, silence: Duration) -> Self {
        self.down_after = silence;
        self
    }

    /// The sentinels' `failover-timeout`; 5 s by default.
    #[must_use]
    pub fn failover_timeout(mut self, timeout: Duration) -> Self {
        self.failover_timeout = timeout;
        self
    }

    /// The password of the nodes, among themselves too; without a `"` in it.
    #[must_use]
    pub fn password(mut self, password: &str) -> Self {
        self.node = self.node.password(password);
        self
    }

    /// The password of the sentinels, among themselves too; without a `"` in it.
    #[must_use]
    pub fn sentinel_password(mut self, password: &str) -> Self {
        let quoted = format!("\"{password}\"");
        self.sentinel = self.sentinel.password(password).config("sentinel sentinel-pass", quoted);
        self
    }

    /// Lets the nodes and the sentinels speak TLS, among themselves too.
    #[must_use]
    pub fn tls(mut self, tls: Tls) -> Self {
        self.node = self.node.tls(tls.clone());
        self.sentinel = self.sentinel.tls(tls);
        self
    }

    /// Gives each node, but no sentinel, a clock that the test can step, see
    /// [`SteppedClock`](crate::SteppedClock); they run.
    #[must_use]
    pub fn clock(mut self) -> Self {
        self.node = self.node.clock();
        self
    }

    /// Adds a line to every node's `redis.conf`, see [`RedisServerBuilder::config`].
    #[must_use]
    pub fn config(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.node = self.node.config(key, value);
        self
    }

    /// Starts all of them and waits until they are [ok](RedisSentinels::wait_until_ok).
    ///
    /// # Errors
    /// When no `redis-server` is found, or they do not become ok.
    pub fn start(self) -> Result<RedisSentinels> {
        if self.sentinels == 0 {
            return Err(Error::new("there has to be a sentinel"));
        }
        let primary = self.node.clone().start()?;
        let port = primary.port();
        let replica = self.node.clone().config("replicaof", format!("127.0.0.1 {port}"));
        let mut others = vec![replica; self.replicas];
        others.extend(vec![self.sentinel(port); self.sentinels]);
        let mut others = start_all(others)?;
        let sentinels = others.split_off(self.replicas);
        let nodes = std::iter::once(primary).chain(others).collect();
        let servers = RedisSentinels { nodes, sentinels, failover_timeout: self.failover_timeout };
        servers.hurry()?;
        servers.wait_until_ok()?;
        Ok(servers)
    }

    fn sentinel(&self, port: u16) -> RedisServerBuilder {
        let quorum = self.sentinels / 2 + 1;
        let milliseconds = |time: Duration| format!("{NAME} {}", time.as_millis());
        let sentinel = self
            .sentinel
            .clone()
            .config("sentinel monitor", format!("{NAME} 127.0.0.1 {port} {quorum}"))
            .config("sentinel down-after-milliseconds", milliseconds(self.down_after))
            .config("sentinel failover-timeout", milliseconds(self.failover_timeout))
            .config("sentinel parallel-syncs", format!("{NAME} {}", self.replicas.max(1)));
        match self.node.requirepass() {
            Some(password) => {
                sentinel.config("sentinel auth-pass", format!("{NAME} \"{password}\""))
            }
            None => sentinel,
        }
    }
}
