//! What an operator sees in the log, and what nobody sees there.

#![cfg(test)]

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_executor::block_on;
use kv_core::{KeyValueStore, Lifetime, Write};
use kv_memory::MemoryStore;
use kv_testkit::ManualClock;
use tracing::Level;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn logged(action: impl FnOnce()) -> String {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::with_default(subscriber, action);
    String::from_utf8(std::mem::take(&mut log.0.lock().unwrap())).unwrap()
}

#[test]
fn an_eviction_and_a_sweep_are_told_without_keys_and_values() {
    let clock = ManualClock::new();
    let log = logged(|| {
        let store = MemoryStore::builder().max_entries(2).clock(clock.clone()).build();
        let short = Write::ALWAYS.lifetime(Lifetime::In(Duration::from_secs(1)));
        for key in ["key-a", "key-b", "key-c"] {
            block_on(store.set(key, "value".into(), short.clone())).unwrap();
        }
        clock.advance(Duration::from_secs(2));
        assert_eq!(store.sweep(), 2);
    });
    assert!(log.contains("evicting keys") && log.contains("max_entries=2"), "{log}");
    assert!(log.contains("swept expired keys removed=2"), "{log}");
    assert!(!log.contains("key-") && !log.contains("value"), "{log}");
}
