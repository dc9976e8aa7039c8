//! How concurrent settles share exchanges.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use kv_core::{Effect, Error, ErrorKind, Result};
use kv_queue::{Delivery, Queue};
use tokio::time::{Instant, sleep};

use crate::bench::Bench;
use crate::watched::{Call, Watched};

/// Tokio's time stands still while something can be done, so this passes when nothing can.
const MOMENT: Duration = Duration::from_millis(100);

/// Polls all in order, until all have ended.
pub(crate) async fn all<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut futures: Vec<_> = futures.into_iter().map(|one| (Box::pin(one), None)).collect();
    poll_fn(|context| {
        for (future, output) in &mut futures {
            if output.is_none()
                && let Poll::Ready(ready) = future.as_mut().poll(context)
            {
                *output = Some(ready);
            }
        }
        match futures.iter().all(|(_, output)| output.is_some()) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    })
    .await;
    futures.into_iter().filter_map(|(_, output)| output).collect()
}

async fn deliveries(queue: &Queue<u32>, n: u32) -> Vec<Delivery<u32>> {
    queue.enqueue_many(0..n).await.unwrap();
    let deliveries = queue.dequeue(n as usize).await.unwrap();
    assert_eq!(deliveries.len(), n as usize);
    deliveries
}

/// How many items each exchange brought, but for those that only claim.
fn sizes(calls: &[Call]) -> Vec<usize> {
    let sizes = calls.iter().filter_map(|call| match call {
        Call::Exchange { acks, operations, .. } => Some(acks + operations.len()),
        _ => None,
    });
    sizes.filter(|size| *size > 0).collect()
}

pub(crate) async fn each_of_many_settles_gets_its_own_verdict(bench: &Bench) {
    let queue = bench.queue::<u32>().await;
    let deliveries = deliveries(&queue, 50).await;
    for delivery in deliveries.iter().step_by(5) {
        delivery.ack().await.unwrap();
    }
    let settled = all(deliveries.iter().map(async |delivery| match delivery.payload() % 2 {
        0 => delivery.ack().await,
        _ => delivery.fail("as the test asks for").await,
    }));
    for (delivery, settled) in deliveries.iter().zip(settled.await) {
        let is_stale = settled.is_err_and(|error| error.kind() == ErrorKind::Conflict);
        assert_eq!(is_stale, delivery.payload() % 5 == 0, "job {}", delivery.payload());
    }
    let stats = queue.stats().await.unwrap();
    assert_eq!((stats.done, stats.dead, stats.outstanding()), (30, 20, 0));
}

pub(crate) async fn a_dropped_settle_blocks_no_other(bench: &Bench) {
    let queue = bench.queue::<u32>().await;
    let deliveries = deliveries(&queue, 20).await;
    deliveries[..10].iter().for_each(begin);
    let acked: Result<Vec<()>> =
        all(deliveries[10..].iter().map(Delivery::ack)).await.into_iter().collect();
    acked.unwrap();
    // Each is done by its dropped ack, or by this one.
    let _ = all(deliveries[..10].iter().map(Delivery::ack)).await;
    assert_eq!(queue.stats().await.unwrap().done, 20);
}

#[tokio::test(start_paused = true)]
async fn concurrent_settles_share_few_exchanges() {
    let watched = Watched::new();
    let queue = watched.queue(1).await;
    let deliveries = deliveries(&queue, 100).await;
    watched.take_calls();
    let settled = all(deliveries.iter().map(Delivery::ack)).await;
    assert!(settled.iter().all(Result::is_ok));
    let sizes = sizes(&watched.take_calls());
    assert_eq!(sizes.iter().sum::<usize>(), 100);
    assert!(sizes.len() <= 4, "{sizes:?}");
}

#[tokio::test(start_paused = true)]
async fn a_lone_settle_leaves_at_once_and_alone() {
    let watched = Watched::new();
    let queue = watched.queue(1).await;
    let delivery = deliveries(&queue, 1).await.remove(0);
    watched.take_calls();
    let before = Instant::now();
    delivery.ack().await.unwrap();
    assert!(before.elapsed().is_zero());
    assert_eq!(sizes(&watched.take_calls()), [1]);
}

#[tokio::test(start_paused = true)]
async fn what_gathers_while_an_exchange_is_under_way_leaves_together() {
    let watched = Watched::new();
    let queue = watched.queue(1).await;
    let deliveries = deliveries(&queue, 20).await;
    watched.take_calls();
    watched.hold(0);
    let rest = async {
        sleep(MOMENT).await;
        all(deliveries[1..].iter().map(Delivery::ack)).await
    };
    let (first, rest, ()) = tokio::join!(deliveries[0].ack(), rest, release(&watched));
    assert!(first.is_ok() && rest.iter().all(Result::is_ok));
    assert_eq!(sizes(&watched.take_calls()), [1, 19]);
}

