use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};
use std::thread::JoinHandle;
use std::time::Duration;
use std::{future::Future, pin::pin};

use futures_executor::block_on;
use futures_util::future::join_all;
use kv_core::{Command, Effect, Error, ErrorKind, KeyValueStore, Lifetime, Result, Write};

use crate::file::Session;
use crate::{SqliteStore, SqliteStoreBuilder};

struct Bench {
    _folder: tempfile::TempDir,
    store: SqliteStore,
}

impl Bench {
    fn new() -> Self {
        Self::with(|builder| builder)
    }

    fn with(configure: impl FnOnce(SqliteStoreBuilder) -> SqliteStoreBuilder) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let builder = configure(SqliteStore::builder(folder.path().join("k.db")));
        Self { store: block_on(builder.open()).unwrap(), _folder: folder }
    }

    fn value(&self, key: &str) -> Option<Vec<u8>> {
        block_on(self.store.get(key)).unwrap().map(|entry| entry.value.to_vec())
    }

    /// Keeps the committing thread at a step until it is told to go on.
    fn stall(&self) -> Stalled {
        let (go_on, told) = channel();
        let (begun, has_begun) = channel();
        let gate: Mutex<(Sender<()>, Receiver<()>)> = Mutex::new((begun, told));
        let workers = Arc::clone(self.store.workers());
        let step = move |_: &Session| {
            let gate = gate.lock().unwrap();
            let _ = gate.0.send(());
            let _ = gate.1.recv_timeout(Duration::from_secs(60));
            Ok(())
        };
        let step = std::thread::spawn(move || block_on(workers.write(0, false, step)));
        has_begun.recv().unwrap();
        Stalled { go_on, step }
    }
}

struct Stalled {
    go_on: Sender<()>,
    step: JoinHandle<Result<()>>,
}

impl Stalled {
    fn release(self) -> Result<()> {
        let _ = self.go_on.send(());
        self.step.join().unwrap()
    }
}

/// Lets a call get in line.
fn begin<F: Future>(future: std::pin::Pin<&mut F>) {
    assert!(future.poll(&mut Context::from_waker(Waker::noop())).is_pending());
}

#[test]
fn a_write_that_is_in_line_when_its_time_is_over_never_happens() {
    let bench = Bench::with(|builder| builder.timeout(Duration::from_millis(50)));
    let stalled = bench.stall();
    let error = block_on(bench.store.set("k", "v".into(), Write::ALWAYS)).unwrap_err();
    assert_eq!((error.kind(), error.effect()), (ErrorKind::Timeout, Effect::NotApplied));
    let error = stalled.release().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert_eq!(error.effect(), Effect::MaybeApplied, "a step that runs is whole or absent");
    let set = || block_on(bench.store.set("l", "v".into(), Write::ALWAYS));
    kv_testbed::eventually(Duration::from_secs(60), || set().ok()).unwrap();
    let read = || block_on(bench.store.get("k")).ok();
    assert_eq!(kv_testbed::eventually(Duration::from_secs(60), read).unwrap(), None);
}

#[test]
fn a_dropped_write_that_is_in_line_never_happens() {
    let bench = Bench::new();
    let stalled = bench.stall();
    {
        let mut dropped = pin!(bench.store.set("k", "v".into(), Write::ALWAYS));
        begin(dropped.as_mut());
    }
    stalled.release().unwrap();
    block_on(bench.store.set("l", "v".into(), Write::ALWAYS)).unwrap();
    assert_eq!(bench.value("k"), None);
}

#[test]
fn a_read_does_not_wait_for_a_writer() {
    let bench = Bench::new();
    block_on(bench.store.set("k", "v".into(), Write::ALWAYS)).unwrap();
    let stalled = bench.stall();
    assert_eq!(bench.value("k").unwrap(), b"v");
    stalled.release().unwrap();
}

#[test]
fn what_gathers_is_committed_together_and_a_bad_step_harms_itself_only() {
    let bench = Bench::new();
    block_on(bench.store.set("word", "forty".into(), Write::ALWAYS)).unwrap();
    let stalled = bench.stall();
    let set = |number: i64| bench.store.set("last", number.to_string().into(), Write::ALWAYS);
    let mut sets: Vec<_> = (0..100).map(|number| Box::pin(set(number))).collect();
    let mut bad = pin!(bench.store.increment("word", 1, Lifetime::Never));
    for (number, set) in sets.iter_mut().enumerate() {
        begin(set.as_mut());
        if number == 50 {
            begin(bad.as_mut());
        }
    }
    stalled.release().unwrap();
    assert!(block_on(join_all(sets)).into_iter().all(|set| set.is_ok()));
    assert_eq!(block_on(bad).unwrap_err().kind(), ErrorKind::WrongType);
    assert_eq!(bench.value("last").unwrap(), b"99");
}

