//! Many values that are large together: sent and answered in parts, so that nobody else waits long.

use std::num::NonZeroU64;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use kv_core::{Bytes, Command, Effect, ErrorKind, KeyValueStore, Lifetime, Reply, Write};
use kv_redis::RedisStore;
use kv_testbed::{Mode, Proxy};

use crate::support::{PATIENCE, ask, connect, direct, proxied};

const MIB: usize = 1 << 20;
/// A part of a call, with what the protocol adds to it.
const PART: u64 = (MIB + MIB / 16) as u64;
const LIVES: Lifetime = Lifetime::In(Duration::from_secs(600));

fn names(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("key:{number}")).collect()
}

fn refs(names: &[String]) -> Vec<&str> {
    names.iter().map(String::as_str).collect()
}

/// The values of so many keys, all of this size, and each its own.
fn values(count: usize, bytes: usize) -> Vec<(String, Bytes)> {
    let value = |number: usize| {
        let mut value = vec![b'v'; bytes];
        let mark = number.to_string();
        value.splice(..mark.len(), mark.into_bytes());
        Bytes::from(value)
    };
    names(count).into_iter().enumerate().map(|(at, name)| (name, value(at))).collect()
}

/// Writes all values, and reads them, in the order of the keys.
async fn written_and_read(store: &RedisStore, values: &[(String, Bytes)], lifetime: Lifetime) {
    store.set_many(values.to_vec(), lifetime).await.unwrap();
    expect(store, values).await;
}

async fn expect(store: &RedisStore, values: &[(String, Bytes)]) {
    let names: Vec<&str> = values.iter().map(|(name, _)| name.as_str()).collect();
    let read = store.get_many(&names).await.unwrap();
    assert_eq!(read.len(), values.len());
    for ((name, value), entry) in values.iter().zip(read) {
        assert!(entry.is_some_and(|entry| entry.value == value), "{name}");
    }
}

fn slow(bytes_per_second: usize) -> Mode {
    let bytes_per_second = NonZeroU64::new(bytes_per_second as u64).unwrap();
    Mode::Throttle { bytes_per_second }
}

fn no_part_was_larger(proxy: &Proxy) {
    let traffic = proxy.traffic();
    assert!(traffic.largest_request <= PART && traffic.largest_reply <= PART, "{traffic:?}");
}

/// Small calls, one after the other, until they are to end; how many there were.
async fn small_calls(store: &RedisStore, until: &AtomicBool) -> usize {
    let mut calls = 0;
    while !until.load(Ordering::SeqCst) {
        store.set("small", "v".into(), Write::ALWAYS).await.unwrap();
        assert_eq!(store.get("small").await.unwrap().unwrap().value, "v");
        store.stats().await.unwrap();
        calls += 3;
    }
    calls
}

