//! Reads on real threads beside writes, evictions, expiry and sweeps.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::task::{Context, Waker};
use std::time::Duration;

use crate::support::{block_on, living, manual, ms, put, stats, value};
use kv_core::{Bytes, Condition, ErrorKind, KeyValueStore, Lifetime, Version, Write};
use kv_memory::MemoryStore;

/// Runs `write` until `read` returns on each of two other threads.
fn beside(read: impl Fn() + Sync, mut write: impl FnMut()) {
    let reading = AtomicU64::new(2);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                // Counted down in a panic too, or the writer would never end.
                let _ends = Ends(&reading);
                read();
            });
        }
        while reading.load(Ordering::SeqCst) > 0 {
            write();
        }
    });
}

struct Ends<'a>(&'a AtomicU64);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// What a reader sees of a key whose value is the number of its write.
fn seen(store: &MemoryStore, key: &str) -> Option<(u64, Version)> {
    let entry = store.get_now(key)?.unwrap()?;
    Some((std::str::from_utf8(&entry.value).unwrap().parse().unwrap(), entry.version))
}

fn set(store: &MemoryStore, key: &str, number: u64, write: Write) -> Option<Version> {
    let value = Bytes::from(number.to_string());
    match block_on(store.set(key, value, write)).unwrap() {
        kv_core::Outcome::Written(version) => Some(version),
        kv_core::Outcome::ConditionFailed => None,
    }
}

#[test]
fn a_reader_never_sees_an_older_value_again_nor_one_with_anothers_version() {
    let store = MemoryStore::new();
    let first = set(&store, "k", 0, Write::ALWAYS).unwrap();
    let mut number = 0;
    let read = || {
        let mut last = (0, first.clone());
        for _ in 0..20_000 {
            let now = seen(&store, "k").unwrap();
            assert!(now.0 >= last.0, "{} after {}", now.0, last.0);
            assert_eq!(now.0 == last.0, now.1 == last.1, "a version is that of its value");
            last = now;
        }
    };
    beside(read, || {
        number += 1;
        set(&store, "k", number, Write::ALWAYS);
    });
}

#[test]
fn a_key_that_is_overwritten_is_there_for_every_reader_while_others_come_and_go() {
    let store = MemoryStore::new();
    put(&store, "stays", "0", Write::ALWAYS);
    let mut number = 0_u64;
    let read = || {
        for _ in 0..20_000 {
            assert!(seen(&store, "stays").is_some());
            assert_eq!(seen(&store, "never"), None);
        }
    };
    // Many keys at once, so that tables grow and shrink under the readers.
    beside(read, || {
        number += 1;
        set(&store, "stays", number, living(60_000));
        (0..500).for_each(|n| put(&store, &format!("{n}"), "1", living(60_000)));
        for n in 0..500 {
            assert!(block_on(store.delete(&format!("{n}"), Condition::Always)).unwrap());
        }
    });
    assert_eq!(stats(&store).keys, Some(1));
}

#[test]
fn every_hit_and_every_miss_of_every_thread_is_counted() {
    let store = MemoryStore::new();
    put(&store, "k", "1", Write::ALWAYS);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..5_000 {
                    assert!(seen(&store, "k").is_some() && seen(&store, "none").is_none());
                }
            });
        }
    });
    assert_eq!((stats(&store).hits, stats(&store).misses), (Some(40_000), Some(40_000)));
}

#[test]
fn a_key_that_has_expired_is_seen_by_nobody_again_whoever_sweeps() {
    let (builder, clock) = manual();
    let store = builder.max_entries(64).build();
    // The last generation of the key whose time is over, or may be.
    let over = AtomicU64::new(0);
    let mut number = 0;
    let read = || {
        for _ in 0..20_000 {
            let ended = over.load(Ordering::SeqCst);
            let now = seen(&store, "k").map_or(u64::MAX, |(number, _)| number);
            assert!(now > ended, "{now} is read after {ended} had expired");
            let _ = store.sweep();
        }
    };
    beside(read, || {
        number += 1;
        set(&store, "k", number, living(10));
        clock.advance(ms(10));
        over.store(number, Ordering::SeqCst);
    });
}

