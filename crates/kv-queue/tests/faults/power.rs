//! The machine loses power: of the append-only file, the end is gone.
//!
//! A kill alone does not show it, since what was written is in the system's memory. So the file
//! is cut where a loss of power would have left it.

mod history;

use std::collections::HashMap;

use fastrand::Rng;
use kv_queue::JobId;

use self::history::{History, Snapshot};
use crate::agreement::{assert_adds_up, assert_agrees};
use crate::bench::HOUR;

const STEPS: usize = 200;
const CUTS: usize = 12;

#[tokio::test]
async fn after_a_loss_of_power_the_queue_is_as_it_was_when_its_file_ended() {
    let seed = fastrand::u64(..);
    println!("seed={seed}");
    let mut rng = Rng::with_seed(seed);
    let mut history = History::of(STEPS, rng.fork()).await;
    for _ in 0..CUTS {
        let step = rng.usize(..STEPS);
        history.cut(history.end_of(step)).await;
        assert_eq!(history.snapshot().await, *history.snapshot_after(step), "after step {step}");
        assert_agrees(&history.server);
    }
}

#[tokio::test]
async fn a_file_that_ends_inside_a_write_brings_no_job_twice_and_none_half() {
    let seed = fastrand::u64(..);
    println!("seed={seed}");
    let mut rng = Rng::with_seed(seed);
    let mut history = History::of(STEPS, rng.fork()).await;
    for _ in 0..CUTS {
        let size = rng.u64(history.end_of(0)..history.end_of(STEPS - 1));
        history.cut(size).await;
        assert_agrees(&history.server);
        let (earlier, later) = history.snapshots_around(size);
        let snapshot = history.snapshot().await;
        assert!(
            (earlier.entered()..=later.entered()).contains(&snapshot.entered()),
            "{snapshot:?}"
        );
        assert_all_come_once(&history, snapshot).await;
    }
}

/// Every job that is left can be taken and settled, once, with its payload.
async fn assert_all_come_once(history: &History, snapshot: Snapshot) {
    history.server.clock().unwrap().advance(HOUR).unwrap();
    let queue = history.open().await;
    let mut left: HashMap<JobId, u64> = HashMap::new();
    for delivery in queue.dequeue(STEPS * 10).await.unwrap() {
        assert_eq!(history.jobs.get(&delivery.id()), Some(delivery.payload()));
        assert_eq!(left.insert(delivery.id(), *delivery.payload()), None, "it came twice");
        delivery.ack().await.unwrap();
    }
    let stats = queue.stats().await.unwrap();
    assert_adds_up(&stats);
    assert_eq!(stats.outstanding(), 0);
    // What was cancelled while it ran, or crashed too often, ends otherwise than by an ack.
    assert!(left.len() as u64 <= snapshot.outstanding(), "{snapshot:?}");
    assert_agrees(&history.server);
}
