//! What is left of queues that were purged or removed.

use kv_core::queue::{Control, MAX_BATCH};

use super::*;

#[tokio::test]
async fn three_hundred_queues_that_were_removed_leave_no_key_and_nothing_in_the_maps() {
    let store = Arc::new(MapStore::default());
    let engine = engine(&store, 1);
    for _ in 0..300 {
        engine.open("q", 1).await.unwrap();
        engine.submit(&partition(), submit(&["a", "b"])).await.unwrap();
        assert_eq!(engine.exchange(&partition(), claim(1, 1)).await.unwrap().claimed.len(), 1);
        engine.remove("q", 1).await.unwrap();
    }
    assert_eq!(store.keys(""), Vec::<String>::new());
    assert_eq!(engine.queues.read().unwrap().len(), 0);
}

#[tokio::test]
async fn a_purge_leaves_no_body() {
    let store = Arc::new(MapStore::default());
    let engine = open(&store).await;
    for _ in 0..3 {
        engine.submit(&partition(), submit(&["a"; MAX_BATCH])).await.unwrap();
    }
    let purged = engine.control(&partition(), Control::Purge).await.unwrap();
    assert_eq!((purged.affected, purged.more), (3 * MAX_BATCH, false));
    assert_eq!(store.keys("").len(), 2, "the index and the number of partitions");
}
