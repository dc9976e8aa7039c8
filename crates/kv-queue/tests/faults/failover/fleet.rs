//! The servers, and what is done to them.

use std::time::Duration;

use fastrand::Rng;
use kv_core::Store;
use kv_redis::{RedisConfig, RedisStore};
use kv_testbed::{RedisCluster, RedisSentinels, RedisServer, Reply, SLOTS, slot_of};

use super::plan::{Fault, Slots};

/// How many slots move from one primary before the next one gives some away.
const CHUNK: usize = 128;

/// How long a slot with keys stays half moved: its keys are in two places then.
const HALF_MOVED: Duration = Duration::from_millis(50);

/// Servers that fail over.
pub(super) enum Fleet {
    Cluster(RedisCluster),
    Sentinels(RedisSentinels),
}

impl Fleet {
    pub(super) async fn store(&self) -> Store {
        let local = |port: u16| format!("127.0.0.1:{port}");
        let config = match self {
            Self::Cluster(cluster) => {
                RedisConfig::builder().cluster(cluster.ports().into_iter().map(local))
            }
            Self::Sentinels(servers) => {
                let nodes = servers.sentinel_ports().into_iter().map(local);
                RedisConfig::builder().sentinel(servers.master_name(), nodes)
            }
        };
        Store::new(RedisStore::connect(config.build().unwrap()).await.unwrap())
    }

    /// The servers that have the data.
    pub(super) fn primaries(&self) -> Vec<&RedisServer> {
        match self {
            Self::Cluster(cluster) => {
                let primaries = cluster.primaries().unwrap();
                primaries.into_iter().map(|at| &cluster.nodes()[at]).collect()
            }
            Self::Sentinels(servers) => vec![&servers.nodes()[servers.primary().unwrap()]],
        }
    }

    /// Whether a write that was acknowledged may be gone after a fault.
    ///
    /// A Cluster's primary hands over when its replica has everything. Sentinels promote a replica
    /// and tell the old primary later, which takes writes meanwhile.
    pub(super) const fn may_lose(&self, fault: Fault) -> bool {
        match fault {
            Fault::Kill => true,
            Fault::HandOver => matches!(self, Self::Sentinels(_)),
            Fault::Reshard(_) => false,
        }
    }

    /// Does it, and returns when the servers are ok; which one was killed.
    pub(super) fn strike(&mut self, fault: Fault, rng: &mut Rng) -> Option<usize> {
        match (self, fault) {
            (Self::Cluster(cluster), Fault::HandOver) => {
                cluster.failover(rng.u16(..SLOTS)).unwrap();
                None
            }
            (Self::Cluster(cluster), Fault::Kill) => {
                let killed = cluster.kill_primary(rng.u16(..SLOTS)).unwrap();
                cluster.wait_until_ok().unwrap();
                Some(killed)
            }
            (Self::Cluster(cluster), Fault::Reshard(slots)) => {
                reshard(cluster, slots);
                None
            }
            (Self::Sentinels(servers), Fault::Kill) => {
                let killed = servers.kill_primary().unwrap();
                servers.wait_until_failed_over(killed).unwrap();
                servers.wait_until_ok().unwrap();
                Some(killed)
            }
            (Self::Sentinels(servers), Fault::HandOver | Fault::Reshard(_)) => {
                servers.failover().unwrap();
                None
            }
        }
    }

    /// Starts again what was killed, as a replica.
    pub(super) fn restart(&mut self, killed: usize) {
        match self {
            Self::Cluster(cluster) => {
                cluster.nodes_mut()[killed].restart().unwrap();
                cluster.wait_until_ok().unwrap();
            }
            Self::Sentinels(servers) => {
                servers.nodes_mut()[killed].restart().unwrap();
                servers.wait_until_ok().unwrap();
            }
        }
    }
}

/// Moves the slots of each primary to the next one, in chunks.
fn reshard(cluster: &RedisCluster, slots: Slots) {
    let primaries = cluster.primaries().unwrap();
    let mut leaving = Vec::new();
    for (at, primary) in primaries.iter().enumerate() {
        let next = primaries[(at + 1) % primaries.len()];
        let occupied = occupied(&cluster.nodes()[*primary]);
        let mut slots_of = cluster.slots_of(*primary).unwrap();
        if slots == Slots::Occupied {
            slots_of.retain(|slot| occupied.contains(slot));
        }
        let moves = slots_of.into_iter().map(|slot| (slot, next, occupied.contains(&slot)));
        leaving.push(moves.collect::<Vec<_>>());
    }
    while leaving.iter().any(|moves| !moves.is_empty()) {
        for moves in &mut leaving {
            let rest = moves.split_off(moves.len().min(CHUNK));
            for (slot, to, has_keys) in std::mem::replace(moves, rest) {
                move_slot(cluster, slot, to, has_keys);
            }
        }
    }
    cluster.wait_until_ok().unwrap();
}

fn move_slot(cluster: &RedisCluster, slot: u16, to: usize, has_keys: bool) {
    let mut migration = cluster.begin_move(slot, to).unwrap();
    if has_keys {
        let keys = migration.keys_left().unwrap();
        migration.move_keys(&keys[..keys.len().div_ceil(2)]).unwrap();
        // A long move itself, not a wait for something.
        std::thread::park_timeout(HALF_MOVED);
    }
    migration.finish().unwrap();
}

/// The slots of a server that have keys.
fn occupied(server: &RedisServer) -> Vec<u16> {
    let Reply::Array(keys) = server.cli(&["KEYS", "*"]).unwrap() else { panic!("no array") };
    keys.iter().filter_map(Reply::text).map(slot_of).collect()
}
