//! Runs random calls on several threads and records what they asked and got, and when.

use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use fastrand::Rng;
use kv_core::{Bytes, Condition, Entry, KeyValueStore, Lifetime, Outcome, Version, Write};

use crate::support::block_on;

/// How many keys the threads fight over.
pub(crate) const KEYS: usize = 3;

/// A value and the number of its version.
pub(crate) type Seen = (i64, u64);

/// A call and its answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Call {
    Get(Option<Seen>),
    Take(Option<Seen>),
    Set(Seen),
    /// The value, and the version if it was written.
    SetIfAbsent(i64, Option<u64>),
    /// The version that was expected, the value, and the version if it was written.
    SetIfVersion(u64, i64, Option<u64>),
    Delete(bool),
    Increment(i64),
}

/// A call by one thread on one key, and the moments before and after it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Operation {
    pub(crate) thread: usize,
    pub(crate) key: usize,
    pub(crate) call: Call,
    pub(crate) invoked: u64,
    pub(crate) returned: u64,
}

/// A history of `threads × calls` operations.
pub(crate) fn record(
    store: &dyn KeyValueStore,
    threads: usize,
    calls: usize,
    seed: u64,
) -> Vec<Operation> {
    let (moments, start) = (AtomicU64::new(0), Barrier::new(threads));
    let run = |thread: usize| {
        let mut caller = Caller::new(store, thread, seed);
        start.wait();
        let one = |_| {
            let key = caller.random.usize(0..KEYS);
            let invoked = moments.fetch_add(1, Ordering::SeqCst);
            let call = caller.call(key);
            let returned = moments.fetch_add(1, Ordering::SeqCst);
            Operation { thread, key, call, invoked, returned }
        };
        (0..calls).map(one).collect::<Vec<_>>()
    };
    thread::scope(|scope| {
        let run = &run;
        let running: Vec<_> = (0..threads).map(|thread| scope.spawn(move || run(thread))).collect();
        running.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    })
}

struct Caller<'a> {
    store: &'a dyn KeyValueStore,
    random: Rng,
    /// The next value to write: no other write stores it.
    next: i64,
    /// The last version that was read under each key.
    last: [u64; KEYS],
}

impl<'a> Caller<'a> {
    fn new(store: &'a dyn KeyValueStore, thread: usize, seed: u64) -> Self {
        let random = Rng::with_seed(seed * 1_000 + thread as u64);
        Self { store, random, next: (thread as i64 + 1) << 40, last: [0; KEYS] }
    }

    fn call(&mut self, key: usize) -> Call {
        let (store, name) = (self.store, ["a", "b", "c"][key]);
        self.next += 1_000;
        let next = self.next;
        match self.random.u32(0..8) {
            0 | 1 => {
                let seen = block_on(store.get(name)).unwrap().as_ref().map(seen);
                self.last[key] = seen.map_or(self.last[key], |(_, version)| version);
                Call::Get(seen)
            }
            2 => Call::Take(block_on(store.take(name)).unwrap().as_ref().map(seen)),
            3 => Call::Set((next, set(store, name, next, Condition::Always).unwrap())),
            4 => Call::SetIfAbsent(next, set(store, name, next, Condition::Absent)),
            5 => {
                let expected = self.last[key];
                let condition = Condition::Version(Version::from_number(expected));
                Call::SetIfVersion(expected, next, set(store, name, next, condition))
            }
            6 => Call::Delete(block_on(store.delete(name, Condition::Always)).unwrap()),
            _ => Call::Increment(block_on(store.increment(name, 1, Lifetime::Never)).unwrap()),
        }
    }
}

fn seen(entry: &Entry) -> Seen {
    let text = std::str::from_utf8(&entry.value).unwrap();
    (text.parse().unwrap(), entry.version.as_number().unwrap())
}

/// The version, if the value was written.
fn set(store: &dyn KeyValueStore, key: &str, value: i64, condition: Condition) -> Option<u64> {
    let write = Write::ALWAYS.condition(condition);
    match block_on(store.set(key, Bytes::from(value.to_string()), write)).unwrap() {
        Outcome::Written(version) => version.as_number(),
        Outcome::ConditionFailed => None,
    }
}
