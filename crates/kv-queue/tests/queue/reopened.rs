//! The generic engine on a durable store: what a queue holds outlives its process.

use std::time::Duration;

use kv_core::Store;
use kv_queue::{Job, Queue, QueueBuilder};
use kv_sqlite::SqliteStore;
use kv_testkit::ManualClock;

use crate::bench::FiveMethods;

const LEASE: Duration = Duration::from_secs(30);
const HOUR: Duration = Duration::from_secs(3_600);

fn builder() -> QueueBuilder<u32> {
    Queue::builder("reopened").lease(LEASE)
}

/// The file, of which the library is told nothing but the five methods.
async fn open(folder: &tempfile::TempDir, clock: ManualClock) -> (Store, Queue<u32>) {
    let path = folder.path().join("queue.db");
    let file = SqliteStore::builder(path).clock(clock).open().await.unwrap();
    let store = Store::new(FiveMethods(file));
    let queue = builder().open(&store).await.unwrap();
    (store, queue)
}

/// Jobs in every state: 1 is leased with a checkpoint, 2 is dead, 3 is ready, 4 waits for an hour.
async fn fill(queue: &Queue<u32>) -> u64 {
    queue.enqueue_many([Job::new(1).priority(0), Job::new(2).priority(1)]).await.unwrap();
    queue.enqueue(Job::new(3).unique("page")).await.unwrap();
    queue.enqueue(Job::new(4).delay(HOUR)).await.unwrap();
    let taken = queue.dequeue(2).await.unwrap();
    taken[0].checkpoint(&"half").await.unwrap();
    taken[1].fail("as the test asks for").await.unwrap();
    taken[0].token()
}

#[tokio::test]
async fn a_queue_of_the_generic_engine_outlives_its_process() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), ManualClock::new());
    for is_closed in [true, false] {
        let (store, queue) = open(&folder, clock.restarted()).await;
        queue.clear().await.unwrap();
        let token = fill(&queue).await;
        if is_closed {
            store.close().await.unwrap();
        }
        drop((store, queue));
        clock.advance(LEASE);
        let (_store, queue) = open(&folder, clock.restarted()).await;
        let stats = queue.stats().await.unwrap();
        let counts = (stats.ready, stats.timed, stats.leased, stats.dead);
        assert_eq!(counts, (1, 1, 1, 1), "closed: {is_closed}");
        assert!(queue.enqueue(Job::new(9).unique("page")).await.unwrap().is_duplicate());
        assert_eq!(&*queue.dead_letters(1).await.unwrap()[0].payload, b"2");
        let taken = queue.dequeue(9).await.unwrap();
        let payloads: Vec<u32> = taken.iter().map(|delivery| *delivery.payload()).collect();
        assert_eq!(payloads, [1, 3], "the lease has ended, and the job comes again");
        assert_eq!(taken[0].restore::<String>().unwrap().as_deref(), Some("half"));
        assert!(taken[0].token() > token);
        for delivery in taken {
            delivery.ack().await.unwrap();
        }
        clock.advance(HOUR);
        assert_eq!(*queue.dequeue(9).await.unwrap().pop().unwrap().payload(), 4);
    }
    let (store, _queue) = open(&folder, clock.restarted()).await;
    let other = builder().partitions(2).open(&store).await.unwrap_err();
    assert_eq!(other.kind(), kv_core::ErrorKind::Config, "the number of partitions stays");
}
