//! Walks over the keys, while others change them.

use std::collections::BTreeSet;

use crate::support::{block_on, page, put, stats, walk};
use kv_core::{Condition, Cursor, ErrorKind, KeyValueStore, Pattern, ScanRequest, Write};
use kv_memory::MemoryStore;

fn filled(keys: usize) -> MemoryStore {
    let store = MemoryStore::builder().seed(1).build();
    for n in 0..keys {
        put(&store, &format!("stay:{n}"), "v", Write::ALWAYS);
    }
    store
}

#[test]
fn a_walk_over_a_quiet_store_visits_every_key_once() {
    let store = filled(5_000);
    for limit in [1, 7, 1_000, usize::MAX] {
        let keys = walk(&store, limit, || ());
        assert_eq!(keys.len(), 5_000, "limit {limit}");
        assert_eq!(keys.into_iter().collect::<BTreeSet<_>>().len(), 5_000, "limit {limit}");
    }
}

#[test]
fn a_page_is_bounded_whatever_is_asked_for() {
    let store = filled(5_000);
    for (limit, most) in [(0, 1), (10, 10), (usize::MAX, 1_000)] {
        assert!(page(&store, None, limit).0.len() <= most, "limit {limit}");
    }
}

#[test]
fn a_walk_misses_no_key_that_stays_while_others_come_and_go() {
    let seed = 3;
    let (mut random, store) = (fastrand::Rng::with_seed(seed), filled(1_000));
    let mut turn = 0;
    let keys = walk(&store, 13, || {
        for _ in 0..100 {
            turn += 1;
            put(&store, &format!("come:{turn}"), "v", Write::ALWAYS);
            let gone = format!("come:{}", random.u32(..=turn));
            block_on(store.delete(&gone, Condition::Always)).unwrap();
        }
    });
    let stayed = keys.iter().filter(|key| key.starts_with("stay:")).collect::<BTreeSet<_>>();
    assert_eq!(stayed.len(), 1_000, "seed {seed}");
}

#[test]
fn a_walk_misses_no_key_that_stays_while_most_are_deleted() {
    let store = filled(2_000);
    let mut gone = 0;
    let keys = walk(&store, 10, || {
        for _ in 0..30 {
            if gone < 1_800 {
                block_on(store.delete(&format!("stay:{gone}"), Condition::Always)).unwrap();
            }
            gone += 1;
        }
    });
    for n in 1_800..2_000 {
        assert!(keys.contains(&format!("stay:{n}")), "{n} is missing");
    }
    assert_eq!(stats(&store).keys, Some(200));
}

#[test]
fn a_walk_misses_no_key_that_stays_while_other_threads_write() {
    let store = filled(2_000);
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for n in (0_u64..).take_while(|_| !done.load(std::sync::atomic::Ordering::Relaxed)) {
                put(&store, &format!("come:{}", n % 500), "v", Write::ALWAYS);
                let gone = format!("come:{}", n * 7 % 500);
                block_on(store.delete(&gone, Condition::Always)).unwrap();
            }
        });
        for _ in 0..20 {
            let keys: BTreeSet<_> = walk(&store, 50, || ()).into_iter().collect();
            assert_eq!(keys.iter().filter(|key| key.starts_with("stay:")).count(), 2_000);
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    });
}

#[test]
fn only_keys_that_match_are_on_a_page() {
    let store = filled(10);
    put(&store, "other", "v", Write::ALWAYS);
    let pattern = Pattern::new("stay:[0-4]").unwrap();
    let request = ScanRequest { pattern: &pattern, cursor: None, limit: 100 };
    let mut keys = block_on(store.scan(request)).unwrap().keys;
    keys.sort();
    assert_eq!(keys, ["stay:0", "stay:1", "stay:2", "stay:3", "stay:4"]);
}

#[test]
fn a_foreign_cursor_is_refused() {
    let store = filled(10);
    let pattern = Pattern::new("*").unwrap();
    for note in
        ["", "17", "memory:64:0", "memory:-1:0", "memory:0", "memory:0:99999999999999999999"]
    {
        let cursor = Cursor::new(note);
        let request = ScanRequest { pattern: &pattern, cursor: Some(&cursor), limit: 10 };
        let error = block_on(store.scan(request)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidKey, "{note:?}");
    }
}
