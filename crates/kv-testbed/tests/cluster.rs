//! A cluster is whole when it starts, fails over, and moves its slots as a test asks.

#![cfg(test)]

use std::time::Duration;

use kv_testbed::{Connection, RedisCluster, Reply, Result, SLOTS, eventually, slot_of};

fn ok() -> Reply {
    Reply::Simple("OK".into())
}

#[test]
fn every_slot_is_served_and_every_primary_has_its_replica_when_start_returns() -> Result<()> {
    let cluster = RedisCluster::start()?;
    assert_eq!(cluster.nodes().len(), 6);
    assert_eq!(cluster.primaries()?, [0, 1, 2]);
    let slots: Vec<u16> = (0..3).flat_map(|at| cluster.slots_of(at).unwrap()).collect();
    assert_eq!(slots, (0..SLOTS).collect::<Vec<_>>());
    for primary in 0..3 {
        assert_eq!(cluster.replicas_of(primary)?, [primary + 3]);
        let key = (0..)
            .map(|n| n.to_string())
            .find(|key| cluster.primary_of(slot_of(key)).unwrap() == primary);
        let node = &cluster.nodes()[primary];
        assert_eq!(node.cli(&["SET", &key.unwrap(), "v"])?, ok());
        assert_eq!(node.cli(&["WAIT", "1", "5000"])?, Reply::Integer(1));
    }
    Ok(())
}

#[test]
fn a_key_has_the_slot_that_the_server_gives_it() -> Result<()> {
    let cluster = RedisCluster::builder().primaries(1).replicas(0).start()?;
    let mut connection = cluster.nodes()[0].connection()?;
    for key in ["", "a", "user:7", "{user}:7", "{}x", "a{}{b}", "a{b", "{{b}}", "ключ"] {
        let slot = connection.command(&["CLUSTER", "KEYSLOT", key])?;
        assert_eq!(slot, Reply::Integer(slot_of(key).into()), "{key:?}");
    }
    Ok(())
}

#[test]
fn a_killed_primary_is_replaced_by_its_replica_and_comes_back_as_one() -> Result<()> {
    let mut cluster = RedisCluster::start()?;
    let slot = slot_of("k");
    let killed = cluster.kill_primary(slot)?;
    cluster.wait_until_ok()?;
    assert_eq!(cluster.primary_of(slot)?, killed + 3);
    assert_eq!(cluster.nodes()[killed + 3].cli(&["SET", "k", "v"])?, ok());
    cluster.nodes_mut()[killed].restart()?;
    cluster.wait_until_ok()?;
    assert_eq!(cluster.replicas_of(killed + 3)?, [killed]);
    Ok(())
}

#[test]
fn a_failover_that_was_asked_for_loses_nothing_and_can_be_undone() -> Result<()> {
    let cluster = RedisCluster::start()?;
    let before = cluster.primary_of(slot_of("k"))?;
    assert_eq!(cluster.nodes()[before].cli(&["SET", "k", "v"])?, ok());
    let after = cluster.failover(slot_of("k"))?;
    assert_eq!(after, before + 3);
    assert_eq!(cluster.nodes()[after].cli(&["GET", "k"])?.text().as_deref(), Some("v"));
    assert_eq!(cluster.failover(slot_of("k"))?, before);
    Ok(())
}

fn starts(reply: &Reply, word: &str) -> bool {
    matches!(reply, Reply::Error(text) if text.starts_with(word))
}

#[test]
fn a_slot_in_the_middle_of_its_move_says_ask_and_tryagain() -> Result<()> {
    let cluster = RedisCluster::builder().replicas(0).start()?;
    let slot = slot_of("{t}");
    let source = cluster.primary_of(slot)?;
    let target = (source + 1) % 3;
    let [mut old, mut new] =
        [source, target].map(|at| cluster.nodes()[at].connection().expect("a connection"));
    assert_eq!(old.command(&["MSET", "{t}a", "1", "{t}b", "2"])?, ok());
    let mut migration = cluster.begin_move(slot, target)?;
    migration.move_keys(&["{t}a"])?;
    assert_eq!(migration.keys_left()?, [b"{t}b"]);
    assert!(starts(&old.command(&["GET", "{t}a"])?, "ASK "));
    assert_eq!(old.command(&["GET", "{t}b"])?.text().as_deref(), Some("2"));
    assert!(starts(&old.command(&["MGET", "{t}a", "{t}b"])?, "TRYAGAIN "));
    assert!(starts(&new.command(&["GET", "{t}a"])?, "MOVED "));
    assert_eq!(new.command(&["ASKING"])?, ok());
    assert_eq!(new.command(&["GET", "{t}a"])?.text().as_deref(), Some("1"));
    assert_eq!(migration.finish()?, 1);
    assert!(starts(&old.command(&["GET", "{t}b"])?, "MOVED "));
    assert_eq!(new.command(&["GET", "{t}b"])?.text().as_deref(), Some("2"));
    cluster.wait_until_ok()
}

#[test]
fn a_command_finds_its_key_before_within_and_after_a_move() -> Result<()> {
    let cluster = RedisCluster::builder().replicas(0).password("sesame").start()?;
    let get = |key: &str| Ok(cluster.command(key, &["GET", key])?.text().unwrap_or_default());
    cluster.command("{t}a", &["MSET", "{t}a", "1", "{t}b", "2"])?;
    assert_eq!([get("{t}a")?, get("{t}b")?], ["1", "2"]);
    let slot = slot_of("{t}");
    let target = (cluster.primary_of(slot)? + 1) % 3;
    let mut migration = cluster.begin_move(slot, target)?;
    migration.move_keys(&["{t}a"])?;
    assert_eq!([get("{t}a")?, get("{t}b")?], ["1", "2"]);
    migration.finish()?;
    assert_eq!(cluster.primary_of(slot)?, target);
    assert_eq!([get("{t}a")?, get("{t}b")?], ["1", "2"]);
    Result::Ok(())
}

