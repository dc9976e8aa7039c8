//! Handles of a store on a Cluster: closed, dropped, and futures dropped in the middle.

use std::future::Future;

use kv_core::{Command, ErrorKind, KeyValueStore, Lifetime, Reply};
use kv_testbed::{RedisCluster, eventually, slot_of};

use crate::calls::{increment, reads, writes};
use crate::support::{
    PATIENCE, clients, config, connect, expect_all, fill, names, next_to, opened, three,
};
use crate::waits::Waiting;

fn all_gone(cluster: &RedisCluster) {
    let gone = || cluster.nodes().iter().all(|node| clients(node).is_empty()).then_some(());
    eventually(PATIENCE, gone).expect("no connection is left");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_connection_is_left_on_any_node_by_closing_or_by_the_last_handle() {
    let cluster = three();
    let store = connect(config(&cluster).max_connections(2)).await;
    let connected = cluster.nodes().iter().map(|node| clients(node).len());
    assert_eq!(connected.collect::<Vec<_>>(), [2, 2, 2]);
    let engine = opened(&store).await;
    let waiting = Waiting::on(engine).await;
    let clone = store.clone();
    drop(store);
    clone.ping().await.unwrap();
    waiting.stop().await;
    drop(clone);
    all_gone(&cluster);
    let store = connect(config(&cluster)).await;
    let clone = store.clone();
    store.close().await.unwrap();
    clone.close().await.unwrap();
    all_gone(&cluster);
    for (name, call) in reads(&clone).into_iter().chain(writes(&clone)) {
        assert_eq!(call.await.unwrap_err().kind(), ErrorKind::Closed, "{name}");
    }
}

/// Polls a future so many times, and drops it.
async fn dropped_after<T>(polls: usize, future: impl Future<Output = T>) -> bool {
    let mut future = Box::pin(future);
    for _ in 0..polls {
        if futures_util::poll!(future.as_mut()).is_ready() {
            return true;
        }
        tokio::task::yield_now().await;
    }
    false
}

#[tokio::test(flavor = "multi_thread")]
async fn a_future_dropped_at_any_await_crosses_no_reply_and_is_executed_once_at_most() {
    let cluster = three();
    let store = connect(config(&cluster)).await;
    let names = names(60);
    fill(&store, &names).await;
    let begin = |key: &str| cluster.begin_move(slot_of(key), next_to(&cluster, key)).unwrap();
    let migration = begin("{k}");
    for polls in 1..200 {
        // To where the slot goes, since the key is nowhere; and in a batch with others.
        let (one, many) = (format!("{{k}}:one:{polls}"), format!("{{k}}:many:{polls}"));
        dropped_after(polls, store.increment(&one, 1, Lifetime::Never)).await;
        let gets = names.iter().map(|name| Command::Get { key: name.clone() });
        let batch = gets.chain([increment(&many)]).collect();
        dropped_after(polls, store.execute(batch)).await;
        let read = store.get(&names[polls % names.len()]).await.unwrap().unwrap();
        assert_eq!(read.value, names[polls % names.len()]);
    }
    expect_all(&store, &names).await;
    migration.finish().unwrap();
    for polls in 1..200 {
        for key in [format!("{{k}}:one:{polls}"), format!("{{k}}:many:{polls}")] {
            let count = store.increment(&key, 1, Lifetime::Never).await.unwrap();
            assert!(count <= 2, "{key} was counted {} times", count - 1);
        }
    }
    let replies = store.execute(vec![Command::Exists { key: "{k}:one:1".into() }]).await.unwrap();
    assert!(matches!(replies[0], Ok(Reply::Flag(true))), "{replies:?}");
}
