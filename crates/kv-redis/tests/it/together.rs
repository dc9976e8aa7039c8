//! Calls that meet leave together, and each is answered as if it were alone.

use std::future::Future;
use std::time::Duration;

use futures_util::future::join_all;
use kv_core::{
    Bytes, Effect, Entry, ErrorKind, KeyValueStore, Lifetime, Outcome, Remaining, Result, Write,
};
use kv_redis::RedisStore;
use kv_testbed::{Cut, Mode, Proxy, RedisServer};
use tokio::time::timeout;

use crate::support::{PATIENCE, ask, config, connect, direct, proxied};

const MIB: usize = 1 << 20;
/// What fits into one request or reply, with what the protocol adds to it.
const PART: u64 = (MIB + MIB / 8) as u64;
const LIVES: Lifetime = Lifetime::In(Duration::from_secs(600));

/// How often the server was asked this command by clients.
fn called(server: &RedisServer, command: &str) -> u64 {
    let stats = ask(server, &["INFO", "commandstats"]).unwrap();
    let line = format!("cmdstat_{command}:calls=");
    let line = stats.lines().find_map(|it| it.strip_prefix(&line));
    line.map_or(0, |rest| rest.split(',').next().unwrap().parse().unwrap())
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("key:{number}")).collect()
}

/// Gives each key its name, and so many bytes more.
async fn fill(store: &RedisStore, names: &[String], bytes: usize) {
    let pairs = names.iter().map(|name| (name.clone(), value(name, bytes)));
    store.set_many(pairs.collect(), Lifetime::Never).await.unwrap();
}

fn value(name: &str, bytes: usize) -> Bytes {
    let mut value = name.as_bytes().to_vec();
    value.resize(value.len() + bytes, b'.');
    value.into()
}

async fn get_all(store: &RedisStore, names: &[String]) -> Vec<Result<Option<Entry>>> {
    join_all(names.iter().map(|name| store.get(name))).await
}

