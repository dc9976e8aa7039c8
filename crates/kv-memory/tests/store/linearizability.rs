//! Concurrent histories are linearizable: every answer is that of some order of single steps in
//! which no call comes before one that had ended when it began.

mod checker;
mod faults;
mod history;

use kv_memory::MemoryStore;

use checker::first_impossible;
use faults::{Fault, Faulty};
use history::{KEYS, record};

/// Threads that write one history.
const THREADS: usize = 4;

#[test]
fn a_million_concurrent_operations_are_linearizable() {
    let (histories, calls) = (40, 6_250);
    let mut operations = 0;
    for seed in 0..histories {
        let history = record(&MemoryStore::new(), THREADS, calls, seed);
        operations += history.len();
        assert_eq!(first_impossible(&history), None, "seed {seed}");
    }
    assert_eq!(operations, 1_000_000);
}

#[test]
fn a_store_with_room_for_just_these_keys_is_linearizable() {
    let store = MemoryStore::builder().max_entries(KEYS).build();
    let history = record(&store, THREADS, 5_000, 1);
    assert_eq!(first_impossible(&history), None);
}

#[test]
fn a_store_that_reads_then_writes_is_caught_in_every_verb() {
    for fault in [Fault::Increment, Fault::Take, Fault::Absent, Fault::Version, Fault::StaleRead] {
        let caught = (0..50).any(|seed| {
            let history = record(&Faulty::new(fault), THREADS, 1_000, seed);
            first_impossible(&history).is_some()
        });
        assert!(caught, "{fault:?} was not caught");
    }
}
