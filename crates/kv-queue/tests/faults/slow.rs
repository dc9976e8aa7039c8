//! Large jobs over a link that is slow: no reply is asked for again, whole, and no job is charged
//! for a claim that it never heard of.

use std::num::NonZeroU64;
use std::time::Duration;

use kv_queue::{Job, Queue, Worker};
use kv_redis::{RedisConfig, RedisStore};
use kv_testbed::{Mode, Proxy, RedisServer};

use crate::bench::{HANGS, SECOND, in_time, store};

const KIB: usize = 1 << 10;
/// A request or a reply, with what the protocol adds to it.
const PART: u64 = (1 << 20) + (1 << 16);

struct Link {
    server: RedisServer,
    proxy: Proxy,
}

impl Link {
    async fn new() -> Self {
        let server = RedisServer::start().unwrap();
        let proxy = Proxy::start(("127.0.0.1", server.port())).await.unwrap();
        Self { server, proxy }
    }

    fn slow(&self, bytes_per_second: u64) {
        let bytes_per_second = NonZeroU64::new(bytes_per_second).unwrap();
        self.proxy.set_mode(Mode::Throttle { bytes_per_second });
    }

    /// The store through the proxy.
    async fn store(&self, timeout: Duration) -> kv_core::Store {
        let config = RedisConfig::builder().port(self.proxy.port()).timeout(timeout);
        kv_core::Store::new(RedisStore::connect(config.build().unwrap()).await.unwrap())
    }

    /// The queue through the proxy.
    async fn queue(&self, timeout: Duration) -> Queue<String> {
        Queue::open(&self.store(timeout).await, "large").await.unwrap()
    }

    /// Jobs of so many bytes, handed in past the proxy.
    async fn fill(&self, jobs: usize, bytes: usize) {
        let queue = Queue::open(&store(&self.server).await, "large").await.unwrap();
        queue.enqueue_many((0..jobs).map(|_| "x".repeat(bytes))).await.unwrap();
    }
}

/// Runs all jobs, of which each must be in its first attempt.
async fn all_are_done_at_the_first_attempt(queue: Queue<String>, jobs: u64) {
    let worker = Worker::new(queue.clone()).until_drained().run(async |delivery| {
        match (delivery.attempt(), delivery.delivery()) {
            (1, 1) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
    let summary = in_time(worker).await.unwrap();
    assert_eq!(summary.done, jobs, "{summary:?}");
    let stats = queue.stats().await.unwrap();
    assert_eq!((stats.done, stats.dead), (jobs, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn large_jobs_over_a_slow_link_are_sent_once_and_all_done() {
    let link = Link::new().await;
    link.fill(20, 1_000 * KIB).await;
    let queue = link.queue(HANGS).await;
    link.slow(2_560 * 1_024);
    all_are_done_at_the_first_attempt(queue, 20).await;
    let traffic = link.proxy.traffic();
    let sent = 20 * 1_000 * KIB as u64;
    assert!(traffic.reply_bytes <= sent * 3 / 2, "{traffic:?}");
    assert!(traffic.largest_reply <= PART, "{traffic:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn large_jobs_are_done_that_take_longer_together_than_one_call_may() {
    let link = Link::new().await;
    link.fill(100, 1_000 * KIB).await;
    let queue = link.queue(3 * SECOND).await;
    // A job takes 61 ms, and all of them 6 s.
    link.slow(16 << 20);
    all_are_done_at_the_first_attempt(queue, 100).await;
}

/// Replies of many partitions share the link, so each takes as long as all of them together.
#[tokio::test(flavor = "multi_thread")]
async fn large_jobs_of_many_partitions_over_a_slow_link_are_sent_once_and_all_done() {
    const JOBS: usize = 128;
    let link = Link::new().await;
    let open = async |store: kv_core::Store| {
        Queue::<String>::builder("spread").partitions(256).open(&store).await.unwrap()
    };
    let filler = open(store(&link.server).await).await;
    filler.enqueue_many((0..JOBS).map(|_| "x".repeat(100 * KIB))).await.unwrap();
    let queue = open(link.store(HANGS).await).await;
    link.slow(8 << 20);
    all_are_done_at_the_first_attempt(queue, JOBS as u64).await;
    let (traffic, sent) = (link.proxy.traffic(), (JOBS * 100 * KIB) as u64);
    assert!(traffic.reply_bytes <= sent * 3 / 2, "{traffic:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dequeue_that_is_given_up_too_soon_buries_no_job() {
    let link = Link::new().await;
    link.fill(1, 1_000 * KIB).await;
    let queue = link.queue(HANGS).await;
    link.slow(2_560 * 1_024);
    for _ in 0..3 {
        let given_up = tokio::time::timeout(Duration::from_millis(100), queue.dequeue(1)).await;
        assert!(given_up.is_err(), "the link is too fast for this test");
    }
    let delivery = in_time(async {
        loop {
            if let Some(delivery) = queue.dequeue(1).await.unwrap().pop() {
                return delivery;
            }
        }
    })
    .await;
    assert_eq!((delivery.attempt(), delivery.delivery()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn large_jobs_are_handed_in_and_shown_in_parts() {
    let link = Link::new().await;
    let queue = link.queue(HANGS).await;
    let jobs = (0..100).map(|_| Job::new("x".repeat(1_000 * KIB)));
    assert_eq!(queue.enqueue_many(jobs).await.unwrap().added, 100);
    assert_eq!(queue.peek(20).await.unwrap().len(), 20);
    for delivery in queue.dequeue(20).await.unwrap() {
        delivery.fail("as the test asks for").await.unwrap();
    }
    assert_eq!(queue.dead_letters(20).await.unwrap().len(), 20);
    let traffic = link.proxy.traffic();
    assert!(traffic.largest_request <= PART && traffic.largest_reply <= PART, "{traffic:?}");
}
