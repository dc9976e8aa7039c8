//! How a worker stops, and keeps leases until then, whatever its handlers and the store do.

use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use kv_core::ErrorKind;
use kv_core::queue::Operation;
use kv_queue::{CancellationToken, Worker};
use tokio::time::sleep;

use crate::watched::{Call, Watched};

const MS: Duration = Duration::from_millis(1);

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_handler_that_blocks_its_thread_does_not_hold_up_the_stop() {
    let watched = Watched::new();
    let queue = watched.queue(1).await;
    queue.enqueue_many([1, 2]).await.unwrap();
    let (stop, (unblock, blocked)) = (CancellationToken::new(), mpsc::channel::<()>());
    let (begun, mut has_begun) = tokio::sync::mpsc::unbounded_channel();
    let blocked = Arc::new(Mutex::new(blocked));
    let worker = Worker::new(queue.clone()).concurrency(1).prefetch(1).stop_on(stop.clone());
    let run = tokio::spawn(worker.stop_within(MS * 50).run(move |_| {
        let (begun, blocked) = (begun.clone(), Arc::clone(&blocked));
        async move {
            begun.send(()).unwrap();
            // Until the test drops its end: the worker must not wait for that.
            let _ = blocked.lock().unwrap().recv();
            Ok::<(), String>(())
        }
    }));
    has_begun.recv().await.unwrap();
    stop.cancel();
    let summary = tokio::time::timeout(MS * 30_000, run).await.expect("it stops").unwrap();
    assert_eq!(summary.unwrap().handed_back, 2);
    assert_eq!(queue.stats().await.unwrap().ready, 2);
    drop(unblock);
}

/// How many extensions arrived.
fn extensions(watched: &Watched) -> usize {
    let is_extension = |it: &&Operation| matches!(it, Operation::Extend { .. });
    let calls = watched.take_calls();
    let counts = calls.iter().map(|call| match call {
        Call::Exchange { operations, .. } => operations.iter().filter(is_extension).count(),
        _ => 0,
    });
    counts.sum()
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_failed_is_tried_again_soon_and_not_at_the_next_beat() {
    let watched = Watched::new();
    let queue = watched.queue(1).await;
    queue.enqueue(1).await.unwrap();
    let stop = CancellationToken::new();
    let worker = Worker::new(queue).stop_on(stop.clone()).stop_within(MS);
    let run = tokio::spawn(worker.run(|_| std::future::pending::<Result<(), String>>()));
    // Leases of 3 s are renewed each second. The refusal is not one that requests are repeated on.
    sleep(MS * 950).await;
    watched.fail(Some(ErrorKind::Backpressure));
    sleep(MS * 250).await;
    watched.fail(None);
    extensions(&watched);
    sleep(MS * 300).await;
    assert_eq!(extensions(&watched), 1, "before the next beat, and once");
    stop.cancel();
    assert_eq!(run.await.unwrap().unwrap().handed_back, 1);
}
