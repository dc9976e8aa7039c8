//! A queue on a server that is there and does not answer, or answers too late.

use std::time::Duration;

use kv_core::{Error, ErrorKind, Store};
use kv_queue::Queue;
use kv_redis::{RedisConfig, RedisStore};
use kv_testbed::{Cut, Mode, Proxy, RedisServer};

/// Far more than any call may take: a test that gets here hangs.
const HANGS: Duration = Duration::from_secs(60);

struct Bench {
    proxy: Proxy,
    store: Store,
    queue: Queue<u32>,
    _server: RedisServer,
}

/// The store's calls end within the time, and the queue's verbs within twice that.
async fn bench(time: Duration) -> Bench {
    let server = RedisServer::start().unwrap();
    let proxy = Proxy::start(("127.0.0.1", server.port())).await.unwrap();
    let config = RedisConfig::builder().port(proxy.port()).timeout(time);
    let store = Store::new(RedisStore::connect(config.build().unwrap()).await.unwrap());
    let queue = Queue::builder("outage").timeout(time * 2).open(&store).await.unwrap();
    Bench { proxy, store, queue, _server: server }
}

async fn in_time<T>(verb: impl Future<Output = Result<T, Error>>) -> Option<ErrorKind> {
    let ended = tokio::time::timeout(HANGS, verb).await.expect("the verb hangs");
    ended.err().map(|error| error.kind())
}

#[tokio::test]
async fn no_verb_outlasts_its_time_on_a_black_holed_server() {
    let time = Duration::from_secs(2);
    let Bench { proxy, queue, store, .. } = &bench(time).await;
    queue.enqueue_many([1, 2]).await.unwrap();
    let delivery = queue.dequeue(1).await.unwrap().remove(0);
    proxy.set_mode(Mode::BlackHole);
    let open = Queue::<u32>::builder("other").timeout(time * 2).open(store);
    let kinds: [Option<ErrorKind>; 9] = tokio::join!(
        in_time(queue.enqueue(3)),
        in_time(queue.dequeue(1)),
        in_time(queue.stats()),
        in_time(queue.drained()),
        in_time(queue.pause()),
        in_time(queue.clear()),
        in_time(delivery.ack()),
        in_time(delivery.checkpoint(&1)),
        in_time(open),
    )
    .into();
    let expected = |kind| matches!(kind, Some(ErrorKind::Timeout | ErrorKind::Connection));
    assert!(kinds.into_iter().all(expected), "{kinds:?}");
}

#[tokio::test]
async fn a_job_whose_enqueue_lost_its_reply_is_there_once() {
    let Bench { proxy, queue, .. } = &bench(HANGS / 2).await;
    for job in 0..5_u32 {
        // The compare-and-set of the index is a script; its reply is lost.
        proxy.cut(Cut::in_reply("EVAL", 0));
        queue.enqueue(job).await.unwrap();
    }
    assert!(proxy.traffic().cuts > 0, "no reply was lost");
    assert_eq!(queue.stats().await.unwrap().entered, 5);
    let mut taken = Vec::new();
    for delivery in queue.dequeue(9).await.unwrap() {
        delivery.ack().await.unwrap();
        taken.push(*delivery.payload());
    }
    assert_eq!(taken, [0, 1, 2, 3, 4]);
}
