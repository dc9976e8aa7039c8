//! Servers that go away and come back, and scripts that they forget.

use std::time::Duration;

use kv_core::{Command, Effect, ErrorKind, KeyValueStore, Lifetime, Outcome, Reply, Write};
use kv_redis::RedisStore;
use tokio::time::timeout;

use crate::support::{PATIENCE, ask, direct, increment, version};

/// Returns once the store finds its server gone.
async fn cut_off(store: &RedisStore) -> kv_core::Error {
    let failing = async {
        loop {
            // The first failures may come from the connection that broke just now.
            match store.increment("late", 1, Lifetime::Never).await {
                Err(error) if error.effect() == Effect::NotApplied => return error,
                _ => tokio::task::yield_now().await,
            }
        }
    };
    timeout(PATIENCE, failing).await.expect("the store notices")
}

async fn back(store: &RedisStore) {
    let answering = async {
        while store.ping().await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, answering).await.expect("the store reconnects by itself");
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_fail_while_the_server_is_down_and_work_when_it_is_back() {
    let (mut server, store) = direct().await;
    server.kill();
    let error = cut_off(&store).await;
    assert_eq!(error.kind(), ErrorKind::Connection, "{error:?}");
    assert!(error.is_retryable(), "nothing was sent: {error:?}");
    server.restart().unwrap();
    back(&store).await;
    store.set("k", "v".into(), Write::ALWAYS).await.unwrap();
    assert_eq!(ask(&server, &["GET", "k"]).as_deref(), Some("v"));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_after_its_caller_was_told_that_it_was_not() {
    let (mut server, store) = direct().await;
    server.kill();
    cut_off(&store).await;
    let mut refused = 0;
    for _ in 0..200 {
        let result = store.increment("late", 1, Lifetime::Never).await;
        refused += u32::from(result.is_err_and(|error| error.effect() == Effect::NotApplied));
    }
    assert!(refused > 0, "a store that is cut off knows that it sends nothing");
    server.restart().unwrap();
    back(&store).await;
    let applied = ask(&server, &["GET", "late"]).map_or(0, |text| text.parse().unwrap());
    assert!(applied <= 200 - refused, "{applied} were applied, {refused} said that they were not");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_timed_out_while_it_waited_is_not_sent_later() {
    let (server, _) = direct().await;
    let store = crate::support::config(server.port()).timeout(Duration::from_millis(200));
    let store = crate::support::connect(store).await;
    server.pause().unwrap();
    let error = store.increment("late", 1, Lifetime::Never).await.unwrap_err();
    assert_eq!(error.effect(), Effect::MaybeApplied);
    server.resume().unwrap();
    back(&store).await;
    let applied = ask(&server, &["GET", "late"]);
    assert!(matches!(applied.as_deref(), None | Some("1")), "{applied:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_that_the_server_forgot_is_sent_again() {
    let (server, store) = direct().await;
    ask(&server, &["SET", "k", "a"]);
    let write = |seen| Write::ALWAYS.condition(version(seen));
    for (seen, next) in [("a", "b"), ("b", "c"), ("c", "d")] {
        ask(&server, &["SCRIPT", "FLUSH"]);
        assert!(store.set("k", next.into(), write(seen)).await.unwrap().is_written());
    }
    ask(&server, &["SCRIPT", "FLUSH"]);
    let lives = Lifetime::In(Duration::from_secs(600));
    assert_eq!(store.increment("n", 2, lives).await.unwrap(), 2);
    ask(&server, &["SCRIPT", "FLUSH"]);
    assert!(store.touch("n", Lifetime::Never).await.unwrap());
    ask(&server, &["SCRIPT", "FLUSH"]);
    assert!(store.delete("k", version("d")).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_keeps_its_order_when_the_server_forgot_its_scripts() {
    let (server, store) = direct().await;
    ask(&server, &["SET", "k", "a"]);
    let swap = |seen, next: &'static str| Command::Set {
        key: "k".into(),
        value: next.into(),
        write: Write::ALWAYS.condition(version(seen)),
    };
    for _ in 0..3 {
        ask(&server, &["SCRIPT", "FLUSH"]);
        let get = Command::Get { key: "k".into() };
        let batch = vec![swap("a", "b"), get, swap("b", "a"), swap("b", "c"), increment("n")];
        let replies: Vec<Reply> =
            store.execute(batch).await.unwrap().into_iter().map(Result::unwrap).collect();
        assert!(matches!(&replies[0], Reply::Outcome(Outcome::Written(_))));
        assert!(matches!(&replies[1], Reply::Entry(Some(entry)) if entry.value == "b"));
        assert!(matches!(&replies[2], Reply::Outcome(Outcome::Written(_))));
        assert!(matches!(&replies[3], Reply::Outcome(Outcome::ConditionFailed)));
    }
    assert_eq!(ask(&server, &["GET", "n"]).as_deref(), Some("3"));
}
