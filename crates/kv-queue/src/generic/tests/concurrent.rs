//! Several processes at once: every job is delivered, and settled once.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use kv_core::queue::{Counts, Handle, Operation, Verdict};

use super::*;

const PROCESSES: u64 = 4;
const JOBS: u32 = 10;

/// One process: submits its jobs, then claims, checkpoints and acks until nothing is left.
async fn process(store: Arc<MapStore>, number: u64) -> Result<Vec<Handle>, String> {
    let engine = engine(&store, number);
    let text = |error: kv_core::Error| error.to_string();
    engine.open("q", 1).await.map_err(text)?;
    for job in 0..JOBS {
        let body = format!("{number}/{job}");
        engine.submit(&partition(), submit(&[&body])).await.map_err(text)?;
    }
    let mut settled = Vec::new();
    let session = |request: Exchange| {
        let name = format!("{number}").into();
        Exchange { session: Session { name, ..request.session }, ..request }
    };
    for request in 0..1_000 {
        let ask = session(claim(3 * request, 2));
        let claimed = engine.exchange(&partition(), ask).await.map_err(text)?.claimed;
        if claimed.is_empty() {
            return Ok(settled);
        }
        let handles: Vec<_> = claimed.iter().map(|one| one.handle).collect();
        let save = Operation::Checkpoint { state: "half".into(), progress: 1 };
        let operations = handles.iter().map(|handle| (*handle, save.clone())).collect();
        let ask = session(Exchange { operations, ..exchange(3 * request + 1) });
        engine.exchange(&partition(), ask).await.map_err(text)?;
        let ask = session(Exchange { acks: handles.clone(), ..exchange(3 * request + 2) });
        let verdicts = engine.exchange(&partition(), ask).await.map_err(text)?.acks;
        if verdicts.iter().any(|verdict| *verdict != Verdict::Applied) {
            return Err(format!("{verdicts:?}"));
        }
        settled.extend(handles);
    }
    Err("it does not end".to_owned())
}

/// All processes on one store; `Err` says what went wrong.
async fn run(store: Arc<MapStore>) -> Result<(), String> {
    let tasks: Vec<_> =
        (1..=PROCESSES).map(|number| tokio::spawn(process(Arc::clone(&store), number))).collect();
    let mut settled = Vec::new();
    for task in tasks {
        settled.extend(task.await.map_err(|error| error.to_string())??);
    }
    let all = PROCESSES * u64::from(JOBS);
    let keys: BTreeSet<_> = settled.iter().map(|handle| handle.key).collect();
    let engine = open(&store).await;
    let counts = engine.inspect(&partition(), Inspect::Counts).await;
    let expected = Counts { entered: all, done: all, ..Counts::default() };
    let blobs = store.keys(":body:");
    match counts {
        Ok(Inspected::Counts(counts))
            if counts == expected && keys.len() == settled.len() && blobs.is_empty() =>
        {
            Ok(())
        }
        other => Err(format!("{} settled, {other:?}, left {blobs:?}", settled.len())),
    }
}

#[tokio::test(start_paused = true)]
async fn concurrent_processes_settle_every_job_once_and_leave_nothing() {
    for seed in 0..30 {
        let done = run(Arc::new(MapStore::interleaved(seed))).await;
        done.unwrap_or_else(|why| panic!("seed {seed}: {why}"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_ignores_conditions_is_caught() {
    let mut caught = 0;
    for seed in 0..10 {
        let store = MapStore::interleaved(seed);
        store.blind.store(true, Ordering::SeqCst);
        caught += usize::from(run(Arc::new(store)).await.is_err());
    }
    assert_eq!(caught, 10);
}

#[tokio::test(start_paused = true)]
async fn steps_of_one_engine_take_turns_and_never_lose_an_attempt() {
    let store = Arc::new(MapStore::interleaved(3));
    let engine = Arc::new(open(&store).await);
    let tasks: Vec<_> = (0..50)
        .map(|_| {
            let engine = Arc::clone(&engine);
            tokio::spawn(async move { engine.submit(&partition(), submit(&["a"])).await })
        })
        .collect();
    let before = tokio::time::Instant::now();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    assert_eq!(before.elapsed(), Duration::ZERO, "no attempt paused");
}