#[tokio::test(flavor = "multi_thread")]
async fn many_large_values_go_in_parts_of_a_mebibyte_and_let_others_through() {
    let (_server, proxy, store) = proxied(PATIENCE).await;
    let values = values(100, MIB);
    for lifetime in [Lifetime::Never, LIVES] {
        let done = AtomicBool::new(false);
        let large = async {
            written_and_read(&store, &values, lifetime).await;
            done.store(true, Ordering::SeqCst);
        };
        let ((), calls) = tokio::join!(large, small_calls(&store, &done));
        assert!(calls > 0, "no small call beside 200 parts");
        no_part_was_larger(&proxy);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn large_values_are_read_in_parts_by_a_store_that_has_written_only_small_ones() {
    let (_server, proxy, store) = proxied(PATIENCE).await;
    let values = values(20, MIB / 3);
    store.set_many(values.clone(), Lifetime::Never).await.unwrap();
    let fresh = connect(crate::support::config(proxy.port())).await;
    fresh.set("small", "v".into(), Write::ALWAYS).await.unwrap();
    expect(&fresh, &values).await;
    no_part_was_larger(&proxy);
}

#[tokio::test(flavor = "multi_thread")]
async fn values_that_grew_are_read_in_parts_from_the_second_reply_on() {
    let (server, proxy, store) = proxied(PATIENCE).await;
    let keys = names(10);
    store.set_many(values(10, 10), Lifetime::Never).await.unwrap();
    for _ in 0..2 {
        store.get_many(&refs(&keys)).await.unwrap();
    }
    connect(crate::support::config(server.port()))
        .await
        .set_many(values(10, MIB), Lifetime::Never)
        .await
        .unwrap();
    expect(&store, &values(10, MIB)).await;
    let before = proxy.traffic();
    assert!(before.largest_reply > 9 * PART, "one was larger: {before:?}");
    let calls = called(&server, "evalsha");
    expect(&store, &values(10, MIB)).await;
    assert_eq!(called(&server, "evalsha"), calls + 9, "one value each, and the last by GET");
}

/// How often a command was called on the server, by clients.
fn called(server: &kv_testbed::RedisServer, command: &str) -> u64 {
    let stats = ask(server, &["INFO", "commandstats"]).unwrap();
    let line = format!("cmdstat_{command}:calls=");
    let line = stats.lines().find_map(|it| it.strip_prefix(&line));
    line.map_or(0, |rest| rest.split(',').next().unwrap().parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn small_values_are_read_by_one_request_once_their_size_is_known() {
    let (server, store) = direct().await;
    let values = values(1_000, 100);
    written_and_read(&store, &values, Lifetime::Never).await;
    ask(&server, &["CONFIG", "RESETSTAT"]);
    expect(&store, &values).await;
    assert_eq!((called(&server, "mget"), called(&server, "evalsha")), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_without_a_value_have_none_also_among_large_ones() {
    let (server, store) = direct().await;
    let values = values(6, MIB / 2);
    store.set_many(values.clone(), Lifetime::Never).await.unwrap();
    ask(&server, &["RPUSH", "list", "element"]);
    ask(&server, &["SET", "number", "42"]);
    let keys = ["key:5", "missing", "key:0", "number", "key:5", "key:1", "key:2", "none"];
    for _ in 0..2 {
        let read = store.get_many(&keys).await.unwrap();
        let read: Vec<_> = read.into_iter().map(|entry| entry.map(|entry| entry.value)).collect();
        let large = |at: usize| Some(values[at].1.clone());
        let number = Some("42".into());
        let expected = [large(5), None, large(0), number, large(5), large(1), large(2), None];
        assert!(read == expected);
    }
    let error = store.get_many(&["key:5", "missing", "list", "key:0"]).await.unwrap_err();
    assert_eq!((error.kind(), error.failed_key()), (ErrorKind::WrongType, Some("list")));
}

#[tokio::test(flavor = "multi_thread")]
async fn words_of_the_protocol_as_values_cross_no_reply() {
    let (_server, store) = direct().await;
    for word in ["message", "subscribe", "pmessage", "invalidate"] {
        store
            .set_many(names(4).into_iter().map(|key| (key, word.into())).collect(), LIVES)
            .await
            .unwrap();
        let fresh = store.get_many(&refs(&names(4))).await.unwrap();
        assert!(fresh.into_iter().all(|entry| entry.unwrap().value == word));
        store.ping().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn over_a_slow_link_hardly_a_byte_is_sent_twice() {
    let (_server, proxy, store) = proxied(PATIENCE).await;
    let values = values(20, 1_000 << 10);
    store.set_many(values.clone(), Lifetime::Never).await.unwrap();
    let before = proxy.traffic().reply_bytes;
    proxy.set_mode(slow(MIB * 5 / 2));
    expect(&store, &values).await;
    let bytes = proxy.traffic().reply_bytes - before;
    assert!(bytes < 30_000 << 10, "{bytes} bytes for 20,000 KiB");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_arrive_in_time_is_asked_for_in_smaller_parts() {
    for retry in [false, true] {
        let (_server, proxy, writer) = proxied(PATIENCE).await;
        let values = values(20, 100 << 10);
        writer.set_many(values.clone(), Lifetime::Never).await.unwrap();
        let builder = crate::support::config(proxy.port()).timeout(Duration::from_secs(4));
        let store = connect(builder.retry_on_timeout(retry)).await;
        // A MiB takes 5 s, half of it 2.5 s: a loaded machine has 1.5 s for what it adds.
        proxy.set_mode(slow(MIB / 5));
        expect(&store, &values).await;
        let bytes = proxy.traffic().reply_bytes;
        assert!(bytes < 4_500 << 10, "{bytes} bytes for 2,000 KiB");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_part_has_the_whole_time_of_a_call() {
    let limit = Duration::from_secs(3);
    let (_server, proxy, store) = proxied(limit).await;
    // A part takes 62 ms, and all of them 4 s each way.
    proxy.set_mode(slow(16 * MIB));
    let begin = proxy.traffic();
    written_and_read(&store, &values(64, MIB), Lifetime::Never).await;
    let end = proxy.traffic();
    let least = limit.as_secs() * 16 * MIB as u64;
    assert!(end.request_bytes - begin.request_bytes > least, "{end:?}");
    assert!(end.reply_bytes - begin.reply_bytes > least, "{end:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_batch_keeps_its_order_and_its_replies() {
    let (_server, proxy, store) = proxied(PATIENCE).await;
    let values = values(10, MIB);
    let mut commands = Vec::new();
    for (_, value) in &values {
        let (key, value, write) = ("k".to_owned(), value.clone(), Write::ALWAYS);
        commands.push(Command::Set { key, value, write });
        commands.push(Command::Get { key: "k".into() });
    }
    commands.push(Command::Take { key: "k".into() });
    commands.push(Command::Get { key: "k".into() });
    let replies = store.execute(commands).await.unwrap();
    let read = replies.into_iter().filter_map(|reply| match reply.unwrap() {
        Reply::Entry(entry) => Some(entry.map(|entry| entry.value)),
        _ => None,
    });
    let mut expected: Vec<_> = values.into_iter().map(|(_, value)| Some(value)).collect();
    expected.extend([expected[9].clone(), None]);
    assert!(read.eq(expected));
    no_part_was_larger(&proxy);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_after_a_part_that_was_lost_is_not_sent() {
    let (_server, proxy, store) = proxied(Duration::from_secs(1)).await;
    let set = |(key, value)| Command::Set { key, value, write: Write::ALWAYS };
    let commands = values(30, MIB / 2).into_iter().map(set).collect();
    proxy.set_mode(Mode::HoldReplies);
    let replies = store.execute(commands).await.unwrap();
    let effects = replies.into_iter().map(|reply| reply.unwrap_err().effect());
    let (maybe, not) = (vec![Effect::MaybeApplied; 1], vec![Effect::NotApplied; 29]);
    assert_eq!(effects.collect::<Vec<_>>(), [maybe, not].concat());
    assert!(proxy.traffic().request_bytes < 2 * PART);
    let error = store.set_many(values(30, MIB), Lifetime::Never).await.unwrap_err();
    assert_eq!(error.effect(), Effect::MaybeApplied);
}