#[tokio::test(start_paused = true)]
async fn an_error_of_a_shared_exchange_reaches_each_item() {
    let watched = Watched::new();
    let queue = watched.queue(1).await;
    let deliveries = deliveries(&queue, 10).await;
    watched.fail(Some(ErrorKind::Auth));
    for failed in all(deliveries.iter().map(Delivery::ack)).await {
        let error: Error = failed.unwrap_err();
        assert_eq!((error.kind(), error.effect()), (ErrorKind::Auth, Effect::NotApplied));
        assert!(error.to_string().ends_with(": as the test asked for"), "{error}");
    }
    watched.fail(None);
    assert!(all(deliveries.iter().map(Delivery::ack)).await.iter().all(Result::is_ok));
}

#[tokio::test(start_paused = true)]
async fn a_settle_rides_out_an_outage_of_seconds_and_a_look_gives_up_sooner() {
    let watched = Watched::new();
    let queue = watched.queue(1).await;
    let deliveries = deliveries(&queue, 1).await;
    watched.fail(Some(ErrorKind::Connection));
    let begin = Instant::now();
    assert_eq!(queue.dequeue(1).await.unwrap_err().kind(), ErrorKind::Connection);
    assert!(begin.elapsed() < MOMENT * 20, "{:?}", begin.elapsed());
    let back = async {
        sleep(MOMENT * 100).await;
        watched.fail(None);
    };
    let (settled, ()) = tokio::join!(deliveries[0].ack(), back);
    settled.unwrap();
    assert!(queue.drained().await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn large_states_share_no_more_than_a_mebibyte_and_one() {
    let watched = Watched::new();
    let queue = watched.queue(1).await;
    let (deliveries, state) = (deliveries(&queue, 20).await, "x".repeat(400 << 10));
    watched.take_calls();
    let saved = all(deliveries.iter().map(|delivery| delivery.checkpoint(&state))).await;
    assert!(saved.iter().all(Result::is_ok));
    let sizes = sizes(&watched.take_calls());
    assert!(sizes.iter().all(|size| *size <= 3) && sizes.len() < 15, "{sizes:?}");
}

#[tokio::test(start_paused = true)]
async fn more_than_a_request_takes_leaves_in_several() {
    let watched = Watched::new();
    let queue = watched.queue(1).await;
    let deliveries = deliveries(&queue, 2_500).await;
    watched.take_calls();
    let settled = all(deliveries.iter().map(async |delivery| match delivery.payload() % 5 {
        0 => delivery.extend(MOMENT).await,
        _ => delivery.ack().await,
    }));
    assert!(settled.await.iter().all(Result::is_ok));
    assert_eq!(sizes(&watched.take_calls()).iter().sum::<usize>(), 2_500);
}

#[tokio::test(start_paused = true)]
async fn a_settle_waits_no_longer_than_the_queues_time_for_an_exchange_that_hangs() {
    let watched = Watched::new();
    let (builder, store) = watched.builder();
    let queue = builder.timeout(MOMENT * 10).open(&store).await.unwrap();
    let deliveries = deliveries(&queue, 2).await;
    watched.hold(0);
    let before = Instant::now();
    let settled = all(deliveries.iter().map(Delivery::ack)).await;
    let is_timeout = |one: Result<()>| one.is_err_and(|error| error.kind() == ErrorKind::Timeout);
    assert!(settled.into_iter().all(is_timeout) && before.elapsed() <= MOMENT * 11);
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_is_dropped_leaves_nothing_running() {
    let watched = Watched::new();
    let queue = watched.queue(1).await;
    let deliveries = deliveries(&queue, 2).await;
    assert!(watched.users() > 0);
    deliveries[0].ack().await.unwrap();
    begin(&deliveries[1]);
    drop((queue, deliveries));
    sleep(MOMENT).await;
    assert_eq!(watched.users(), 0);
}

#[test]
fn an_exchange_that_ended_with_its_runtime_blocks_nobody() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (first, second) = (runtime(), runtime());
    let watched = Watched::new();
    let queue = first.block_on(watched.queue(1));
    let deliveries = first.block_on(deliveries(&queue, 2));
    let entered = first.enter();
    begin(&deliveries[0]);
    drop(entered);
    drop(first);
    second.block_on(deliveries[1].ack()).unwrap();
    drop(second);
    drop((queue, deliveries));
    assert_eq!(watched.users(), 0);
}

/// Begins an ack and drops it.
fn begin(delivery: &Delivery<u32>) {
    let ack = pin!(delivery.ack());
    assert!(ack.poll(&mut Context::from_waker(Waker::noop())).is_pending());
}

async fn release(watched: &Watched) {
    sleep(MOMENT * 2).await;
    watched.release();
}
