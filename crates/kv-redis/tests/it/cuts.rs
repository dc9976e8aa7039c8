//! Connections cut before, inside and after a reply: nothing is written twice.

use std::time::Duration;

use kv_core::{Bytes, Command, Effect, ErrorKind, KeyValueStore, Lifetime, Outcome, Result, Write};
use kv_redis::RedisStore;
use kv_testbed::{Cut, Proxy, RedisServer};

use crate::support::{PATIENCE, ask, execute, increment, proxied, version, writes};

/// Cuts the reply to the command that carries `needle`, before its first byte, inside, after it.
fn cuts(needle: &str) -> [Cut; 3] {
    [Cut::in_reply(needle, 0), Cut::in_reply(needle, 2), Cut::after_reply(needle)]
}

/// Writes through a cut; it is an error that says "maybe", or a success behind the whole reply.
fn check<T>(name: &str, place: usize, result: &Result<T>) {
    match result {
        Ok(_) => assert_eq!(place, 2, "{name}: a reply that was cut counts as one"),
        Err(error) => {
            assert_eq!(error.effect(), Effect::MaybeApplied, "{name} at {place}: {error:?}");
            assert_eq!(error.kind(), ErrorKind::Connection, "{name} at {place}: {error:?}");
        }
    }
}

/// Returns once the store answers again, so that what it might have sent again has been sent.
async fn settled(store: &RedisStore) {
    let answers = async {
        while store.ping().await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, answers).await.expect("the store reconnects");
}

/// Has the server know the scripts, so that a reply is one to their execution.
async fn three() -> (RedisServer, Proxy, RedisStore) {
    let (server, proxy, store) = proxied(PATIENCE).await;
    for (name, call) in writes(&store) {
        call.await.expect(name);
    }
    ask(&server, &["FLUSHALL"]);
    (server, proxy, store)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_increment_whose_reply_is_cut_is_applied_once() {
    let (server, proxy, store) = three().await;
    for lifetime in [Lifetime::Never, Lifetime::In(Duration::from_secs(600))] {
        for (place, cut) in cuts("counter").into_iter().enumerate() {
            ask(&server, &["DEL", "counter"]);
            proxy.cut(cut);
            let result = store.increment("counter", 1, lifetime).await;
            check("increment", place, &result);
            settled(&store).await;
            assert_eq!(ask(&server, &["GET", "counter"]).as_deref(), Some("1"), "{lifetime:?}");
        }
    }
    assert_eq!(proxy.traffic().cuts, 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_increment_that_never_arrives_is_not_sent_later() {
    let (server, proxy, store) = three().await;
    proxy.cut(Cut::before_request("counter"));
    let error = store.increment("counter", 1, Lifetime::Never).await.unwrap_err();
    assert_eq!(error.effect(), Effect::MaybeApplied, "the store cannot know: {error:?}");
    settled(&store).await;
    assert_eq!(ask(&server, &["GET", "counter"]), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_set_whose_reply_is_cut_does_not_overwrite_a_later_writer() {
    let (server, proxy, store) = three().await;
    for (place, cut) in cuts("first").into_iter().enumerate() {
        proxy.cut(cut);
        check("set", place, &store.set("k", "first".into(), Write::ALWAYS).await);
        ask(&server, &["SET", "k", "later"]);
        settled(&store).await;
        assert_eq!(ask(&server, &["GET", "k"]).as_deref(), Some("later"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conditional_set_whose_reply_is_cut_is_applied_once() {
    let (server, proxy, store) = three().await;
    for (place, cut) in cuts("second").into_iter().enumerate() {
        ask(&server, &["SET", "k", "first"]);
        proxy.cut(cut);
        let write = Write::ALWAYS.condition(version("first"));
        let result: Result<Outcome> = store.set("k", "second".into(), write).await;
        check("set version", place, &result);
        assert_eq!(ask(&server, &["GETSET", "k", "first"]).as_deref(), Some("second"));
        settled(&store).await;
        assert_eq!(ask(&server, &["GET", "k"]).as_deref(), Some("first"), "it was sent again");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delete_whose_reply_is_cut_does_not_delete_what_comes_later() {
    let (server, proxy, store) = three().await;
    for (place, cut) in cuts("doomed").into_iter().enumerate() {
        ask(&server, &["SET", "doomed", "old"]);
        proxy.cut(cut);
        let result = store.delete("doomed", kv_core::Condition::Always).await;
        check("delete", place, &result);
        ask(&server, &["SET", "doomed", "new"]);
        settled(&store).await;
        assert_eq!(ask(&server, &["GET", "doomed"]).as_deref(), Some("new"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_values_whose_reply_is_cut_are_written_once() {
    let (server, proxy, store) = three().await;
    for lifetime in [Lifetime::Never, Lifetime::In(Duration::from_secs(600))] {
        for (place, cut) in cuts("last").into_iter().enumerate() {
            proxy.cut(cut);
            let pair = |key: &str| (key.to_owned(), Bytes::from("ours"));
            let result = store.set_many(vec![pair("a"), pair("last")], lifetime).await;
            check("set_many", place, &result);
            ask(&server, &["MSET", "a", "later", "last", "later"]);
            settled(&store).await;
            assert_eq!(ask(&server, &["GET", "a"]).as_deref(), Some("later"));
            assert_eq!(ask(&server, &["GET", "last"]).as_deref(), Some("later"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_whose_replies_are_cut_is_executed_once() {
    let (server, proxy, store) = three().await;
    for (place, cut) in cuts("cut-here").into_iter().enumerate() {
        ask(&server, &["DEL", "a", "cut-here", "b"]);
        proxy.cut(cut);
        let batch: Vec<Command> = ["a", "cut-here"].map(increment).into();
        check("execute", place, &execute(&store, batch).await);
        settled(&store).await;
        assert_eq!(ask(&server, &["GET", "a"]).as_deref(), Some("1"));
        assert_eq!(ask(&server, &["GET", "cut-here"]).as_deref(), Some("1"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_whose_reply_is_cut_is_repeated_unnoticed() {
    let (server, proxy, store) = three().await;
    ask(&server, &["SET", "wanted", "value"]);
    for cut in cuts("wanted").into_iter().chain([Cut::before_request("wanted")]) {
        proxy.cut(cut);
        let entry = store.get("wanted").await.unwrap().unwrap();
        assert_eq!(entry.value, "value");
        settled(&store).await;
    }
    assert_eq!(proxy.traffic().cuts, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_future_is_executed_at_most_once() {
    let (server, proxy, store) = three().await;
    for polls in 0..5 {
        ask(&server, &["DEL", "dropped"]);
        let mut call = Box::pin(store.increment("dropped", 1, Lifetime::Never));
        for _ in 0..polls {
            if futures_util::poll!(call.as_mut()).is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(call);
        proxy.reset_connections();
        settled(&store).await;
        let count = ask(&server, &["GET", "dropped"]);
        assert!(matches!(count.as_deref(), None | Some("1")), "{polls} polls: {count:?}");
    }
}
