//! A process that is stopped for longer than its lease, and then goes on as if nothing were.

use kv_queue::{CancellationToken, Worker};
use kv_testbed::{ChildTest, RedisServer};

use crate::bench::{LEASE, SECOND, builder, frozen, kind, one, queue, store_at};

const PORT: &str = "OC_KV_FAULTS_PAUSED";

async fn child_queue() -> Option<kv_queue::Queue<u32>> {
    let port = std::env::var(PORT).ok()?.parse().unwrap();
    Some(builder().lease(SECOND * 3).open(&store_at(port).await).await.unwrap())
}

fn child(test: &str, server: &RedisServer) -> ChildTest {
    ChildTest::start(test, &[(PORT, &server.port().to_string())]).unwrap()
}

/// Not a test of its own: the process that the next one stops.
#[tokio::test]
async fn child_that_holds_a_job() {
    let Some(queue) = child_queue().await else { return };
    let delivery = one(&queue).await;
    delivery.checkpoint("the child's").await.unwrap();
    ChildTest::say("holds", delivery.token());
    ChildTest::told();
    let refused = [
        kind(delivery.checkpoint("the child's, too late").await),
        kind(delivery.extend(LEASE).await),
        kind(delivery.snooze(SECOND).await),
        kind(delivery.retry(SECOND).await),
        kind(delivery.fail("no").await),
        kind(delivery.ack().await),
    ];
    ChildTest::say("refused", format!("{refused:?}"));
}

#[tokio::test]
async fn a_process_that_was_stopped_beyond_its_lease_settles_and_saves_nothing() {
    let server = frozen();
    let queue = queue::<u32>(&server).await;
    queue.enqueue(7).await.unwrap();
    let mut child = child("pauses::child_that_holds_a_job", &server);
    let token: u64 = child.hear("holds").unwrap().parse().unwrap();
    child.pause().unwrap();
    server.clock().unwrap().advance(SECOND * 4).unwrap();
    let again = one(&queue).await;
    assert_eq!((again.delivery(), again.token() > token), (2, true));
    assert_eq!(again.restore::<String>().unwrap().as_deref(), Some("the child's"));
    again.checkpoint("the other's").await.unwrap();
    child.tell("go on").unwrap();
    child.resume().unwrap();
    let refused = child.hear("refused").unwrap();
    assert_eq!(refused.matches("Some(Conflict)").count(), 6, "{refused}");
    assert!(child.ended().unwrap());
    again.snooze(std::time::Duration::ZERO).await.unwrap();
    let last = one(&queue).await;
    assert_eq!(last.restore::<String>().unwrap().as_deref(), Some("the other's"));
    last.ack().await.unwrap();
    assert!(queue.drained().await.unwrap());
}

/// Says so when it is dropped, and ends the worker.
struct Handler(CancellationToken);

impl Drop for Handler {
    fn drop(&mut self) {
        ChildTest::say("dropped", "");
        self.0.cancel();
    }
}

/// Not a test of its own: the process that the next one stops.
#[tokio::test]
async fn child_that_works_for_ever() {
    let Some(queue) = child_queue().await else { return };
    let stop = CancellationToken::new();
    let worker = Worker::new(queue).stop_on(stop.clone());
    let work = worker.run(move |_| {
        let handler = Handler(stop.clone());
        async move {
            ChildTest::say("works", "");
            let _handler = handler;
            std::future::pending::<Result<(), String>>().await
        }
    });
    ChildTest::say("lost", work.await.unwrap().lost);
}

#[tokio::test]
async fn a_worker_that_was_stopped_beyond_its_lease_drops_the_job_that_is_no_longer_its() {
    let server = RedisServer::builder().clock().start().unwrap();
    let queue = queue::<u32>(&server).await;
    queue.enqueue(7).await.unwrap();
    let mut child = child("pauses::child_that_works_for_ever", &server);
    child.hear("works").unwrap();
    child.pause().unwrap();
    server.clock().unwrap().advance(SECOND * 4).unwrap();
    let again = one(&queue).await;
    child.resume().unwrap();
    child.hear("dropped").unwrap();
    assert_eq!(child.hear("lost").unwrap(), "1");
    again.ack().await.unwrap();
    assert!(queue.drained().await.unwrap());
}