#[test]
fn a_full_store_evicts_under_its_readers_and_never_a_key_that_was_counted() {
    let store = MemoryStore::builder().max_entries(200).build();
    assert_eq!(block_on(store.increment("count", 7, Lifetime::Never)).unwrap(), 7);
    let mut number = 0_u64;
    let read = || {
        for n in 0..20_000_u64 {
            assert_eq!(seen(&store, "count").map(|(count, _)| count), Some(7));
            // Whatever is there is the value of its key.
            let key = (n % 1_000).to_string();
            assert!(value(&store, &key).is_none_or(|value| value == key));
        }
    };
    beside(read, || {
        number = (number + 1) % 1_000;
        set(&store, &number.to_string(), number, Write::ALWAYS);
        assert!(stats(&store).keys <= Some(200));
    });
}

#[test]
fn once_a_close_has_returned_every_reader_is_refused() {
    let closed = AtomicBool::new(false);
    let store = MemoryStore::new();
    (0..1_000).for_each(|n| put(&store, &n.to_string(), "1", Write::ALWAYS));
    let read = || {
        let mut n = 0_u64;
        loop {
            n = (n + 1) % 1_000;
            let was_closed = closed.load(Ordering::SeqCst);
            match store.get_now(&n.to_string()).unwrap() {
                Ok(found) => assert!(!was_closed && found.is_some(), "{n}: {found:?}"),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Closed);
                    if was_closed {
                        return;
                    }
                }
            }
        }
    };
    let mut turns = 0;
    beside(read, || {
        turns += 1;
        if turns == 100 {
            block_on(store.close()).unwrap();
            closed.store(true, Ordering::SeqCst);
        }
    });
}

/// A value that uses its own store when it is dropped, as a caller's own type may.
struct Asks(MemoryStore, Sender<Option<String>>);

impl AsRef<[u8]> for Asks {
    fn as_ref(&self) -> &[u8] {
        b"asks"
    }
}

impl Drop for Asks {
    fn drop(&mut self) {
        // Every shard, so that one that is still locked would never answer.
        (0..200).for_each(|n| at_once(self.0.set(&n.to_string(), Bytes::new(), Write::ALWAYS)));
        let found = self.0.get_now("k").unwrap().unwrap();
        let _ = self.1.send(found.map(|entry| String::from_utf8(entry.value.to_vec()).unwrap()));
    }
}

/// Runs a call within another one, which has the thread's executor.
fn at_once<T>(call: impl Future<Output = T>) {
    assert!(pin!(call).poll(&mut Context::from_waker(Waker::noop())).is_ready());
}

#[test]
fn a_value_that_is_replaced_deleted_or_expired_may_use_the_store_when_it_is_dropped() {
    let (builder, clock) = manual();
    let store = builder.build();
    let (sender, asked) = channel();
    // A thread that nobody joins: one that waits for itself must not hang the test.
    std::thread::spawn(move || {
        let fill = |write: Write| {
            let asks = Bytes::from_owner(Asks(store.clone(), sender.clone()));
            block_on(store.set("k", asks, write)).unwrap();
        };
        fill(Write::ALWAYS);
        put(&store, "k", "new", Write::ALWAYS);
        fill(Write::ALWAYS);
        assert!(block_on(store.delete("k", Condition::Always)).unwrap());
        fill(Write::ALWAYS);
        drop(block_on(store.take("k")).unwrap());
        fill(living(10));
        clock.advance(ms(10));
        assert_eq!(value(&store, "k"), None);
    });
    let answer = || asked.recv_timeout(Duration::from_secs(60)).expect("a shard is locked");
    assert_eq!(answer().as_deref(), Some("new"));
    (0..3).for_each(|_| assert_eq!(answer(), None));
}
