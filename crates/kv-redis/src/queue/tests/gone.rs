//! Queues that come and go leave nothing in this process.

use std::time::Duration;

use kv_core::queue::{Partition, QueueEngine};

use super::planted::engine;
use super::subject::frozen;

#[tokio::test]
async fn three_hundred_queues_that_were_removed_leave_nothing_in_the_maps() {
    let server = frozen();
    let engine = engine(&server.url(), |_| {}).await;
    for run in 0..300 {
        let at = Partition { queue: format!("!kv:queue:run-{run}").into(), number: 1 };
        engine.open(&at.queue, 2).await.unwrap();
        assert_eq!(engine.opened.read().unwrap().len(), 1);
        engine.wait(std::slice::from_ref(&at), Duration::from_millis(1)).await.unwrap();
        engine.remove(&at.queue, 2).await.unwrap();
    }
    assert_eq!(engine.opened.read().unwrap().len(), 0);
    assert_eq!(server.cli(&["DBSIZE"]).unwrap().integer(), Some(0));
}