#[test]
fn a_paused_primary_is_replaced_and_follows_its_successor_when_it_wakes_up() -> Result<()> {
    let cluster = RedisCluster::start()?;
    let slot = slot_of("k");
    let paused = cluster.primary_of(slot)?;
    cluster.nodes()[paused].pause()?;
    cluster.wait_until_ok()?;
    assert_eq!(cluster.primary_of(slot)?, paused + 3);
    cluster.nodes()[paused].resume()?;
    cluster.wait_until_ok()?;
    assert_eq!(cluster.replicas_of(paused + 3)?, [paused]);
    Ok(())
}

/// What a node says of a key of its own once it knows that another node has failed.
fn beside_a_failed_node(full_coverage: bool) -> Result<Reply> {
    let builder = RedisCluster::builder().replicas(0).full_coverage(full_coverage);
    let mut cluster = builder.node_timeout(Duration::from_secs(1)).start()?;
    let killed = cluster.kill_primary(slot_of("b"))?;
    let other = cluster.primary_of(slot_of("k"))?;
    assert_ne!(killed, other, "these keys are on different nodes");
    let node = &cluster.nodes()[other];
    let all_well = || Some(node.cli(&["CLUSTER", "INFO"]).ok()?.text()?.contains("slots_fail:0"));
    let noticed = || all_well().filter(|well| !well);
    eventually(Duration::from_secs(60), noticed).expect("slots without a node are noticed");
    node.cli(&["GET", "k"])
}

#[test]
fn nodes_refuse_while_slots_are_not_served_unless_told_that_it_does_not_matter() -> Result<()> {
    assert!(starts(&beside_a_failed_node(true)?, "CLUSTERDOWN "));
    assert_eq!(beside_a_failed_node(false)?, Reply::Nil);
    Ok(())
}

#[test]
fn a_move_that_is_cancelled_leaves_the_slot_where_it_was() -> Result<()> {
    let cluster = RedisCluster::builder().replicas(0).start()?;
    let slot = slot_of("k");
    let source = cluster.primary_of(slot)?;
    cluster.begin_move(slot, (source + 1) % 3)?.cancel()?;
    assert_eq!(cluster.primary_of(slot)?, source);
    assert_eq!(cluster.nodes()[source].cli(&["GET", "k"])?, Reply::Nil);
    cluster.wait_until_ok()
}

/// Fills the slots of the node at 0 and returns the keys.
fn fill(cluster: &RedisCluster, slots: &[u16]) -> Result<Vec<String>> {
    let mut connection = cluster.nodes()[0].connection()?;
    let keys = (0..200_000).map(|n| format!("key:{n}"));
    let keys: Vec<String> = keys.filter(|key| slots.contains(&slot_of(key))).collect();
    for key in &keys {
        assert_eq!(connection.command(&["SET", key, key])?, ok());
    }
    Ok(keys)
}

#[test]
fn resharding_moves_every_key_and_a_new_node_can_take_all_of_it() -> Result<()> {
    let mut cluster = RedisCluster::builder().replicas(0).start()?;
    let slots: Vec<u16> = cluster.slots_of(0)?.into_iter().take(100).collect();
    let keys = fill(&cluster, &slots)?;
    assert!(keys.len() > 500, "{} keys", keys.len());
    let added = cluster.add_primary()?;
    assert_eq!(cluster.reshard(slots.iter().copied(), added)?, keys.len());
    cluster.wait_until_ok()?;
    assert_eq!(cluster.slots_of(added)?, slots);
    let mut connection = cluster.nodes()[added].connection()?;
    for key in &keys {
        assert_eq!(connection.command(&["GET", key])?.text().as_ref(), Some(key));
    }
    assert_eq!(cluster.nodes()[0].cli(&["DBSIZE"])?, Reply::Integer(0));
    Ok(())
}

#[test]
fn a_node_that_was_emptied_is_forgotten_and_one_with_slots_is_not() -> Result<()> {
    let mut cluster = RedisCluster::builder().replicas(0).start()?;
    let added = cluster.add_primary()?;
    assert!(cluster.forget(0).is_err());
    cluster.forget(added)?;
    assert_eq!(cluster.primaries()?, [0, 1, 2]);
    let known = cluster.nodes()[0].cli(&["CLUSTER", "NODES"])?.text().unwrap();
    assert_eq!(known.lines().count(), 3, "{known}");
    cluster.wait_until_ok()
}

#[test]
fn a_password_holds_among_the_nodes_and_towards_strangers() -> Result<()> {
    let cluster = RedisCluster::builder().password("sesame").start()?;
    let stranger = Connection::open(cluster.ports()[0])?.command(&["PING"])?;
    assert!(starts(&stranger, "NOAUTH"));
    let slot = slot_of("k");
    let source = cluster.primary_of(slot)?;
    assert_eq!(cluster.nodes()[source].cli(&["SET", "k", "v"])?, ok());
    assert_eq!(cluster.move_slot(slot, (source + 1) % 3)?, 1);
    cluster.wait_until_ok()
}
