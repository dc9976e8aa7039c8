//! Nodes that join and leave, and walks over keys that are moved meanwhile.

use std::collections::BTreeSet;

use kv_core::{KeyValueStore, Lifetime, Pattern};
use kv_redis::RedisStore;
use kv_testbed::{RedisCluster, slot_of};

use crate::calls::{scan, walk};
use crate::load::pings_again;
use crate::support::{
    config, connect, expect_all, fill, local, move_on, names, refs, refusals, three,
};

/// Keys of the first node, each in a slot of its own: several of a slot that is on its way would
/// have to wait for each other.
fn keys_of_first(cluster: &RedisCluster) -> Vec<String> {
    let mut slots: BTreeSet<u16> = cluster.slots_of(0).unwrap().into_iter().take(200).collect();
    names(5_000).into_iter().filter(|name| slots.remove(&slot_of(name))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_joins_and_one_that_leaves_are_not_noticed() {
    let mut cluster = three();
    let store = connect(config(&cluster).max_connections(2)).await;
    let names = keys_of_first(&cluster);
    fill(&store, &names).await;
    let added = cluster.add_primary().unwrap();
    // Nobody tells of a node that has no slots: it is first heard of when it is asked for a key.
    let first = &names[0];
    let mut migration = cluster.begin_move(slot_of(first), added).unwrap();
    migration.move_keys(&[first]).unwrap();
    for round in 1..=3 {
        expect_all(&store, &names).await;
        assert_eq!(
            store.increment(&format!("{{{first}}}:new"), 1, Lifetime::Never).await.unwrap(),
            round
        );
    }
    assert!(refusals(cluster.nodes(), "ASK") >= 6);
    migration.finish().unwrap();
    let slots: BTreeSet<u16> = names[1..].iter().map(slot_of).collect();
    cluster.reshard(slots.iter().copied(), added).unwrap();
    expect_all(&store, &names).await;
    cluster.reshard(slots.iter().copied().chain([slot_of(first)]), 1).unwrap();
    cluster.forget(added).unwrap();
    expect_all(&store, &names).await;
    pings_again(&store).await;
    assert_eq!(store.delete_many(&refs(&names)).await.unwrap(), names.len() as u64);
}

/// Walks over all keys and does something after each page.
async fn walked(store: &RedisStore, mut between: impl FnMut(usize)) -> BTreeSet<String> {
    let (mut seen, mut cursor) = (BTreeSet::new(), None);
    for page in 0.. {
        let found = scan(store, "key:*", cursor.as_ref()).await.unwrap();
        seen.extend(found.keys);
        cursor = found.next;
        if cursor.is_none() {
            break;
        }
        between(page);
    }
    seen
}

#[tokio::test(flavor = "multi_thread")]
async fn a_walk_sees_every_key_that_was_there_throughout_while_slots_move() {
    let cluster = three();
    let store = connect(config(&cluster)).await;
    let names = names(3_000);
    fill(&store, &names).await;
    let pattern = Pattern::new("key:*").unwrap();
    assert_eq!(walk(&store, &pattern).await.len(), names.len());
    // From the last server to the first, behind the back of a walk that goes the other way.
    let (mut places, ports) = (vec![0, 1, 2], cluster.ports());
    places.sort_by_key(|at| local(ports[*at]));
    let (first, last) = (places[0], places[2]);
    let moving: Vec<u16> = cluster.slots_of(last).unwrap().into_iter().take(40).collect();
    let mut moving = moving.into_iter();
    let seen = walked(&store, |_| {
        let slots: Vec<u16> = moving.by_ref().take(4).collect();
        cluster.reshard(slots, first).unwrap();
    });
    let seen = seen.await;
    let missing: Vec<_> = names.iter().filter(|name| !seen.contains(*name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_walk_sees_the_keys_of_a_slot_that_is_on_its_way_and_of_nodes_that_come_and_go() {
    let mut cluster = three();
    let store = connect(config(&cluster)).await;
    let names = keys_of_first(&cluster);
    fill(&store, &names).await;
    let first = &names[0];
    let mut migration = cluster.begin_move(slot_of(first), 2).unwrap();
    let mut is_moved = false;
    let seen = walked(&store, |_| {
        if !is_moved {
            migration.move_keys(&[first]).unwrap();
            is_moved = true;
        }
    });
    assert_eq!(seen.await, names.iter().cloned().collect());
    migration.finish().unwrap();
    let added = cluster.add_primary().unwrap();
    let slots: BTreeSet<u16> = names.iter().map(slot_of).collect();
    let seen = walked(&store, |page| match page {
        0 => drop(cluster.reshard(slots.iter().copied(), added).unwrap()),
        1 => drop(cluster.reshard(slots.iter().copied(), 1).unwrap()),
        2 => cluster.forget(added).unwrap(),
        _ => {}
    });
    assert_eq!(seen.await, names.iter().cloned().collect());
    move_on(&cluster, &names[..1]);
    expect_all(&store, &names).await;
}
