//! Which keys a full store gives up.

use crate::support::{block_on, living, manual, ms, put, stats, value};
use kv_core::{KeyValueStore, Write};
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
        let lifetime = kv_core::Lifetime::Never;
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
