//! Values, versions, conditions, counters and batches.

use crate::support::{block_on, manual, put, stats, value};
use kv_core::{
    Capabilities, Command, Condition, ErrorKind, KeyValueStore, Lifetime, Outcome, Reply, Version,
    Write,
};
use kv_memory::MemoryStore;

fn version(store: &MemoryStore, key: &str) -> Version {
    block_on(store.get(key)).unwrap().unwrap().version
}

#[test]
fn every_condition_is_checked_by_set() {
    let store = MemoryStore::new();
    let set = |condition| {
        let write = Write::ALWAYS.condition(condition);
        block_on(store.set("k", "v".into(), write)).unwrap().is_written()
    };
    assert!(!set(Condition::Present));
    assert!(!set(Condition::Version(Version::from_number(0))));
    assert!(set(Condition::Absent));
    assert!(!set(Condition::Absent));
    assert!(set(Condition::Present));
    let seen = version(&store, "k");
    assert!(set(Condition::Version(seen.clone())));
    assert!(!set(Condition::Version(seen)));
    assert!(!set(Condition::Version(Version::of_value("v".into()))));
}

#[test]
fn every_condition_is_checked_by_delete() {
    let store = MemoryStore::new();
    put(&store, "k", "v", Write::ALWAYS);
    let old = version(&store, "k");
    put(&store, "k", "v", Write::ALWAYS);
    let delete = |condition| block_on(store.delete("k", condition)).unwrap();
    assert!(!delete(Condition::Absent));
    assert!(!delete(Condition::Version(old)));
    assert!(delete(Condition::Version(version(&store, "k"))));
    assert!(!delete(Condition::Always) && !delete(Condition::Absent));
    put(&store, "k", "v", Write::ALWAYS);
    assert!(delete(Condition::Present));
}

#[test]
fn a_version_never_comes_back() {
    let store = MemoryStore::new();
    let mut seen = Vec::new();
    for _ in 0..100 {
        put(&store, "k", "same", Write::ALWAYS);
        let version = version(&store, "k");
        assert!(!seen.contains(&version));
        seen.push(version);
        block_on(store.delete("k", Condition::Always)).unwrap();
    }
}

#[test]
fn the_version_of_a_write_is_the_one_that_is_read() {
    let store = MemoryStore::new();
    for text in ["created", "replaced"] {
        let outcome = block_on(store.set("k", text.into(), Write::ALWAYS)).unwrap();
        assert_eq!(outcome, Outcome::Written(version(&store, "k")));
    }
}

#[test]
fn another_lifetime_is_the_same_version() {
    let store = MemoryStore::new();
    put(&store, "k", "v", Write::ALWAYS);
    let before = version(&store, "k");
    block_on(store.touch("k", Lifetime::In(crate::support::ms(60_000)))).unwrap();
    assert_eq!(version(&store, "k"), before);
}

#[test]
fn a_counter_that_cannot_count_stays_as_it_is() {
    let store = MemoryStore::new();
    put(&store, "text", "forty", Write::ALWAYS);
    put(&store, "full", "9223372036854775807", Write::ALWAYS);
    for key in ["text", "full"] {
        let before = value(&store, key);
        let error = block_on(store.increment(key, 1, Lifetime::Never)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WrongType);
        assert_eq!(value(&store, key), before);
    }
}

#[test]
fn a_taken_entry_is_gone() {
    let store = MemoryStore::new();
    put(&store, "k", "v", Write::ALWAYS);
    let seen = version(&store, "k");
    let taken = block_on(store.take("k")).unwrap().unwrap();
    assert_eq!((taken.value, taken.version), ("v".into(), seen));
    assert!(block_on(store.take("k")).unwrap().is_none());
}

#[test]
fn many_keys_are_answered_in_their_order() {
    let store = MemoryStore::new();
    let pairs = ["a", "b"].map(|key| (key.to_owned(), key.into())).to_vec();
    block_on(store.set_many(pairs, Lifetime::Never)).unwrap();
    let entries = block_on(store.get_many(&["b", "none", "a"])).unwrap();
    let values: Vec<_> = entries.into_iter().map(|found| found.map(|entry| entry.value)).collect();
    assert_eq!(values, [Some("b".into()), None, Some("a".into())]);
    assert_eq!(block_on(store.delete_many(&["a", "none", "b"])).unwrap(), 2);
}

#[test]
fn commands_are_executed_in_order_with_an_answer_each() {
    let store = MemoryStore::new();
    let key = || "k".to_owned();
    let commands = vec![
        Command::Exists { key: key() },
        Command::Set { key: key(), value: "no".into(), write: Write::ALWAYS },
        Command::Increment { key: key(), by: 1, lifetime: Lifetime::Never },
        Command::Delete { key: key(), condition: Condition::Always },
        Command::Increment { key: key(), by: 3, lifetime: Lifetime::Never },
        Command::Touch { key: key(), lifetime: Lifetime::Keep },
        Command::Get { key: key() },
        Command::Take { key: key() },
        Command::Ttl { key: key() },
    ];
    let replies = block_on(store.execute(commands)).unwrap();
    assert_eq!(replies[0].as_ref().unwrap(), &Reply::Flag(false));
    assert_eq!(replies[2].as_ref().unwrap_err().kind(), ErrorKind::WrongType);
    assert_eq!(replies[4].as_ref().unwrap(), &Reply::Number(3));
    assert_eq!(replies[5].as_ref().unwrap(), &Reply::Flag(true));
    assert_eq!(replies[6].as_ref().unwrap(), replies[7].as_ref().unwrap());
    assert_eq!(replies[8].as_ref().unwrap(), &Reply::Remaining(None));
}

#[test]
fn what_is_declared_is_all_but_what_needs_copies_or_other_processes() {
    let declared = MemoryStore::new().capabilities();
    let all = Capabilities::TTL | Capabilities::CONDITIONS | Capabilities::COUNTERS;
    assert_eq!(declared, all | Capabilities::WATCH);
}

#[test]
fn statistics_count_keys_bytes_hits_and_misses() {
    let store = MemoryStore::new();
    put(&store, "key", "value", Write::ALWAYS);
    put(&store, "key", "longer value", Write::ALWAYS);
    put(&store, "other", "", Write::ALWAYS);
    let _ = (value(&store, "key"), value(&store, "none"), store.get_now("key"));
    let stats = stats(&store);
    assert_eq!((stats.keys, stats.bytes), (Some(2), Some(3 + 12 + 5)));
    assert_eq!((stats.hits, stats.misses), (Some(2), Some(1)));
    assert_eq!((stats.expired, stats.evicted), (Some(0), Some(0)));
}

#[test]
fn the_time_of_the_store_is_the_date_of_its_clock() {
    let (builder, clock) = manual();
    let store = builder.build();
    clock.advance(crate::support::ms(1_500));
    assert_eq!(block_on(store.now()).unwrap(), kv_core::Clock::wall(&clock));
}

#[test]
fn debug_shows_neither_keys_nor_values() {
    let store = MemoryStore::new();
    put(&store, "secret-key", "secret-value", Write::ALWAYS);
    let shown = format!("{store:?}");
    assert!(shown.contains("keys: 1") && !shown.contains("secret"), "{shown}");
}
