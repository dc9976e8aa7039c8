//! When nodes and sentinels are ok.

use super::{LIMIT, NAME, RedisSentinels};
use crate::error::{Error, Result};
use crate::replication::Replication;
use crate::resp::Reply;
use crate::server::RedisServer;
use crate::wait::patiently;

/// How often a sentinel looks and tells, in milliseconds: its own times are seconds, up to ten.
///
/// The sentinel that leads a failover asks the new primary once a second whether it is one, and the
/// others turn a new primary that nobody told them of into a replica again after four times
/// `PUBLISH-PERIOD`, which undoes the failover where that is less.
const PERIODS: [&str; 8] =
    ["INFO-PERIOD", "500", "PUBLISH-PERIOD", "750", "ASK-PERIOD", "300", "PING-PERIOD", "300"];

impl RedisSentinels {
    /// Waits until those that run know and follow each other.
    ///
    /// The sentinels that run name the same primary, which runs; each of them knows as many
    /// replicas in good order as run, and all other sentinels that run; every replica is in sync
    /// with that primary. Servers that were killed or paused are left out.
    ///
    /// # Errors
    /// Says what was still missing after a minute.
    pub fn wait_until_ok(&self) -> Result<()> {
        let mut missing = Error::new("nothing was asked");
        let ok = patiently(LIMIT, || self.check().map_err(|why| missing = why).ok());
        ok.ok_or_else(|| Error::context("the servers under the sentinels are not ok")(missing))
    }

    /// Lets the sentinels look, and tell each other, more often than they do by themselves.
    pub(super) fn hurry(&self) -> Result<()> {
        let debug = [&["SENTINEL", "DEBUG"][..], &PERIODS].concat();
        self.awake_sentinels().try_for_each(|sentinel| sentinel.demand(&debug).map(drop))
    }

    fn check(&self) -> Result<()> {
        let primary = self.primary()?;
        let awake = || self.nodes.iter().enumerate().filter(|(_, node)| node.is_awake());
        if !awake().any(|(at, _)| at == primary) {
            return Err(Error::new(format!("node {primary}, the primary, does not run")));
        }
        let port = self.nodes.get(primary).map(RedisServer::port).unwrap_or_default();
        for (at, node) in awake() {
            let expected = if at == primary { None } else { Some(port) };
            check_node(node, expected).map_err(Error::context(format!("node {at}")))?;
        }
        let counts = (awake().count() - 1, self.awake_sentinels().count() - 1);
        self.awake_sentinels().try_for_each(|sentinel| check_sentinel(sentinel, counts))
    }
}

/// A replica follows the primary at a port; the primary follows nobody.
fn check_node(node: &RedisServer, primary: Option<u16>) -> Result<()> {
    let replication = Replication::of(&mut node.connection()?)?;
    let right = match primary {
        None => replication.is_primary(),
        Some(port) => replication.follows(port) && replication.is_in_sync(),
    };
    if right { Ok(()) } else { Err(Error::new("it is not in sync")) }
}

fn check_sentinel(sentinel: &RedisServer, counts: (usize, usize)) -> Result<()> {
    let flags = field(&sentinel.demand(&["SENTINEL", "MASTER", NAME])?, "flags");
    if flags.as_deref() != Some("master") {
        return Err(Error::new(format!("a sentinel says of the primary: {flags:?}")));
    }
    let (replicas, sentinels) = (in_order(sentinel, "REPLICAS")?, in_order(sentinel, "SENTINELS")?);
    if (replicas, sentinels) == counts {
        return Ok(());
    }
    let port = sentinel.port();
    Err(Error::new(format!(
        "the sentinel on port {port} knows {replicas} replicas and {sentinels} other sentinels"
    )))
}

/// How many of the primary's replicas, or of the other sentinels, have no fault, and are what the
/// sentinel takes them for.
fn in_order(sentinel: &RedisServer, what: &str) -> Result<usize> {
    let Reply::Array(entries) = sentinel.demand(&["SENTINEL", what, NAME])? else {
        return Err(Error::new(format!("SENTINEL {what} is no array")));
    };
    let good = |entry: &&Reply| {
        let is = |name: &str, value: &str| field(entry, name).is_none_or(|said| said == value);
        let kind = if what == "REPLICAS" { "slave" } else { "sentinel" };
        is("flags", kind) && is("role-reported", kind) && is("master-link-status", "ok")
    };
    Ok(entries.iter().filter(good).count())
}

/// A field of a list of names and values.
fn field(entry: &Reply, name: &str) -> Option<String> {
    let Reply::Array(fields) = entry else { return None };
    let named = |pair: &&[Reply]| pair.first().and_then(Reply::text).as_deref() == Some(name);
    fields.chunks(2).find(named)?.get(1)?.text()
}
