//! A batch travels in one round trip.

use std::time::Duration;

use kv_core::{Command, KeyValueStore, Lifetime, Write};
use kv_testbed::{Mode, RedisServer, eventually};

use crate::support::{PATIENCE, ask, increment, proxied};

/// A hundred operations of all kinds, a script among them.
fn hundred() -> Vec<Command> {
    let one = |at: usize| {
        let key = format!("k{}", at % 10);
        let lives = Lifetime::In(Duration::from_secs(600));
        match at % 5 {
            0 => Command::Set { key, value: "1".into(), write: Write::ALWAYS },
            1 => Command::Get { key },
            2 => Command::Increment { key, by: 1, lifetime: lives },
            3 => increment(&key),
            _ => Command::Exists { key },
        }
    };
    (0..100).map(one).collect()
}

/// How often the server has executed what comes last in a hundred, in scripts or by itself.
fn executed(server: &RedisServer) -> u64 {
    let stats = ask(server, &["INFO", "commandstats"]).unwrap();
    let line = stats.lines().find_map(|line| line.strip_prefix("cmdstat_exists:calls="));
    line.map_or(0, |rest| rest.split(',').next().unwrap().parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_operations_take_one_round_trip() {
    let (server, proxy, store) = proxied(PATIENCE).await;
    // The server knows the script afterwards.
    store.execute(hundred()).await.unwrap();
    proxy.set_mode(Mode::HoldReplies);
    let before = executed(&server);
    let batch = tokio::spawn(async move { store.execute(hundred()).await });
    // The last one is executed before the reply to any of them has come.
    let all = || (executed(&server) == 2 * before).then_some(());
    eventually(PATIENCE, all).expect("the server has all of the batch");
    assert!(!batch.is_finished());
    proxy.set_mode(Mode::Pass);
    let replies = batch.await.unwrap().unwrap();
    assert!(replies.iter().all(Result::is_ok) && replies.len() == 100);
}
