//! A primary and its replicas under real Sentinels.

mod builder;
mod change;
mod ready;

use std::time::Duration;

pub use self::builder::RedisSentinelsBuilder;
use crate::error::{Error, Result};
use crate::resp::Reply;
use crate::server::RedisServer;

/// The name of the primary that the sentinels watch.
const NAME: &str = "kv-primary";
/// What takes longest is a failover that the sentinels have to begin again.
const LIMIT: Duration = Duration::from_secs(120);

/// A primary and two replicas under three sentinels, unless the builder says otherwise, all on free
/// ports of 127.0.0.1.
///
/// Each of them is a [`RedisServer`], and goes as one goes when this value is dropped or the test's
/// process dies. They are told apart by their places in [`nodes`](Self::nodes) and
/// [`sentinels`](Self::sentinels), which stay the same whatever a node becomes; at the start the
/// primary is at 0. What waits, waits at most a minute.
///
/// ```no_run
/// use kv_testbed::RedisSentinels;
/// let mut servers = RedisSentinels::start()?;
/// let killed = servers.kill_primary()?;
/// assert_ne!(servers.wait_until_failed_over(killed)?, killed);
/// servers.nodes_mut()[killed].restart()?;
/// servers.wait_until_ok()?;
/// # kv_testbed::Result::Ok(())
/// ```
#[derive(Debug)]
pub struct RedisSentinels {
    nodes: Vec<RedisServer>,
    sentinels: Vec<RedisServer>,
    failover_timeout: Duration,
}

impl RedisSentinels {
    /// Starts all of them with the defaults and waits until they are [ok](Self::wait_until_ok).
    ///
    /// # Errors
    /// When no `redis-server` is found, or they do not become ok.
    pub fn start() -> Result<Self> {
        Self::builder().start()
    }

    /// Nodes and sentinels with settings of their own.
    pub fn builder() -> RedisSentinelsBuilder {
        RedisSentinelsBuilder::default()
    }

    /// The name under which the sentinels know the primary.
    pub fn master_name(&self) -> &'static str {
        NAME
    }

    /// The primary and its replicas, those that were killed included.
    pub fn nodes(&self) -> &[RedisServer] {
        &self.nodes
    }

    /// The primary and its replicas, to kill or restart one.
    pub fn nodes_mut(&mut self) -> &mut [RedisServer] {
        &mut self.nodes
    }

    /// The sentinels, those that were killed included.
    pub fn sentinels(&self) -> &[RedisServer] {
        &self.sentinels
    }

    /// The sentinels, to kill or restart one.
    pub fn sentinels_mut(&mut self) -> &mut [RedisServer] {
        &mut self.sentinels
    }

    /// The ports of the sentinels.
    pub fn sentinel_ports(&self) -> Vec<u16> {
        self.sentinels.iter().map(RedisServer::port).collect()
    }

    /// The place of the primary, as the sentinels that run tell it.
    ///
    /// # Errors
    /// When they do not agree, or none of them answers.
    pub fn primary(&self) -> Result<usize> {
        let mut agreed = None;
        for sentinel in self.awake_sentinels() {
            let port = primary_port(sentinel)?;
            if *agreed.get_or_insert(port) != port {
                return Err(Error::new("the sentinels do not agree on the primary"));
            }
        }
        let port = agreed.ok_or_else(|| Error::new("no sentinel runs"))?;
        let place = self.nodes.iter().position(|node| node.port() == port);
        place.ok_or_else(|| Error::new(format!("the sentinels name port {port}, which is no node")))
    }

    fn awake_sentinels(&self) -> impl Iterator<Item = &RedisServer> {
        self.sentinels.iter().filter(|sentinel| sentinel.is_awake())
    }
}

fn primary_port(sentinel: &RedisServer) -> Result<u16> {
    let reply = sentinel.demand(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME])?;
    let port = match &reply {
        Reply::Array(parts) => parts.get(1).and_then(Reply::text),
        _ => None,
    };
    let port = port.and_then(|port| port.parse().ok());
    port.ok_or_else(|| Error::new(format!("a sentinel names {reply:?} as the primary")))
}
