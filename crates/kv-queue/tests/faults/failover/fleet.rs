//! The servers, and what is done to them.

use std::time::Duration;

use fastrand::Rng;
use kv_core::{Durability, Store};
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

    /// What survives whatever is done to one server. Under Sentinels a replica that is not promoted
    /// may follow the old primary for a while, and so acknowledge what is gone: all have to have it.
    pub(super) const fn safe(&self) -> Durability {
        let replicas = match self {
            Self::Cluster(_) => 1,
            Self::Sentinels(_) => 2,
        };
        Durability::replicas(replicas).within(Duration::from_millis(500))
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
    let next = |at: usize| primaries[(at + 1) % primaries.len()];
    let servers = primaries.iter().map(|at| &cluster.nodes()[*at]);
    let occupied: Vec<u16> = servers.flat_map(occupied).collect();
    let leaving = primaries.iter().enumerate().map(|(at, primary)| {
        let mut leaving = cluster.slots_of(*primary).unwrap();
        leaving.retain(|slot| slots == Slots::All || occupied.contains(slot));
        (*primary, next(at), leaving)
    });
    let mut leaving: Vec<_> = leaving.collect();
    while leaving.iter().any(|(.., slots)| !slots.is_empty()) {
        for (from, to, slots) in &mut leaving {
            let chunk = slots.split_off(slots.len().saturating_sub(CHUNK));
            let (full, empty): (Vec<_>, Vec<_>) =
                chunk.into_iter().partition(|slot| occupied.contains(slot));
            full.into_iter().for_each(|slot| move_full(cluster, slot, *to));
            move_empty(cluster, &empty, *from, *to);
        }
    }
    cluster.wait_until_ok().unwrap();
}

/// Moves a slot that has keys, and takes its time.
fn move_full(cluster: &RedisCluster, slot: u16, to: usize) {
    let mut migration = cluster.begin_move(slot, to).unwrap();
    let keys = migration.keys_left().unwrap();
    migration.move_keys(&keys[..keys.len().div_ceil(2)]).unwrap();
    // A long move itself, not a wait for something.
    std::thread::park_timeout(HALF_MOVED);
    migration.finish().unwrap();
}

/// Moves slots that have no keys, all at once: one by one they take minutes.
fn move_empty(cluster: &RedisCluster, slots: &[u16], from: usize, to: usize) {
    let id = |at: usize| cluster.nodes()[at].cli(&["CLUSTER", "MYID"]).unwrap().text().unwrap();
    let (from_id, to_id) = (id(from), id(to));
    set_slots(&cluster.nodes()[to], slots, "IMPORTING", &from_id);
    set_slots(&cluster.nodes()[from], slots, "MIGRATING", &to_id);
    let others = cluster.primaries().unwrap().into_iter().filter(|at| *at != to);
    for at in std::iter::once(to).chain(others) {
        set_slots(&cluster.nodes()[at], slots, "NODE", &to_id);
    }
}

fn set_slots(server: &RedisServer, slots: &[u16], what: &str, id: &str) {
    let mut connection = server.connection().unwrap();
    for slot in slots {
        connection.send(&["CLUSTER", "SETSLOT", &slot.to_string(), what, id]).unwrap();
    }
    for slot in slots {
        let reply = connection.read().unwrap();
        assert_eq!(reply.text().as_deref(), Some("OK"), "slot {slot}: {reply:?}");
    }
}

/// The slots of a server that have keys.
fn occupied(server: &RedisServer) -> Vec<u16> {
    let Reply::Array(keys) = server.cli(&["KEYS", "*"]).unwrap() else { panic!("no array") };
    keys.iter().filter_map(Reply::text).map(slot_of).collect()
}
