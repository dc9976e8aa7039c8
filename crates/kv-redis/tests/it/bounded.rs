//! Every call ends within its time, whatever the server does.

use std::task::Poll;
use std::time::Duration;

use kv_core::{Effect, Error, ErrorKind, KeyValueStore, Lifetime, Result, Write};
use kv_redis::RedisStore;
use kv_testbed::{Mode, Proxy, RedisServer};
use tokio::time::timeout;

use crate::support::{
    Call, PATIENCE, ask, config, connect, execute, increment, proxied, reads, writes,
};

const CONFIGURED: Duration = Duration::from_millis(300);
/// Generous, for a loaded machine: a call that is not bounded takes for ever.
const GENEROUS: Duration = PATIENCE;

/// All at once, so that the whole test takes about as long as one call.
async fn all_fail(calls: Vec<(&'static str, Call<'_>)>) -> Vec<(&'static str, Error)> {
    let failures = calls.into_iter().map(|(name, call)| async move {
        let result: Result<()> = timeout(GENEROUS, call).await.expect(name);
        (name, result.expect_err(name))
    });
    futures_util::future::join_all(failures).await
}

fn is_connection(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Timeout | ErrorKind::Connection)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_verb_on_a_black_holed_connection_ends_in_time() {
    for retry in [false, true] {
        let (_server, proxy, _store) = proxied(GENEROUS).await;
        let builder = config(proxy.port()).timeout(CONFIGURED).retry_on_timeout(retry);
        let store = connect(builder).await;
        proxy.set_mode(Mode::BlackHole);
        let (read, written) = tokio::join!(all_fail(reads(&store)), all_fail(writes(&store)));
        for (name, error) in read {
            assert!(is_connection(&error), "{name}: {error:?}");
            assert_eq!(error.effect(), Effect::NotApplied, "{name}: {error:?}");
        }
        for (name, error) in written {
            assert!(is_connection(&error), "{name}: {error:?}");
            assert_eq!(error.effect(), Effect::MaybeApplied, "{name}: {error:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_round_on_a_black_holed_connection_ends_in_time_too() {
    let (_server, proxy, store) = proxied(CONFIGURED).await;
    proxy.set_mode(Mode::BlackHole);
    for _ in 0..3 {
        let (read, written) = tokio::join!(all_fail(reads(&store)), all_fail(writes(&store)));
        assert!(read.iter().chain(&written).all(|(_, error)| is_connection(error)));
    }
    let _ = timeout(GENEROUS, store.close()).await.expect("close is bounded");
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_on_a_black_holed_connection_ends_in_time() {
    let (_server, proxy, store) = proxied(CONFIGURED).await;
    proxy.set_mode(Mode::BlackHole);
    let closed = timeout(GENEROUS, store.close()).await.expect("close is bounded");
    drop(closed);
    assert_eq!(store.ping().await.unwrap_err().kind(), ErrorKind::Closed);
}

#[tokio::test(flavor = "multi_thread")]
async fn connecting_to_a_black_hole_ends_in_time() {
    let server = RedisServer::start().unwrap();
    let proxy = Proxy::start(("127.0.0.1", server.port())).await.unwrap();
    proxy.set_mode(Mode::BlackHole);
    let config = config(proxy.port()).timeout(CONFIGURED).build().unwrap();
    let result = timeout(GENEROUS, RedisStore::connect(config)).await.expect("bounded");
    assert!(is_connection(&result.unwrap_err()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_connection_is_replaced_also_while_it_is_written_to() {
    let (server, proxy, store) = proxied(CONFIGURED).await;
    proxy.set_mode(Mode::HoldReplies);
    let before = proxy.traffic().connections;
    let replaced = timeout(GENEROUS, async {
        while proxy.traffic().connections == before {
            let _ = tokio::join!(store.ping(), store.set("k", "v".into(), Write::ALWAYS));
        }
    });
    replaced.await.expect("a new connection is tried");
    drop(server);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_to_be_sent_is_bounded_and_the_rest_is_refused_unsent() {
    let (_server, proxy, store) = proxied(PATIENCE).await;
    proxy.set_mode(Mode::BlackHole);
    let filler = vec![0_u8; 32 << 20];
    let mut stuck = Box::pin(store.set("big", filler.into(), Write::ALWAYS));
    assert!(futures_util::poll!(&mut stuck).is_pending());
    // Whoever waits is not waited for: the first poll hands a batch over, or refuses it.
    let (mut waiting, mut refused) = (Vec::new(), Vec::new());
    for _ in 0..14 {
        let batch = (0..1_000).map(|_| increment("n")).collect();
        let mut batch = Box::pin(execute(&store, batch));
        match futures_util::poll!(&mut batch) {
            Poll::Pending => waiting.push(batch),
            Poll::Ready(result) => refused.push(result.unwrap_err()),
        }
    }
    assert!((1..=5).contains(&refused.len()), "{} of 14 were refused", refused.len());
    for error in refused {
        let told = (error.kind(), error.effect());
        assert_eq!(told, (ErrorKind::Backpressure, Effect::NotApplied), "{error:?}");
    }
}

/// How often the server was asked a command.
fn calls(server: &RedisServer, command: &str) -> u64 {
    let stats = ask(server, &["INFO", "commandstats"]).unwrap();
    let line =
        stats.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")));
    line.map_or(0, |rest| rest.split(',').next().unwrap().parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_read_is_repeated_only_when_asked_for_and_a_late_write_never() {
    for (retry, asked) in [(false, 1), (true, 3)] {
        let (server, proxy, _store) = proxied(GENEROUS).await;
        let builder = config(proxy.port()).timeout(CONFIGURED).retry_on_timeout(retry);
        let store = connect(builder).await;
        proxy.set_mode(Mode::HoldReplies);
        let (read, written) =
            tokio::join!(store.get("k"), store.increment("n", 1, Lifetime::Never));
        assert_eq!(read.unwrap_err().kind(), ErrorKind::Timeout);
        assert_eq!(written.unwrap_err().effect(), Effect::MaybeApplied);
        assert_eq!((calls(&server, "get"), calls(&server, "incrby")), (asked, 1));
    }
}
