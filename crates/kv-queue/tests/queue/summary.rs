//! What a worker tells of the deliveries that it took in hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use kv_core::ErrorKind;
use kv_queue::{CancellationToken, Delivery, Queue, RetryPolicy, Undecodable, Worker};
use tokio::time::sleep;

use crate::watched::Watched;

type Done = Result<(), String>;

const SECOND: Duration = Duration::from_secs(1);

/// Does what a job's payload says, and says so at the first delivery only.
async fn handle(queue: Queue<u32>, delivery: Delivery<u32>) -> Done {
    let is_first = delivery.delivery() == 1;
    let settled = match *delivery.payload() {
        1 if is_first => return Err("once".to_owned()),
        2 if is_first => delivery.snooze(SECOND).await,
        3 => delivery.fail("for good").await,
        4 => return Err("each time".to_owned()),
        // An ack would do it all the same: its work is done.
        5 => {
            queue.cancel(&[delivery.id()]).await.map_err(|error| error.to_string())?;
            return Err("cancelled".to_owned());
        }
        6 => delivery.ack().await,
        7 => {
            delivery.ack().await.map_err(|error| error.to_string())?;
            return Err("after the ack".to_owned());
        }
        8 if is_first => delivery.retry(Duration::ZERO).await,
        _ => Ok(()),
    };
    settled.map_err(|error| error.to_string())
}

#[tokio::test(start_paused = true)]
async fn each_delivery_counts_once_as_what_became_of_it() {
    let watched = Watched::new();
    let (builder, store) = watched.builder();
    let retry = RetryPolicy::fixed(SECOND);
    let queue = builder
        .partitions(2)
        .max_failures(3)
        .retry(retry)
        .undecodable(Undecodable::Bury)
        .open(&store)
        .await
        .unwrap();
    let texts = Queue::<String>::builder("watched").partitions(2).open(&store).await.unwrap();
    queue.enqueue_many(0..9).await.unwrap();
    texts.enqueue("no number".to_owned()).await.unwrap();
    let handled = Arc::new(AtomicU64::new(0));
    let (count, own) = (Arc::clone(&handled), queue.clone());
    let run = Worker::new(queue).until_drained().run(move |delivery| {
        count.fetch_add(1, SeqCst);
        handle(own.clone(), delivery)
    });
    let summary = run.await.unwrap();
    assert_eq!((summary.done, summary.retried, summary.snoozed), (6, 4, 1));
    assert_eq!((summary.buried, summary.undecodable, summary.cancelled), (2, 1, 1));
    assert_eq!((summary.lost, summary.handed_back), (0, 0));
    assert_eq!(summary.deliveries(), handled.load(SeqCst) + 1);
}

#[tokio::test(start_paused = true)]
async fn deliveries_without_a_verdict_and_without_a_lease_are_lost() {
    let watched = Watched::new();
    let queue = watched.queue(2).await;
    queue.enqueue_many([1, 2]).await.unwrap();
    let stop = CancellationToken::new();
    let worker = Worker::new(queue).stop_on(stop.clone()).stop_within(SECOND);
    let run = tokio::spawn(worker.run(|delivery| async move {
        sleep(SECOND * *delivery.payload()).await;
        Done::Ok(())
    }));
    sleep(SECOND / 2).await;
    watched.fail(Some(ErrorKind::Backpressure));
    sleep(SECOND).await;
    watched.fail(None);
    watched.hold(0);
    watched.hold(1);
    sleep(SECOND).await;
    stop.cancel();
    let summary = run.await.unwrap().unwrap();
    assert_eq!((summary.lost, summary.deliveries()), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn a_second_ack_is_told_that_the_first_settled_the_delivery() {
    let watched = Watched::new();
    let queue = watched.queue(1).await;
    queue.enqueue(1).await.unwrap();
    let delivery = queue.dequeue(1).await.unwrap().remove(0);
    delivery.ack().await.unwrap();
    for error in [delivery.ack().await, delivery.retry(SECOND).await, delivery.extend(SECOND).await]
    {
        let error = error.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict);
        assert!(error.to_string().contains("already settled by `ack`"), "{error}");
    }
}