fn are_named(entries: Vec<Result<Option<Entry>>>, names: &[String], bytes: usize) {
    assert_eq!(entries.len(), names.len());
    for (entry, name) in entries.into_iter().zip(names) {
        assert!(entry.unwrap().is_some_and(|it| it.value == value(name, bytes)), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_alone_sends_a_plain_command() {
    let (server, store) = direct().await;
    for _ in 0..10 {
        store.set("k", "v".into(), Write::ALWAYS).await.unwrap();
        assert!(store.get("k").await.unwrap().is_some());
        assert!(store.exists("k").await.unwrap());
    }
    let counts = ["get", "pttl", "set", "mget", "mset", "evalsha"].map(|it| called(&server, it));
    assert_eq!(counts, [10, 10, 10, 0, 0, 0]);
}

/// Makes all calls while no reply comes. Returns how many commands of these the server was asked.
async fn met<T>(
    (server, proxy): (&RedisServer, &Proxy),
    calls: impl Iterator<Item = impl Future<Output = Result<T>>>,
    commands: [&str; 2],
) -> [u64; 2] {
    ask(server, &["CONFIG", "RESETSTAT"]);
    proxy.set_mode(Mode::HoldReplies);
    let mut calls: Vec<_> = calls.map(Box::pin).collect();
    for call in &mut calls {
        assert!(futures_util::poll!(call).is_pending());
    }
    proxy.set_mode(Mode::Pass);
    let answers = timeout(PATIENCE, join_all(calls)).await.unwrap();
    assert!(answers.iter().all(Result::is_ok));
    commands.map(|command| called(server, command))
}

#[tokio::test(flavor = "multi_thread")]
async fn who_meets_others_shares_their_command() {
    let (server, proxy, store) = proxied(PATIENCE).await;
    let names = names(1_000);
    fill(&store, &names, 0).await;
    are_named(get_all(&store, &names).await, &names, 0);
    let bed = (&server, &proxy);
    let gets = met(bed, names.iter().map(|it| store.get(it)), ["get", "mget"]).await;
    let set = |name: &String| {
        let (name, value) = (name.clone(), value(name, 0));
        let store = &store;
        async move { store.set(&name, value, Write::ALWAYS).await }
    };
    let sets = met(bed, names.iter().map(set), ["set", "mset"]).await;
    let exist = met(bed, names.iter().map(|it| store.exists(it)), ["exists", "evalsha"]).await;
    for [_, together] in [gets, sets, exist] {
        assert!((4..=6).contains(&together), "{together} for 1,000 keys, 256 at a time");
    }
    // Of three that found nobody in line, two left alone.
    assert!(gets[0] <= 3 && sets[0] <= 3, "{gets:?} {sets:?}");
}

/// What a key has, asked alone, one call after another.
async fn alone(store: &RedisStore, key: &str) -> String {
    let get = store.get(key).await.map(|entry| entry.map(|it| it.value));
    let told = format!("{get:?} {:?} {:?}", store.exists(key).await, store.ttl(key).await);
    told.replace("600", "some")
}

/// The same, each asked while others are under way.
async fn in_company(store: &RedisStore, keys: &[&str]) -> Vec<String> {
    let gets = join_all(keys.iter().map(|key| store.get(key)));
    let exist = join_all(keys.iter().map(|key| store.exists(key)));
    let ttls = join_all(keys.iter().map(|key| store.ttl(key)));
    let (gets, exist, ttls) = tokio::join!(gets, exist, ttls);
    let all = gets.into_iter().zip(exist).zip(ttls).map(|((get, exists), ttl)| {
        let get = get.map(|entry| entry.map(|it| it.value));
        format!("{get:?} {exists:?} {ttl:?}").replace("600", "some")
    });
    all.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_is_answered_as_if_it_were_alone() {
    let (server, store) = direct().await;
    for line in [
        &["SET", "text", "value"][..],
        &["SET", "empty", ""],
        &["SET", "number", "42"],
        &["SET", "word", "message"],
        &["RPUSH", "list", "element"],
        &["HSET", "hash", "field", "value"],
    ] {
        ask(&server, line);
    }
    let kinds = ["text", "empty", "number", "word", "list", "hash", "absent", "text", "none"];
    let keys: Vec<&str> = kinds.iter().copied().cycle().take(600).collect();
    let mut expected = Vec::new();
    for key in kinds {
        expected.push(alone(&store, key).await);
    }
    assert!(expected[4].contains("WrongType") && expected[4].contains("list"), "{expected:?}");
    for _ in 0..3 {
        let told = in_company(&store, &keys).await;
        for (told, (key, expected)) in told.iter().zip(kinds.iter().zip(&expected).cycle()) {
            assert_eq!(told, expected, "{key}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lifetimes_are_those_of_each_write() {
    let (_server, store) = direct().await;
    let names = names(300);
    for round in 0..3_usize {
        let lifetime = |at: usize| [Lifetime::Never, LIVES][(at + round) % 2];
        let sets = names.iter().enumerate().map(|(at, name)| {
            store.set(name, value(name, round), Write::ALWAYS.lifetime(lifetime(at)))
        });
        for (outcome, name) in join_all(sets).await.into_iter().zip(&names) {
            let entry = store.get(name).await.unwrap().unwrap();
            assert_eq!(outcome.unwrap(), Outcome::Written(entry.version));
            assert_eq!(entry.value, value(name, round));
        }
        let ttls = join_all(names.iter().map(|name| store.ttl(name))).await;
        for (at, ttl) in ttls.into_iter().enumerate() {
            let is_for_ever = ttl.unwrap() == Some(Remaining::Forever);
            assert_eq!(is_for_ever, lifetime(at) == Lifetime::Never, "{at}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_caller_takes_nobody_along() {
    let (_server, proxy, store) = proxied(PATIENCE).await;
    let names = names(400);
    fill(&store, &names, 0).await;
    proxy.set_mode(Mode::HoldReplies);
    let mut gets: Vec<_> = names.iter().map(|name| Some(Box::pin(store.get(name)))).collect();
    for get in gets.iter_mut().flatten() {
        assert!(futures_util::poll!(get).is_pending());
    }
    // Those who left alone, some whose request is under way, and some in line.
    for (at, get) in gets.iter_mut().enumerate() {
        if at < 3 || at % 3 == 0 {
            *get = None;
        }
        tokio::task::yield_now().await;
    }
    proxy.set_mode(Mode::Pass);
    let (left, gets): (Vec<_>, Vec<_>) =
        names.iter().cloned().zip(gets).filter_map(|(name, get)| Some((name, get?))).unzip();
    are_named(timeout(PATIENCE, join_all(gets)).await.unwrap(), &left, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_is_not_polled_holds_nobody_up() {
    let (_server, proxy, store) = proxied(PATIENCE).await;
    let names = names(20);
    fill(&store, &names, 0).await;
    proxy.set_mode(Mode::HoldReplies);
    let mut idle: Vec<_> = names.iter().map(|name| Box::pin(store.get(name))).collect();
    for get in &mut idle {
        assert!(futures_util::poll!(get).is_pending());
    }
    proxy.set_mode(Mode::Pass);
    let others = async {
        for name in &names {
            assert!(store.get(name).await.unwrap().is_some());
        }
        are_named(get_all(&store, &names).await, &names, 0);
    };
    timeout(PATIENCE, others).await.expect("nobody waits for those who are not polled");
    are_named(timeout(PATIENCE, join_all(idle)).await.unwrap(), &names, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_in_line_on_a_black_holed_connection_is_told_in_time() {
    let (_server, proxy, _store) = proxied(PATIENCE).await;
    let store = connect(config(proxy.port()).timeout(Duration::from_millis(300))).await;
    proxy.set_mode(Mode::BlackHole);
    let names = names(600);
    let gets = get_all(&store, &names);
    let sets = names.iter().map(|name| store.set(name, "v".into(), Write::ALWAYS));
    let (gets, sets) =
        timeout(PATIENCE, async { tokio::join!(gets, join_all(sets)) }).await.unwrap();
    let is_away = |kind| matches!(kind, ErrorKind::Timeout | ErrorKind::Connection);
    for error in gets.into_iter().map(Result::unwrap_err) {
        assert!(is_away(error.kind()) && error.effect() == Effect::NotApplied, "{error:?}");
        assert!(error.failed_key().is_some(), "{error:?}");
    }
    for error in sets.into_iter().map(Result::unwrap_err) {
        // Some never left: nobody may take those for done, nor for surely undone.
        assert!(is_away(error.kind()) && error.failed_key().is_some(), "{error:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_that_share_a_reply_which_is_cut_are_repeated_unnoticed() {
    let (_server, proxy, store) = proxied(PATIENCE).await;
    let names = names(500);
    fill(&store, &names, 0).await;
    for cut in [
        Cut::before_request("key:499"),
        Cut::in_reply("key:499", 0),
        Cut::in_reply("key:400", 300),
        Cut::after_reply("key:499"),
    ] {
        proxy.cut(cut);
        are_named(get_all(&store, &names).await, &names, 0);
    }
    assert_eq!(proxy.traffic().cuts, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_that_share_a_reply_which_is_cut_are_written_once() {
    let (server, proxy, store) = proxied(PATIENCE).await;
    let names = names(200);
    for lifetime in [Lifetime::Never, LIVES] {
        for cut in [Cut::in_reply("key:199", 0), Cut::after_reply("key:199")] {
            proxy.cut(cut);
            let write = Write::ALWAYS.lifetime(lifetime);
            let sets = names.iter().map(|name| store.set(name, "ours".into(), write.clone()));
            for (name, outcome) in names.iter().zip(join_all(sets).await) {
                let told = outcome.as_ref().err().map(kv_core::Error::kind);
                assert!(matches!(told, None | Some(ErrorKind::Connection)), "{name}: {outcome:?}");
            }
            ask(&server, &["SET", "key:199", "theirs"]);
            while store.ping().await.is_err() {
                tokio::task::yield_now().await;
            }
            assert_eq!(ask(&server, &["GET", "key:199"]).as_deref(), Some("theirs"));
        }
    }
    assert_eq!(proxy.traffic().cuts, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_denied_is_denied_to_its_caller_alone() {
    let server = RedisServer::start().unwrap();
    let rights = ["ACL", "SETUSER", "app", "on", ">pw", "resetkeys", "~mine:*", "+@all"];
    ask(&server, &rights);
    let store = connect(config(server.port()).username("app").password("pw")).await;
    let keys: Vec<String> = (0..200)
        .map(|at| if at % 50 == 49 { format!("theirs:{at}") } else { format!("mine:{at}") })
        .collect();
    let is_mine = |key: &str| key.starts_with("mine");
    let expect = |told: Vec<(String, Option<ErrorKind>)>| {
        for (key, error) in told {
            assert_eq!(error, (!is_mine(&key)).then_some(ErrorKind::Auth), "{key}");
        }
    };
    let kinds = |results: Vec<Option<ErrorKind>>| keys.iter().cloned().zip(results).collect();
    for lifetime in [Lifetime::Never, LIVES] {
        let write = Write::ALWAYS.lifetime(lifetime);
        let sets = join_all(keys.iter().map(|key| store.set(key, "v".into(), write.clone()))).await;
        expect(kinds(sets.iter().map(|it| it.as_ref().err().map(kv_core::Error::kind)).collect()));
    }
    let gets = get_all(&store, &keys).await;
    let present = gets.iter().flatten().flatten().count();
    assert_eq!(present, 196, "what was allowed was written");
    expect(kinds(gets.iter().map(|it| it.as_ref().err().map(kv_core::Error::kind)).collect()));
    let exist = join_all(keys.iter().map(|key| store.exists(key))).await;
    expect(kinds(exist.iter().map(|it| it.as_ref().err().map(kv_core::Error::kind)).collect()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_server_refuses_all_writes_of_a_request_and_does_none() {
    let (server, store) = direct().await;
    ask(&server, &["CONFIG", "SET", "maxmemory", "1"]);
    let names = names(100);
    for lifetime in [Lifetime::Never, LIVES] {
        let write = Write::ALWAYS.lifetime(lifetime);
        let sets = names.iter().map(|name| store.set(name, "v".into(), write.clone()));
        for error in join_all(sets).await.into_iter().map(Result::unwrap_err) {
            let told = (error.kind(), error.effect());
            assert_eq!(told, (ErrorKind::OutOfMemory, Effect::NotApplied), "{error:?}");
        }
    }
    assert_eq!(ask(&server, &["DBSIZE"]).as_deref(), Some("0"));
}

/// A store on the other side of a proxy that has seen no value yet.
async fn beside(proxy: &Proxy) -> RedisStore {
    connect(config(proxy.port())).await
}

#[tokio::test(flavor = "multi_thread")]
async fn values_of_unknown_size_come_in_replies_of_a_mebibyte() {
    let (_server, proxy, writer) = proxied(PATIENCE).await;
    let names = names(64);
    let bytes = MIB / 2;
    fill(&writer, &names, bytes).await;
    let store = beside(&proxy).await;
    are_named(get_all(&store, &names).await, &names, bytes);
    are_named(get_all(&store, &names).await, &names, bytes);
    assert!(proxy.traffic().largest_reply <= PART, "{:?}", proxy.traffic());
}

#[tokio::test(flavor = "multi_thread")]
async fn values_that_grew_come_in_bounded_replies_from_the_second_on() {
    let (server, store) = direct().await;
    let names = names(200);
    fill(&store, &names, 10).await;
    for _ in 0..3 {
        are_named(get_all(&store, &names).await, &names, 10);
    }
    fill(&connect(config(server.port())).await, &names, 100 << 10).await;
    are_named(get_all(&store, &names).await, &names, 100 << 10);
    ask(&server, &["CONFIG", "RESETSTAT"]);
    are_named(get_all(&store, &names).await, &names, 100 << 10);
    let requests = ["get", "mget", "evalsha"].map(|it| called(&server, it)).iter().sum::<u64>();
    assert!(requests >= 20, "{requests} requests for 20 MiB");
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_leave_in_requests_of_a_mebibyte_and_large_ones_alone() {
    let (_server, proxy, store) = proxied(PATIENCE).await;
    let names = names(300);
    for bytes in [60 << 10, MIB / 8] {
        let sets = names.iter().map(|name| store.set(name, value(name, bytes), Write::ALWAYS));
        assert!(join_all(sets).await.iter().all(Result::is_ok));
        are_named(get_all(&store, &names).await, &names, bytes);
    }
    assert!(proxy.traffic().largest_request <= PART, "{:?}", proxy.traffic());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_line_when_the_store_is_closed_is_still_answered() {
    let (server, store) = direct().await;
    let names = names(1_000);
    fill(&store, &names, 0).await;
    let sets = join_all(names.iter().map(|name| store.set(name, value(name, 1), Write::ALWAYS)));
    let all = async { tokio::join!(biased; get_all(&store, &names), sets) };
    let ((gets, sets), closed) = tokio::join!(biased; all, store.close());
    closed.unwrap();
    assert!(gets.into_iter().all(|it| it.unwrap().is_some()) && sets.iter().all(Result::is_ok));
    assert_eq!(ask(&server, &["GET", "key:999"]).as_deref(), Some("key:999."));
    for error in get_all(&store, &names).await.into_iter().map(Result::unwrap_err) {
        assert_eq!(error.kind(), ErrorKind::Closed);
    }
}

#[test]
fn who_is_in_line_when_the_runtime_of_the_store_ends_is_told() {
    let server = RedisServer::start().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (proxy, store) = runtime.block_on(async {
        let proxy = Proxy::start(("127.0.0.1", server.port())).await.unwrap();
        let store = connect(config(proxy.port())).await;
        (proxy, store)
    });
    proxy.set_mode(Mode::HoldReplies);
    let names = names(300);
    let other = tokio::runtime::Runtime::new().unwrap();
    let told = other.block_on(async {
        let mut gets = Box::pin(get_all(&store, &names));
        assert!(futures_util::poll!(&mut gets).is_pending());
        runtime.shutdown_background();
        timeout(PATIENCE, gets).await.expect("nobody waits for ever")
    });
    for error in told.into_iter().map(Result::unwrap_err) {
        assert_eq!(error.kind(), ErrorKind::Connection, "{error:?}");
    }
}
