//! What the verbs do on Redis in particular.

use std::time::Duration;

use kv_core::{
    Bytes, Command, Condition, Cursor, Effect, ErrorKind, KeyValueStore, Lifetime, Outcome,
    Pattern, Remaining, Reply, Version, Write,
};

use crate::support::{ask, direct, increment, scan, version, walk};

const LIVES: Lifetime = Lifetime::In(Duration::from_secs(600));

#[tokio::test(flavor = "multi_thread")]
async fn values_are_plain_strings_under_the_key_as_given() {
    let (server, store) = direct().await;
    let written = store.set("a:k", "value".into(), Write::ALWAYS).await.unwrap();
    assert_eq!(written, Outcome::Written(Version::of_value("value".into())));
    assert_eq!(ask(&server, &["GET", "a:k"]).as_deref(), Some("value"));
    ask(&server, &["SET", "a:k", "theirs"]);
    let entry = store.get("a:k").await.unwrap().unwrap();
    assert_eq!((entry.value, entry.version), ("theirs".into(), Version::of_value("theirs".into())));
}

#[tokio::test(flavor = "multi_thread")]
async fn any_bytes_come_back_as_they_went() {
    let (_server, store) = direct().await;
    let all: Bytes = (0..=255).collect::<Vec<u8>>().into();
    for value in [all, Bytes::new(), "nil".into(), "QUEUED".into(), "OK".into(), "-1".into()] {
        store.set("k", value.clone(), Write::ALWAYS).await.unwrap();
        assert_eq!(store.get("k").await.unwrap().unwrap().value, value);
        assert_eq!(store.get_many(&["k"]).await.unwrap()[0].as_ref().unwrap().value, value);
        let write = Write::ALWAYS.condition(Condition::Version(Version::of_value(value.clone())));
        assert!(store.set("k", "next".into(), write).await.unwrap().is_written());
        assert!(!store.delete("k", Condition::Version(Version::of_value(value))).await.unwrap());
    }
}

