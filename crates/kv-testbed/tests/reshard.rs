//! Slots move under load and nothing is lost.

#![cfg(test)]

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::atomic::{AtomicBool, Ordering};

use kv_testbed::{Connection, RedisCluster, Reply, Result, slot_of};

const WRITERS: usize = 2;
const KEYS: usize = 100;

/// A client that goes where it is sent.
struct Client {
    first: u16,
    connections: BTreeMap<u16, Connection>,
}

impl Client {
    fn new(cluster: &RedisCluster) -> Self {
        Self { first: cluster.ports()[0], connections: BTreeMap::new() }
    }

    fn at(&mut self, port: u16) -> Result<&mut Connection> {
        match self.connections.entry(port) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(new) => Ok(new.insert(Connection::open(port)?)),
        }
    }

    fn command(&mut self, arguments: &[&str]) -> Result<Reply> {
        let (mut port, mut asking) = (self.first, false);
        loop {
            let connection = self.at(port)?;
            if asking {
                connection.command(&["ASKING"])?;
            }
            let reply = connection.command(arguments)?;
            let Reply::Error(text) = &reply else { return Ok(reply) };
            let Some((_, address)) = text.rsplit_once(':') else { return Ok(reply) };
            port = address.parse().expect("a port");
            asking = text.starts_with("ASK ");
        }
    }
}

/// Counts until told to stop; returns how often each key was counted.
fn count(cluster: &RedisCluster, keys: &[String], stop: &AtomicBool) -> Result<u64> {
    let mut client = Client::new(cluster);
    let mut rounds = 0;
    while !stop.load(Ordering::SeqCst) {
        for key in keys {
            let reply = client.command(&["INCR", key])?;
            assert!(matches!(reply, Reply::Integer(_)), "{key}: {reply:?}");
        }
        rounds += 1;
    }
    Ok(rounds)
}

#[test]
fn resharding_under_load_loses_no_write() -> Result<()> {
    let cluster = RedisCluster::builder().replicas(0).start()?;
    let slots: Vec<u16> = cluster.slots_of(0)?.into_iter().take(100).collect();
    let keys = (0..).map(|n| format!("key:{n}")).filter(|key| slots.contains(&slot_of(key)));
    let keys: Vec<String> = keys.take(KEYS).collect();
    let stop = AtomicBool::new(false);
    let rounds: u64 = std::thread::scope(|scope| {
        let writer = || scope.spawn(|| count(&cluster, &keys, &stop));
        let writers = [(); WRITERS].map(|()| writer());
        let there = cluster.reshard(slots.iter().copied(), 1);
        let back = there.and_then(|_| cluster.reshard(slots.iter().copied(), 2));
        stop.store(true, Ordering::SeqCst);
        let rounds = writers.map(|writer| writer.join().expect("a writer").expect("its writes"));
        assert_eq!(back.expect("the slots move"), KEYS);
        rounds.into_iter().sum()
    });
    assert!(rounds > 0);
    let mut client = Client::new(&cluster);
    for key in &keys {
        assert_eq!(client.command(&["GET", key])?.text(), Some(rounds.to_string()), "{key}");
    }
    cluster.wait_until_ok()
}
