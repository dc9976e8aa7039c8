//! Which keys a full store gives up.

use crate::support::{block_on, living, manual, ms, put, stats, value};
use kv_core::{Condition, KeyValueStore, Lifetime, Write};
use kv_memory::MemoryStore;

/// Fills a store, keeps reading a hot tenth while ten times as many keys pass by once, and tells
/// which part of the hot keys is left.
fn hot_keys_left(capacity: usize, writes_per_read: usize) -> f64 {
    let store = MemoryStore::builder().max_entries(capacity).seed(1).build();
    let hot: Vec<String> = (0..capacity / 10).map(|n| format!("hot:{n}")).collect();
    for key in &hot {
        put(&store, key, "v", Write::ALWAYS);
        let _ = value(&store, key);
    }
    let mut next = hot.iter().cycle();
    for n in 0..10 * capacity {
        put(&store, &format!("cold:{n}"), "v", Write::ALWAYS);
        if n % writes_per_read == 0 {
            let _ = value(&store, next.next().unwrap());
        }
        assert!(stats(&store).keys <= Some(capacity as u64));
    }
    let left = hot.iter().filter(|key| value(&store, key).is_some()).count();
    left as f64 / hot.len() as f64
}

#[test]
fn a_hot_tenth_that_is_read_again_survives_a_scan() {
    for (capacity, writes_per_read) in [(100, 1), (1_000, 1), (1_000, 5), (20_000, 10)] {
        let left = hot_keys_left(capacity, writes_per_read);
        assert!(left >= 0.95, "{left} of the hot keys left of {capacity}, {writes_per_read}");
    }
}

#[test]
fn keys_that_were_hot_once_make_room_in_the_end() {
    let store = MemoryStore::builder().max_entries(1_000).seed(1).build();
    let keys = |name: &str| (0..1_000).map(|n| format!("{name}:{n}")).collect::<Vec<_>>();
    for key in keys("old") {
        put(&store, &key, "v", Write::ALWAYS);
        let _ = value(&store, &key);
    }
    for round in 0..12 {
        for key in keys(&format!("new{round}")) {
            put(&store, &key, "v", Write::ALWAYS);
        }
    }
    let left = keys("old").iter().filter(|key| value(&store, key).is_some()).count();
    assert!(left < 50, "{left} of 1,000 unused keys left");
}

#[test]
fn the_least_recently_used_of_a_few_keys_goes_first() {
    let store = MemoryStore::builder().max_entries(3).build();
    for key in ["a", "b", "c"] {
        put(&store, key, "v", Write::ALWAYS);
    }
    let _ = value(&store, "a");
    put(&store, "d", "v", Write::ALWAYS);
    assert_eq!(value(&store, "b"), None);
    assert!(["a", "c", "d"].iter().all(|key| value(&store, key).is_some()));
}

#[test]
fn a_bound_of_zero_counts_as_one() {
    for bound in [0, 1] {
        let store = MemoryStore::builder().max_entries(bound).build();
        put(&store, "a", "v", Write::ALWAYS);
        put(&store, "b", "v", Write::ALWAYS);
        assert_eq!((value(&store, "a"), stats(&store).keys), (None, Some(1)));
        assert_eq!(value(&store, "b").as_deref(), Some("v"));
    }
}

#[test]
fn a_full_store_holds_exactly_its_bound() {
    let store = MemoryStore::builder().max_entries(50_000).build();
    for n in 0..50_000 {
        put(&store, &n.to_string(), "v", Write::ALWAYS);
    }
    assert_eq!((stats(&store).keys, stats(&store).evicted), (Some(50_000), Some(0)));
    put(&store, "one more", "v", Write::ALWAYS);
    assert_eq!((stats(&store).keys, stats(&store).evicted), (Some(50_000), Some(1)));
}

#[test]
fn overwriting_a_key_of_a_full_store_evicts_nothing() {
    let store = MemoryStore::builder().max_entries(2).build();
    put(&store, "a", "v", Write::ALWAYS);
    put(&store, "b", "v", Write::ALWAYS);
    put(&store, "a", "w", Write::ALWAYS);
    assert_eq!((stats(&store).keys, stats(&store).evicted), (Some(2), Some(0)));
}

#[test]
fn expired_keys_are_dropped_before_a_live_one_is_evicted() {
    let (builder, clock) = manual();
    let store = builder.max_entries(10_000).build();
    for n in 0..9_000 {
        put(&store, &format!("live:{n}"), "v", Write::ALWAYS);
    }
    for n in 0..1_000 {
        put(&store, &format!("brief:{n}"), "v", living(10));
    }
    clock.advance(ms(10));
    for n in 0..1_000 {
        put(&store, &format!("new:{n}"), "v", Write::ALWAYS);
    }
    assert_eq!((stats(&store).evicted, stats(&store).expired), (Some(0), Some(1_000)));
    assert_eq!(stats(&store).keys, Some(10_000));
}

#[test]
fn a_counter_evicts_as_a_value_does() {
    let store = MemoryStore::builder().max_entries(5).build();
    for n in 0..20 {
        let lifetime = Lifetime::Never;
        assert_eq!(block_on(store.increment(&n.to_string(), 1, lifetime)).unwrap(), 1);
    }
    assert_eq!((stats(&store).keys, stats(&store).evicted), (Some(5), Some(15)));
}

