//! A job that takes its process with it, each time.

use kv_queue::Worker;
use kv_testbed::ChildTest;

use crate::bench::{LEASE, SECOND, builder, frozen, queue, store_at};

const PORT: &str = "OC_KV_FAULTS_POISONED";

/// Not a test of its own: the process that the job takes with it.
#[tokio::test]
async fn child_that_aborts_at_a_poison_job() {
    let Some(port) = std::env::var(PORT).ok() else { return };
    let store = store_at(port.parse().unwrap()).await;
    let queue = builder::<String>().open(&store).await.unwrap();
    // One at a time, so that the poison takes no other job with it.
    let work = Worker::new(queue).concurrency(1).until_drained().run(|delivery| async move {
        if delivery.payload() == "poison" {
            std::process::abort();
        }
        Ok::<(), String>(())
    });
    work.await.unwrap();
}

#[tokio::test]
async fn a_job_that_aborts_its_process_each_time_is_dead_after_its_crashes_with_its_payload() {
    let server = frozen();
    let queue = queue::<String>(&server).await;
    queue.enqueue_many(["good".to_owned(), "poison".to_owned()]).await.unwrap();
    let start = || {
        let port = server.port().to_string();
        ChildTest::start("poison::child_that_aborts_at_a_poison_job", &[(PORT, &port)]).unwrap()
    };
    for crash in 0..3 {
        assert!(!start().ended().unwrap(), "crash {crash}: the process survived");
        assert!(queue.dead_letters(9).await.unwrap().is_empty(), "dead after {crash} crashes");
        server.clock().unwrap().advance(LEASE + SECOND).unwrap();
    }
    assert!(start().ended().unwrap(), "the fourth process sees no poison");
    let letters = queue.dead_letters(9).await.unwrap();
    assert_eq!((letters.len(), letters[0].crashes, letters[0].failures), (1, 3, 0));
    assert_eq!(&*letters[0].payload, br#""poison""#);
    let stats = queue.stats().await.unwrap();
    assert_eq!((stats.done, stats.outstanding()), (1, 0));
}