/// The driver's library takes some arrays for notices of PUBLISH, and loses count of the replies.
#[tokio::test(flavor = "multi_thread")]
async fn values_that_look_like_notices_are_values() {
    let (_server, store) = direct().await;
    let words = ["message", "pmessage", "smessage", "subscribe", "unsubscribe", "pubsub"];
    for first in words {
        for count in 1..=8_usize {
            let names: Vec<String> = (0..count).map(|at| format!("{first}{at}")).collect();
            let value = |at: usize| if at == 0 { first } else { words[at % words.len()] };
            let pairs = names.iter().enumerate().map(|(at, key)| (key.clone(), value(at).into()));
            store.set_many(pairs.collect(), Lifetime::Never).await.unwrap();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let entries = store.get_many(&names).await.unwrap();
            let values = entries.into_iter().map(|entry| entry.unwrap().value);
            assert!(values.enumerate().all(|(at, found)| found == value(at)), "{first} {count}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn conditions_and_lifetimes_combine() {
    let (server, store) = direct().await;
    let set = async |write| store.set("k", "v".into(), write).await.unwrap().is_written();
    assert!(!set(Write::ALWAYS.condition(Condition::Present)).await);
    assert!(set(Write::ALWAYS.condition(Condition::Absent).lifetime(LIVES)).await);
    assert!(!set(Write::ALWAYS.condition(Condition::Absent)).await);
    assert!(set(Write::ALWAYS.condition(version("v")).lifetime(Lifetime::Keep)).await);
    assert!(matches!(store.ttl("k").await.unwrap(), Some(Remaining::Expires(_))));
    assert!(set(Write::ALWAYS.condition(version("v"))).await);
    assert_eq!(store.ttl("k").await.unwrap(), Some(Remaining::Forever));
    assert!(set(Write::ALWAYS.condition(version("v")).lifetime(LIVES)).await);
    assert!(set(Write::ALWAYS.condition(Condition::Present).lifetime(Lifetime::Keep)).await);
    assert!(ask(&server, &["PTTL", "k"]).unwrap().parse::<i64>().unwrap() > 500_000);
    let foreign = Condition::Version(Version::from_number(1));
    assert!(!set(Write::ALWAYS.condition(foreign.clone())).await);
    assert!(!store.delete("k", foreign).await.unwrap());
    assert!(!store.delete("k", Condition::Absent).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_touch_says_whether_the_key_is_there() {
    let (_server, store) = direct().await;
    for lifetime in [Lifetime::Never, Lifetime::Keep, LIVES] {
        assert!(!store.touch("none", lifetime).await.unwrap());
    }
    store.set("k", "v".into(), Write::ALWAYS).await.unwrap();
    for lifetime in [Lifetime::Never, Lifetime::Keep, LIVES, Lifetime::Keep] {
        assert!(store.touch("k", lifetime).await.unwrap());
    }
    assert!(matches!(store.ttl("k").await.unwrap(), Some(Remaining::Expires(_))));
    let zero = store.touch("k", Lifetime::In(Duration::ZERO)).await.unwrap_err();
    assert_eq!(zero.kind(), ErrorKind::InvalidTtl);
    assert!(store.touch("k", Lifetime::In(Duration::MAX)).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn counters_are_exact_to_the_last_bit_and_live_as_created() {
    let (_server, store) = direct().await;
    let big = (1_i64 << 53) + 1;
    for (key, lifetime) in [("a", Lifetime::Never), ("b", LIVES)] {
        assert_eq!(store.increment(key, big, lifetime).await.unwrap(), big);
        let before = store.ttl(key).await.unwrap();
        assert_eq!(store.increment(key, -2, LIVES).await.unwrap(), big - 2);
        assert_eq!(before == Some(Remaining::Forever), key == "a");
        let sum = store.increment(key, i64::MAX - big + 2, lifetime).await.unwrap();
        assert_eq!(sum, i64::MAX);
        let overflow = store.increment(key, 1, lifetime).await.unwrap_err();
        assert_eq!(overflow.kind(), ErrorKind::WrongType, "{overflow:?}");
        assert_eq!(store.increment(key, i64::MIN, lifetime).await.unwrap(), -1);
    }
    assert_eq!(store.ttl("a").await.unwrap(), Some(Remaining::Forever));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_type_is_named_and_stays() {
    let (server, store) = direct().await;
    ask(&server, &["RPUSH", "list", "item"]);
    store.set("text", "forty".into(), Write::ALWAYS).await.unwrap();
    let write = Write::ALWAYS.condition(version("v"));
    let errors = [
        store.get("list").await.unwrap_err(),
        store.take("list").await.unwrap_err(),
        store.increment("list", 1, Lifetime::Never).await.unwrap_err(),
        store.increment("list", 1, LIVES).await.unwrap_err(),
        store.increment("text", 1, Lifetime::Never).await.unwrap_err(),
        store.increment("text", 1, LIVES).await.unwrap_err(),
        store.set("list", "v".into(), write).await.unwrap_err(),
    ];
    for error in errors {
        assert_eq!((error.kind(), error.effect()), (ErrorKind::WrongType, Effect::NotApplied));
        assert!(error.failed_key().is_some() && error.failed_operation().is_some());
    }
    assert_eq!(ask(&server, &["LLEN", "list"]).as_deref(), Some("1"));
    assert_eq!(ask(&server, &["PTTL", "text"]).as_deref(), Some("-1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_keys_travel_in_parts_and_keep_their_order() {
    let (_server, store) = direct().await;
    let keys: Vec<String> = (0..2_345).map(|at| format!("k{at}")).collect();
    for lifetime in [Lifetime::Never, LIVES] {
        let pairs = keys.iter().map(|key| (key.clone(), Bytes::from(key.clone())));
        store.set_many(pairs.collect(), lifetime).await.unwrap();
        let names: Vec<&str> = keys.iter().map(String::as_str).chain(["none"]).collect();
        let entries = store.get_many(&names).await.unwrap();
        assert_eq!(entries.len(), 2_346);
        assert!(entries.iter().zip(&keys).all(|(entry, key)| entry.as_ref().unwrap().value == key));
        assert_eq!(entries[2_345], None);
        assert_eq!(store.delete_many(&names).await.unwrap(), 2_345);
    }
    assert_eq!(store.get_many(&[]).await.unwrap(), []);
    assert_eq!(store.delete_many(&[]).await.unwrap(), 0);
    store.set_many(Vec::new(), Lifetime::Never).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_answers_each_command_in_order_errors_included() {
    let (server, store) = direct().await;
    ask(&server, &["RPUSH", "list", "item"]);
    let key = || "k".to_owned();
    let batch = vec![
        Command::Set { key: key(), value: "v".into(), write: Write::ALWAYS.lifetime(LIVES) },
        Command::Get { key: "list".into() },
        Command::Exists { key: key() },
        Command::Touch { key: key(), lifetime: Lifetime::Never },
        Command::Ttl { key: key() },
        Command::Touch { key: key(), lifetime: Lifetime::In(Duration::ZERO) },
        Command::Delete { key: key(), condition: Condition::Absent },
        increment("n"),
        Command::Take { key: key() },
        Command::Get { key: key() },
    ];
    let replies = store.execute(batch).await.unwrap();
    assert_eq!(replies.len(), 10);
    assert_eq!(replies[1].as_ref().unwrap_err().kind(), ErrorKind::WrongType);
    assert_eq!(replies[2].as_ref().unwrap(), &Reply::Flag(true));
    assert_eq!(replies[4].as_ref().unwrap(), &Reply::Remaining(Some(Remaining::Forever)));
    assert_eq!(replies[5].as_ref().unwrap_err().kind(), ErrorKind::InvalidTtl);
    assert_eq!(replies[6].as_ref().unwrap(), &Reply::Flag(false));
    assert_eq!(replies[7].as_ref().unwrap(), &Reply::Number(1));
    assert!(matches!(replies[8].as_ref().unwrap(), Reply::Entry(Some(_))));
    assert_eq!(replies[9].as_ref().unwrap(), &Reply::Entry(None));
    assert!(store.execute(Vec::new()).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_batch_is_executed_in_order() {
    let (_server, store) = direct().await;
    let replies = store.execute((0..3_500).map(|_| increment("n")).collect()).await.unwrap();
    for (reply, expected) in replies.into_iter().zip(1..) {
        assert_eq!(reply.unwrap(), Reply::Number(expected));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_beyond_what_redis_takes_is_refused_unsent() {
    let (_server, store) = direct().await;
    let huge = Bytes::from(vec![0; (512 << 20) + 1]);
    let error = store.set("k", huge.clone(), Write::ALWAYS).await.unwrap_err();
    assert_eq!((error.kind(), error.effect()), (ErrorKind::TooLarge, Effect::NotApplied));
    assert!(error.to_string().contains("536870912"), "{error}");
    let pairs = vec![("a".to_owned(), "v".into()), ("b".to_owned(), huge)];
    let error = store.set_many(pairs, Lifetime::Never).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert!(!store.exists("a").await.unwrap(), "a part was written");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_walk_finds_every_key_once_and_skips_what_no_text_can_name() {
    let (server, store) = direct().await;
    let keys: Vec<String> = (0..2_000).map(|at| format!("walk:{at:04}")).collect();
    let pairs = keys.iter().map(|key| (key.clone(), Bytes::new()));
    store.set_many(pairs.collect(), Lifetime::Never).await.unwrap();
    server.command(&[b"SET", b"walk:\xff", b"v"]).unwrap();
    server.command(&[b"SET", b"other", b"v"]).unwrap();
    assert_eq!(walk(&store, &Pattern::new("walk:*").unwrap()).await, keys);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_cursor_is_refused() {
    let (_server, store) = direct().await;
    for note in ["", "x", "-1", "1 0", "99999999999999999999999"] {
        let error = scan(&store, "*", Some(&Cursor::new(note))).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidKey, "{note:?}: {error:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clock_and_the_figures_are_the_servers() {
    let (server, store) = direct().await;
    store.set("k", "v".into(), Write::ALWAYS).await.unwrap();
    store.get("k").await.unwrap();
    store.get("none").await.unwrap();
    let stats = store.stats().await.unwrap();
    assert_eq!((stats.keys, stats.hits, stats.misses), (Some(1), Some(1), Some(1)));
    assert!(stats.bytes.unwrap() > 0 && stats.expired == Some(0) && stats.evicted == Some(0));
    let kv_testbed::Reply::Array(time) = server.cli(&["TIME"]).unwrap() else { panic!() };
    let seconds: u64 = time[0].text().unwrap().parse().unwrap();
    let now = store.now().await.unwrap().as_secs();
    assert!((seconds..seconds + 60).contains(&now), "{now} {seconds}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_or_read_only_server_says_so() {
    let (server, store) = direct().await;
    ask(&server, &["CONFIG", "SET", "maxmemory", "1"]);
    let full = store.set("k", "v".into(), Write::ALWAYS).await.unwrap_err();
    assert_eq!((full.kind(), full.effect()), (ErrorKind::OutOfMemory, Effect::NotApplied));
    let script = store.increment("n", 1, LIVES).await.unwrap_err();
    assert_eq!(script.kind(), ErrorKind::OutOfMemory, "{script:?}");
    ask(&server, &["CONFIG", "SET", "maxmemory", "0"]);
    ask(&server, &["REPLICAOF", "127.0.0.1", "1"]);
    for lifetime in [Lifetime::Never, LIVES] {
        let replica = store.increment("n", 1, lifetime).await.unwrap_err();
        assert_eq!((replica.kind(), replica.effect()), (ErrorKind::ReadOnly, Effect::NotApplied));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_listed_page_by_page_and_never_by_the_command_keys() {
    let (server, store) = direct().await;
    let store = kv_core::Store::new(store);
    store.set_many((0..3_000).map(|n| (n.to_string(), n)), Duration::from_secs(600)).await.unwrap();
    assert_eq!(store.keys("*").await.unwrap().len(), 3_000);
    let stats = ask(&server, &["INFO", "commandstats"]).unwrap();
    assert!(stats.contains("cmdstat_scan:") && !stats.contains("cmdstat_keys:"), "{stats}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_another_type_among_many_is_told_as_by_a_get() {
    let (server, store) = direct().await;
    ask(&server, &["RPUSH", "list", "item"]);
    store.set("text", "v".into(), Write::ALWAYS).await.unwrap();
    // Before any size is known a script is asked, then MGET, and GET for one key.
    for keys in [&["none", "list"][..], &["text", "none"], &["text", "list", "none"], &["list"]] {
        let found = store.get_many(keys).await;
        if !keys.contains(&"list") {
            assert_eq!(found.unwrap()[1], None);
            continue;
        }
        let error = found.unwrap_err();
        assert_eq!((error.kind(), error.effect()), (ErrorKind::WrongType, Effect::NotApplied));
        assert_eq!(error.failed_key(), (keys.len() > 1).then_some("list").or(error.failed_key()));
    }
    let typed = kv_core::Store::new(store);
    let each = typed.get_each::<u8>(["none", "list"]).await.unwrap();
    assert!(matches!(each[0], Ok(None)), "{each:?}");
    assert_eq!(each[1].as_ref().unwrap_err().kind(), ErrorKind::WrongType);
}
