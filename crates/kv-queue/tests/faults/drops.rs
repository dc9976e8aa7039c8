//! Futures that are dropped at any of their awaits.

use std::collections::HashMap;
use std::pin::Pin;
use std::task::{Context, Poll};

use kv_core::Store;
use kv_queue::{JobId, Queue};
use kv_testbed::RedisServer;

use crate::agreement::assert_agrees;
use crate::bench::{LEASE, SECOND, builder, frozen, in_time, store};

/// Far more polls than any verb takes.
const MOST_POLLS: usize = 1_000;

/// Ends with a future, or drops it after so many polls.
struct Dropped<F> {
    future: Option<Pin<Box<F>>>,
    polls: usize,
}

fn dropped<F: Future>(future: F, polls: usize) -> Dropped<F> {
    Dropped { future: Some(Box::pin(future)), polls }
}

impl<F: Future> Future for Dropped<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(left) = self.polls.checked_sub(1) else {
            self.future = None;
            return Poll::Ready(None);
        };
        self.polls = left;
        let Some(future) = &mut self.future else { return Poll::Ready(None) };
        match future.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            // The next wake drops it; without polls left that is now.
            Poll::Pending if left == 0 => {
                self.future = None;
                Poll::Ready(None)
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

struct Bench {
    server: RedisServer,
    store: Store,
    queue: Queue<u64>,
    /// What was enqueued, by id.
    jobs: HashMap<JobId, u64>,
}

async fn bench() -> Bench {
    let server = frozen();
    let store = store(&server).await;
    let queue = builder().partitions(2).max_crashes(u32::MAX).open(&store).await.unwrap();
    Bench { server, store, queue, jobs: HashMap::new() }
}

impl Bench {
    async fn enqueue(&mut self, jobs: u64) {
        for job in 0..jobs {
            let id = self.queue.enqueue(job).await.unwrap().id();
            self.jobs.insert(id, job);
        }
    }

    /// Several dequeues at a time, each dropped after so many polls; whether one came to its end.
    async fn dequeue_and_drop(&mut self, polls: usize) -> bool {
        let take = |n| dropped(self.queue.dequeue(n), polls);
        let (a, b, c, d) = tokio::join!(take(1), take(2), take(3), take(4));
        // Asked on the same connection: an answer that went astray would show.
        let next = self.store.increment("polls", 1, LEASE * 1_000).await.unwrap();
        assert_eq!(usize::try_from(next).unwrap(), polls + 1);
        let ended: Vec<_> = [a, b, c, d].into_iter().flatten().collect();
        let any = !ended.is_empty();
        for delivery in ended.into_iter().flat_map(Result::unwrap) {
            assert_eq!(self.jobs.get(&delivery.id()), Some(delivery.payload()));
        }
        any
    }

    /// Steps the time beyond every lease; each job can be taken then, once.
    async fn assert_all_come(&mut self) {
        self.server.clock().unwrap().advance(LEASE + SECOND).unwrap();
        let mut left = self.jobs.clone();
        for delivery in in_time(self.queue.dequeue(left.len() + 1)).await.unwrap() {
            let job = left.remove(&delivery.id());
            assert_eq!(job.as_ref(), Some(delivery.payload()), "{:?}", delivery.id());
        }
        assert!(left.is_empty(), "idle for longer than a lease: {left:?}");
        assert_agrees(&self.server);
    }
}

#[tokio::test]
async fn a_dequeue_dropped_at_any_await_leaves_no_job_beyond_its_lease_and_crosses_no_reply() {
    let mut bench = bench().await;
    bench.enqueue(40).await;
    for polls in 0..MOST_POLLS {
        let ended = in_time(bench.dequeue_and_drop(polls)).await;
        bench.assert_all_come().await;
        bench.server.clock().unwrap().advance(LEASE + SECOND).unwrap();
        if ended {
            return;
        }
    }
    panic!("no dequeue came to its end in {MOST_POLLS} polls");
}

#[tokio::test]
async fn a_settling_dropped_at_any_await_is_done_or_comes_again() {
    let mut bench = bench().await;
    let queue = bench.queue.clone();
    for polls in 0..MOST_POLLS {
        bench.enqueue(4).await;
        let taken = queue.dequeue(4).await.unwrap();
        // They share requests, and some of those who share are gone earlier than others.
        let ack = |n: usize| dropped(taken[n].ack(), polls + n / 2);
        let (a, b, c, d) = in_time(async { tokio::join!(ack(0), ack(1), ack(2), ack(3)) }).await;
        let verdicts = [a, b, c, d];
        for (delivery, verdict) in taken.iter().zip(&verdicts) {
            if let Some(verdict) = verdict {
                assert!(verdict.is_ok(), "{verdict:?}");
                bench.jobs.remove(&delivery.id());
            }
        }
        bench.server.clock().unwrap().advance(LEASE + SECOND).unwrap();
        for delivery in in_time(queue.dequeue(9)).await.unwrap() {
            let job = bench.jobs.remove(&delivery.id());
            assert_eq!(job.as_ref(), Some(delivery.payload()), "done, and yet it comes");
            delivery.ack().await.unwrap();
        }
        // A dropped ack may be done: then its job does not come again.
        bench.jobs.clear();
        assert!(queue.drained().await.unwrap());
        if verdicts.iter().all(Option::is_some) {
            return;
        }
    }
    panic!("no ack came to its end in {MOST_POLLS} polls");
}