/// Four writers at once; how many keys there are is checked after each write.
fn write_together(store: &MemoryStore, check: impl Fn(Option<u64>) + Copy + Send) {
    std::thread::scope(|scope| {
        for writer in 0..4 {
            scope.spawn(move || {
                for n in 0..5_000 {
                    put(store, &format!("{writer}:{n}"), "v", Write::ALWAYS);
                    check(stats(store).keys);
                }
            });
        }
    });
}

#[test]
fn concurrent_writers_end_within_the_bound() {
    let store = MemoryStore::builder().max_entries(100).build();
    write_together(&store, |keys| assert!(keys <= Some(103)));
    assert_eq!(stats(&store).keys, Some(100));
}

#[test]
fn a_seed_makes_evictions_repeatable() {
    let left = |seed| {
        let store = MemoryStore::builder().max_entries(500).seed(seed).build();
        let keys = (0..2_000).map(|n| n.to_string());
        keys.clone().for_each(|key| put(&store, &key, "v", Write::ALWAYS));
        keys.filter(|key| value(&store, key).is_some()).collect::<Vec<_>>()
    };
    assert_eq!(left(1), left(1));
    assert_ne!(left(1), left(2));
}

#[test]
fn a_write_never_evicts_its_own_key() {
    let store = MemoryStore::builder().max_entries(3).build();
    for key in ["a", "b", "c"] {
        put(&store, key, "v", Write::ALWAYS);
        let _ = value(&store, key);
    }
    put(&store, "new", "v", Write::ALWAYS);
    assert_eq!(value(&store, "new").as_deref(), Some("v"));
}

#[test]
fn writers_that_evict_together_leave_the_store_full() {
    let store = MemoryStore::builder().max_entries(1).build();
    write_together(&store, |keys| assert!(keys >= Some(1), "every record was evicted"));
    assert_eq!(stats(&store).keys, Some(1));
}

/// How many of a thousand plain writes later are left of these keys.
fn left_after_a_thousand_writes(store: &MemoryStore, keys: &[&str]) -> usize {
    for n in 0..1_000 {
        put(store, &format!("cache:{n}"), "v", Write::ALWAYS);
    }
    keys.iter().filter(|key| value(store, key).is_some()).count()
}

#[test]
fn what_was_counted_or_written_under_a_condition_outlives_a_cache() {
    for capacity in [6, 500, 20_000] {
        let store = MemoryStore::builder().max_entries(capacity).seed(1).build();
        for n in 0..capacity {
            put(&store, &format!("old:{n}"), "v", Write::ALWAYS);
        }
        let count = || block_on(store.increment("count", 1, Lifetime::Never)).unwrap();
        assert_eq!((count(), count()), (1, 2));
        put(&store, "lock", "v", Write::ALWAYS.condition(Condition::Absent));
        put(&store, "lock", "v", Write::ALWAYS.condition(Condition::Present));
        put(&store, "session", "v", Write::ALWAYS);
        let version = block_on(store.get("session")).unwrap().unwrap().version;
        put(&store, "session", "w", Write::ALWAYS.condition(Condition::Version(version)));
        assert_eq!(left_after_a_thousand_writes(&store, &["count", "lock", "session"]), 3);
        assert_eq!(count(), 3);
        assert_eq!(stats(&store).keys, Some(capacity as u64));
    }
}

#[test]
fn the_last_write_decides_and_a_lifetime_changes_nothing() {
    let store = MemoryStore::builder().max_entries(5).build();
    let absent = || Write::ALWAYS.condition(Condition::Absent);
    for key in ["plain again", "touched", "cached"] {
        put(&store, key, "v", absent());
    }
    put(&store, "plain again", "v", Write::ALWAYS);
    assert!(block_on(store.touch("touched", Lifetime::In(ms(1_000)))).unwrap());
    block_on(store.set_cached("cached", "v".into(), absent())).unwrap();
    assert!(block_on(store.delete("cached", Condition::Always)).unwrap());
    block_on(store.set_cached("cached", "v".into(), absent())).unwrap();
    assert_eq!(left_after_a_thousand_writes(&store, &["plain again", "cached"]), 0);
    assert!(value(&store, "touched").is_some());
}

#[test]
fn where_no_plain_entry_is_left_the_least_recently_used_of_the_others_goes() {
    let store = MemoryStore::builder().max_entries(3).build();
    for key in ["a", "b", "c", "d"] {
        put(&store, key, "v", Write::ALWAYS.condition(Condition::Absent));
    }
    let left = ["a", "b", "c", "d"].map(|key| value(&store, key).is_some());
    assert_eq!(left, [false, true, true, true]);
    put(&store, "plain", "v", Write::ALWAYS);
    assert!(value(&store, "plain").is_some(), "a write does not evict its own key");
    put(&store, "e", "v", Write::ALWAYS.condition(Condition::Absent));
    let left = ["b", "c", "d", "e"].iter().filter(|key| value(&store, key).is_some()).count();
    assert!(value(&store, "plain").is_none() && left == 3, "{left}");
}

#[test]
fn entries_that_have_expired_go_before_any_other() {
    let (builder, clock) = manual();
    let store = builder.max_entries(2).build();
    let dying = living(10).condition(Condition::Absent);
    put(&store, "dying", "v", dying);
    put(&store, "plain", "v", Write::ALWAYS);
    clock.advance(ms(10));
    put(&store, "new", "v", Write::ALWAYS);
    assert!(value(&store, "plain").is_some());
    assert_eq!((stats(&store).evicted, stats(&store).expired), (Some(0), Some(1)));
}