#[test]
fn a_full_file_refuses_what_does_not_fit_and_keeps_all_else() {
    let bench = Bench::new();
    let fill = |session: &Session| {
        let pages = session.pragma("PRAGMA page_count").map_err(|error| session.error(error))?;
        let limit = format!("PRAGMA max_page_count = {}", pages.unwrap_or_default() + 40);
        session.pragma(&limit).map(drop).map_err(|error| session.error(error))
    };
    block_on(bench.store.workers().write(0, false, fill)).unwrap();
    let stalled = bench.stall();
    let large = bench.store.set("large", vec![7; 1 << 20].into(), Write::ALWAYS);
    let small = |n: u32| bench.store.set("small", n.to_string().into(), Write::ALWAYS);
    let mut calls = [Box::pin(small(1)), Box::pin(large), Box::pin(small(2))];
    calls.iter_mut().for_each(|call| begin(call.as_mut()));
    stalled.release().unwrap();
    let [before, large, after] = calls.map(block_on);
    assert!(before.is_ok() && after.is_ok());
    let error = large.unwrap_err();
    assert_eq!((error.kind(), error.effect()), (ErrorKind::OutOfMemory, Effect::NotApplied));
    assert!(error.to_string().contains("k.db: the disk"), "{error}");
    assert_eq!(bench.value("small").unwrap(), b"2");
    assert_eq!(bench.value("large"), None);
    let batch = vec![
        Command::Set { key: "small".into(), value: "3".into(), write: Write::ALWAYS },
        Command::Set { key: "l".into(), value: vec![7; 1 << 20].into(), write: Write::ALWAYS },
    ];
    let replies = block_on(bench.store.execute(batch)).unwrap();
    let kinds = replies.into_iter().map(|reply| reply.map_err(|error: Error| error.kind()));
    assert!(kinds.eq([Err(ErrorKind::OutOfMemory), Err(ErrorKind::OutOfMemory)]), "or none of it");
    assert_eq!(bench.value("small").unwrap(), b"2");
}

#[test]
fn a_line_that_is_full_refuses_more_and_works_off_the_rest() {
    let bench = Bench::new();
    let stalled = bench.stall();
    let mut calls: Vec<_> = (0..crate::inbox::MAX_CALLS)
        .map(|_| Box::pin(bench.store.increment("n", 1, Lifetime::Never)))
        .collect();
    calls.iter_mut().for_each(|call| begin(call.as_mut()));
    let error = block_on(bench.store.increment("n", 1, Lifetime::Never)).unwrap_err();
    assert_eq!((error.kind(), error.effect()), (ErrorKind::Backpressure, Effect::NotApplied));
    // All but the last few are withdrawn.
    calls.drain(10..);
    stalled.release().unwrap();
    assert!(block_on(join_all(calls)).into_iter().all(|sum| sum.is_ok()));
    assert_eq!(bench.value("n").unwrap(), b"10");
}

#[test]
fn closing_does_what_is_in_line_and_refuses_what_comes_later() {
    let bench = Bench::new();
    let stalled = bench.stall();
    let mut set = Box::pin(bench.store.set("k", "v".into(), Write::ALWAYS));
    begin(set.as_mut());
    let mut close = Box::pin(bench.store.close());
    begin(close.as_mut());
    let refused = block_on(bench.store.set("l", "v".into(), Write::ALWAYS)).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Closed);
    stalled.release().unwrap();
    block_on(set).unwrap();
    block_on(close).unwrap();
    let again = block_on(SqliteStore::open(bench.store.path())).unwrap();
    assert_eq!(block_on(again.get("k")).unwrap().unwrap().value, "v");
}

#[test]
fn many_handles_may_be_dropped_without_a_runtime_and_the_file_is_free() {
    let bench = Bench::new();
    let path = bench.store.path().to_owned();
    let (clone, engine) = (bench.store.clone(), bench.store.queue_engine());
    drop((clone, engine));
    let Bench { _folder, store } = bench;
    let weak = Arc::downgrade(store.workers());
    drop(store);
    assert!(weak.upgrade().is_none(), "no thread keeps the store");
    let again = block_on(SqliteStore::open(path)).unwrap();
    block_on(again.set("k", "v".into(), Write::ALWAYS)).unwrap();
}
