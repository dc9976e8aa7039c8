//! A server that is killed again and again under a load of enqueues and settles.

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use kv_core::Result;
use kv_queue::{CancellationToken, Delivery, Queue};
use kv_testbed::RedisServer;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::agreement::{assert_adds_up, assert_agrees};
use crate::bench::{durable, in_time, store};
use crate::ledger::{Ledger, Settled};

const KILLS: usize = 4;
const CONSUMERS: usize = 4;
const PRODUCERS: u64 = 4;
/// Short, so that what was in flight at a kill comes back soon.
const SHORT_LEASE: Duration = Duration::from_secs(1);

async fn queue(server: &RedisServer) -> Queue<u64> {
    let queue = Queue::builder("faults").partitions(3).lease(SHORT_LEASE);
    let queue = queue.max_failures(u32::MAX).max_crashes(u32::MAX);
    queue.open(&store(server).await).await.unwrap()
}

/// Enqueues numbers that nobody else does, until it is stopped.
async fn produce(queue: Queue<u64>, first: u64, ledger: Arc<Ledger>, stop: CancellationToken) {
    let mut payload = first;
    while !stop.is_cancelled() {
        let enqueued = queue.enqueue(payload).await;
        ledger.enqueued(payload, enqueued.map(|it| it.id()));
        payload += PRODUCERS;
    }
}

/// Takes and settles, until it is stopped and everything is done.
async fn consume(queue: Queue<u64>, seed: u64, ledger: Arc<Ledger>, stop: CancellationToken) {
    let mut rng = Rng::with_seed(seed);
    loop {
        let taken = queue.dequeue(rng.usize(1..8)).await.unwrap_or_default();
        if taken.is_empty() {
            if stop.is_cancelled() && queue.drained().await.unwrap_or(false) {
                return;
            }
            sleep(Duration::from_millis(5)).await;
        }
        for delivery in taken {
            ledger.came(&delivery);
            settle(&delivery, rng.u8(..10), &ledger).await;
        }
    }
}

async fn settle(delivery: &Delivery<u64>, chance: u8, ledger: &Ledger) {
    if chance < 2 {
        ledger.handed_back(delivery.id());
    }
    let (how, outcome): (_, Result<()>) = match chance {
        0 => return drop(delivery.retry(Duration::ZERO).await),
        1 => return drop(delivery.snooze(Duration::ZERO).await),
        2 => (Settled::Dead, delivery.fail("by chance").await),
        _ => (Settled::Done, delivery.ack().await),
    };
    ledger.settled(delivery, how, outcome);
}

/// Kills the server at moments of progress, and starts it again.
async fn kill(server: &mut RedisServer, ledger: &Ledger, rng: &mut Rng) {
    for _ in 0..KILLS {
        let until = ledger.progress() + rng.usize(50..300);
        while ledger.progress() < until {
            sleep(Duration::from_millis(1)).await;
        }
        server.kill();
        // The outage itself, not a wait for something.
        sleep(Duration::from_millis(rng.u64(..300))).await;
        server.restart().unwrap();
    }
}

/// Loads a server, kills it again and again, and asserts that what was said is so.
async fn lose_nothing(mut server: RedisServer) {
    let seed = fastrand::u64(..);
    println!("seed={seed}");
    let (mut rng, ledger) = (Rng::with_seed(seed), Arc::new(Ledger::default()));
    let (enough, all_in) = (CancellationToken::new(), CancellationToken::new());
    let (mut producers, mut consumers) = (JoinSet::new(), JoinSet::new());
    for first in 0..PRODUCERS {
        let queue = queue(&server).await;
        producers.spawn(produce(queue, first, Arc::clone(&ledger), enough.clone()));
    }
    for _ in 0..CONSUMERS {
        let queue = queue(&server).await;
        consumers.spawn(consume(queue, rng.u64(..), Arc::clone(&ledger), all_in.clone()));
    }
    in_time(kill(&mut server, &ledger, &mut rng)).await;
    enough.cancel();
    in_time(producers.join_all()).await;
    all_in.cancel();
    in_time(consumers.join_all()).await;
    let queue = queue(&server).await;
    ledger.assert_adds_up(&queue.dead_letters(usize::MAX).await.unwrap());
    assert_adds_up(&queue.stats().await.unwrap());
    assert_agrees(&server);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_under_load_loses_no_acknowledged_job() {
    lose_nothing(durable().start().unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
#[should_panic(expected = "things are wrong")]
async fn a_server_that_loses_jobs_is_found_out() {
    lose_nothing(RedisServer::start().unwrap()).await;
}
