//! Waiting for jobs without polling.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use kv_core::queue::{
    Claim, Control, Exchange, Maintain, NewJob, Partition, Policy, QueueEngine, QueueSupport,
    Session, Submit,
};
use kv_core::{Bytes, ErrorKind, KeyValueStore};
use kv_redis::{RedisConfig, RedisStore};
use kv_testbed::{RedisServer, eventually};
use tokio::time::timeout;

/// Longer than anything here takes, on a machine that stands almost still.
const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(50);

/// One process with a queue of some partitions.
struct Process {
    store: RedisStore,
    engine: Arc<dyn QueueEngine>,
    partitions: Vec<Partition>,
    session: Arc<str>,
}

impl Process {
    async fn open(server: &RedisServer, queue: &str, partitions: u32) -> Self {
        let store = RedisStore::connect(RedisConfig::from_url(&server.url()).unwrap()).await;
        Self::of(store.unwrap(), queue, partitions).await
    }

    async fn of(store: RedisStore, queue: &str, partitions: u32) -> Self {
        let QueueSupport::Native(engine) = store.queue_engine() else { panic!("not native") };
        engine.open(queue, partitions).await.unwrap();
        let numbered = |number| Partition { queue: queue.into(), number };
        let partitions = (0..partitions).map(numbered).collect();
        let session = format!("{:x}", fastrand::u64(..)).into();
        Self { store, engine, partitions, session }
    }

    async fn submit(&self, number: usize, jobs: usize, delay: Duration) {
        let job = NewJob {
            body: Bytes::from_static(b"job"),
            priority: 8,
            delay,
            unique: None,
            time_to_live: None,
            group: None,
            note_time: false,
        };
        let request = Submit { session: None, jobs: vec![job; jobs] };
        self.engine.submit(&self.partitions[number], request).await.unwrap();
    }

    /// Claims one job; whether there was one.
    async fn claim(&self, number: usize, request: u64) -> bool {
        let request = Exchange {
            session: Session { name: Arc::clone(&self.session), request },
            acks: Vec::new(),
            operations: Vec::new(),
            claim: Some(Claim { limit: 1, bytes: 1, lease: LONG }),
            policy: Policy::default(),
        };
        let answer = self.engine.exchange(&self.partitions[number], request).await.unwrap();
        !answer.claimed.is_empty()
    }

    fn wait(&self, limit: Duration) -> impl Future<Output = kv_core::Result<Vec<u32>>> {
        self.engine.wait(&self.partitions, limit)
    }

    /// Takes the wake-up that earlier steps left.
    async fn settle(&self) {
        while !self.wait(SHORT).await.unwrap().is_empty() {}
    }
}

/// How many clients of the server block.
fn blocked(server: &RedisServer) -> usize {
    let info = server.cli(&["INFO", "clients"]).unwrap().text().unwrap();
    let line = info.lines().find_map(|line| line.strip_prefix("blocked_clients:"));
    line.unwrap().trim().parse().unwrap()
}

fn until_blocked(server: &RedisServer, clients: usize) {
    eventually(LONG, || (blocked(server) == clients).then_some(())).expect("the wait blocks");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_submit_wakes_who_waits_and_says_where() {
    let server = RedisServer::start().unwrap();
    let waiting = Process::open(&server, "q", 4).await;
    let other = Process::open(&server, "q", 4).await;
    let mut wait = pin!(waiting.wait(LONG));
    assert!(timeout(SHORT, &mut wait).await.is_err());
    other.submit(2, 1, Duration::ZERO).await;
    assert_eq!(wait.await.unwrap(), [2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_promotion_and_a_resume_wake() {
    let server = RedisServer::start().unwrap();
    let process = Process::open(&server, "q", 1).await;
    let at = &process.partitions[0];
    process.submit(0, 1, Duration::from_micros(1)).await;
    process.settle().await;
    process.engine.maintain(at, Maintain { limit: 10, policy: Policy::default() }).await.unwrap();
    assert_eq!(process.wait(LONG).await.unwrap(), [0]);
    process.engine.control(at, Control::Pause).await.unwrap();
    process.settle().await;
    process.engine.control(at, Control::Resume).await.unwrap();
    assert_eq!(process.wait(LONG).await.unwrap(), [0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_that_leaves_jobs_behind_wakes_the_next_process() {
    let server = RedisServer::start().unwrap();
    let (one, two) = (Process::open(&server, "q", 1).await, Process::open(&server, "q", 1).await);
    one.submit(0, 2, Duration::ZERO).await;
    assert_eq!(one.wait(LONG).await.unwrap(), [0]);
    assert!(two.wait(SHORT).await.unwrap().is_empty());
    assert!(one.claim(0, 1).await);
    assert_eq!(two.wait(LONG).await.unwrap(), [0]);
    assert!(two.claim(0, 1).await);
    assert!(one.wait(SHORT).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn all_queues_of_a_process_wait_on_one_connection() {
    let server = RedisServer::start().unwrap();
    let one = Process::open(&server, "one", 3).await;
    let two = Process::of(one.store.clone(), "two", 16).await;
    let mut first = pin!(one.wait(LONG));
    assert!(timeout(SHORT, &mut first).await.is_err());
    until_blocked(&server, 1);
    let mut second = pin!(two.wait(LONG));
    assert!(timeout(SHORT, &mut second).await.is_err());
    until_blocked(&server, 1);
    two.submit(15, 1, Duration::ZERO).await;
    assert_eq!(second.await.unwrap(), [15]);
    one.submit(0, 1, Duration::ZERO).await;
    assert_eq!(first.await.unwrap(), [0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wake_up_that_nobody_waits_for_any_more_goes_to_another_process() {
    let server = RedisServer::start().unwrap();
    let (gone, other) =
        (Process::open(&server, "q", 1).await, Process::open(&server, "q", 1).await);
    assert!(gone.wait(SHORT).await.unwrap().is_empty());
    until_blocked(&server, 1);
    other.submit(0, 1, Duration::ZERO).await;
    assert_eq!(other.wait(LONG).await.unwrap(), [0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_ends_with_the_store_and_with_its_server() {
    let mut server = RedisServer::start().unwrap();
    let process = Process::open(&server, "q", 1).await;
    let mut wait = pin!(process.wait(LONG));
    assert!(timeout(SHORT, &mut wait).await.is_err());
    until_blocked(&server, 1);
    server.kill();
    let error = timeout(LONG, wait).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connection);
    server.restart().unwrap();
    let mut wait = Box::pin(process.wait(LONG));
    let blocks = async {
        while timeout(SHORT, &mut wait).await.is_ok() || blocked(&server) != 1 {
            wait = Box::pin(process.wait(LONG));
        }
    };
    timeout(LONG, blocks).await.expect("the wait comes back");
    process.store.close().await.unwrap();
    let error = timeout(LONG, &mut wait).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
    assert_eq!(process.wait(LONG).await.unwrap_err().kind(), ErrorKind::Closed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delayed_job_wakes_when_it_is_the_first_to_be_due() {
    let server = RedisServer::start().unwrap();
    let process = Process::open(&server, "q", 1).await;
    let hour = Duration::from_secs(3_600);
    process.submit(0, 2, hour).await;
    assert_eq!(process.wait(LONG).await.unwrap(), [0]);
    process.submit(0, 2, hour * 2).await;
    assert!(process.wait(SHORT).await.unwrap().is_empty());
    process.submit(0, 2, hour / 2).await;
    assert_eq!(process.wait(LONG).await.unwrap(), [0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_finds_what_nobody_told_of() {
    let server = RedisServer::builder().clock().start().unwrap();
    let process = Process::open(&server, "q", 300).await;
    process.submit(7, 1, Duration::from_secs(3_600)).await;
    process.submit(299, 1, Duration::ZERO).await;
    process.settle().await;
    assert!(process.claim(299, 1).await);
    server.clock().unwrap().advance(Duration::from_secs(7_200)).unwrap();
    let mut found = std::collections::BTreeSet::new();
    let within = tokio::time::Instant::now() + LONG;
    while found.len() < 2 {
        found.extend(tokio::time::timeout_at(within, process.wait(LONG)).await.unwrap().unwrap());
    }
    assert_eq!(found, [7, 299].into());
}

#[test]
fn a_wait_works_again_after_the_runtime_of_an_earlier_one_has_ended() {
    let runtime = || tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let (lasting, passing) = (runtime(), runtime());
    let server = RedisServer::start().unwrap();
    let process = Arc::new(lasting.block_on(Process::open(&server, "q", 2)));
    let waiting = Arc::clone(&process);
    passing.spawn(async move { waiting.wait(LONG).await });
    until_blocked(&server, 1);
    drop(passing);
    lasting.block_on(async {
        let waiting = Arc::clone(&process);
        let wait = tokio::spawn(async move { waiting.wait(LONG).await });
        until_blocked(&server, 1);
        process.submit(1, 1, Duration::ZERO).await;
        assert_eq!(timeout(LONG / 3, wait).await.unwrap().unwrap().unwrap(), [1]);
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wake_up_for_another_partition_than_those_waited_for_stays() {
    let server = RedisServer::start().unwrap();
    let process = Process::open(&server, "q", 2).await;
    process.submit(1, 1, Duration::ZERO).await;
    let first = &process.partitions[..1];
    assert!(process.engine.wait(first, SHORT).await.unwrap().is_empty());
    assert_eq!(process.wait(LONG).await.unwrap(), [1]);
}

/// How many connections the server has.
fn connections(server: &RedisServer) -> usize {
    let list = server.cli(&["CLIENT", "LIST", "TYPE", "normal"]).unwrap().text().unwrap();
    list.lines().filter(|line| !line.contains("cmd=client|list")).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_told_to_a_wait_that_was_dropped_goes_to_another_process() {
    let server = RedisServer::start().unwrap();
    let (gone, other) =
        (Process::open(&server, "q", 2).await, Process::open(&server, "q", 2).await);
    let mut wait = Box::pin(gone.wait(LONG));
    assert!(timeout(SHORT, &mut wait).await.is_err());
    until_blocked(&server, 1);
    // No job, so that no glance finds what is lost.
    let list = "!kv:{q:1}:wake";
    wake(&server, list);
    // It is not polled any more when it is told.
    until_blocked(&server, 0);
    drop(wait);
    assert_eq!(other.wait(LONG).await.unwrap(), [1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_told_to_a_wait_that_was_dropped_goes_to_another_one_of_the_process() {
    let server = RedisServer::start().unwrap();
    let one = Process::open(&server, "q", 2).await;
    let two = Process::of(one.store.clone(), "q", 2).await;
    let mut wait = Box::pin(one.wait(LONG));
    assert!(timeout(SHORT, &mut wait).await.is_err());
    until_blocked(&server, 1);
    wake(&server, "!kv:{q:0}:wake");
    until_blocked(&server, 0);
    // The listener blocks again, so what it took is told.
    let other = Process::of(one.store.clone(), "other", 1).await;
    let mut idle = pin!(other.wait(LONG));
    assert!(timeout(SHORT, &mut idle).await.is_err());
    until_blocked(&server, 1);
    let mut second = pin!(two.wait(LONG));
    assert!(timeout(SHORT, &mut second).await.is_err());
    drop(wait);
    assert_eq!(second.await.unwrap(), [0]);
}

/// Leaves a wake-up in a list that is known to exist by its name.
fn wake(server: &RedisServer, list: &str) {
    // Counters, as every partition has them that had a job.
    server.cli(&["HSET", &list.replace(":wake", ":control"), "sequence", "0"]).unwrap();
    assert_eq!(server.cli(&["RPUSH", list, "1"]).unwrap().integer(), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_for_which_nobody_waits_is_closed() {
    let server = RedisServer::start().unwrap();
    let process = Process::open(&server, "q", 4).await;
    let before = connections(&server);
    for _ in 0..2 {
        let mut wait = Box::pin(process.wait(LONG));
        assert!(timeout(SHORT, &mut wait).await.is_err());
        until_blocked(&server, 1);
        assert_eq!(connections(&server), before + 1);
        drop(wait);
        let closed = || (connections(&server) == before).then_some(());
        eventually(LONG, closed).expect("the connection is closed");
        wake(&server, "!kv:{q:3}:wake");
        assert_eq!(process.wait(LONG).await.unwrap(), [3]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_again_and_again_keeps_the_connection() {
    let server = RedisServer::start().unwrap();
    let process = Process::open(&server, "q", 4).await;
    assert!(process.wait(SHORT).await.unwrap().is_empty());
    let blocks = || {
        let stats = server.cli(&["INFO", "commandstats"]).unwrap().text().unwrap();
        let line = stats.lines().find_map(|line| line.strip_prefix("cmdstat_blpop:calls="));
        line.map_or(0_u32, |rest| rest.split(',').next().unwrap().parse().unwrap())
    };
    let mut addresses = std::collections::BTreeSet::new();
    while blocks() < 4 {
        assert!(process.wait(SHORT).await.unwrap().is_empty());
        let list = server.cli(&["CLIENT", "LIST"]).unwrap().text().unwrap();
        let blocking = list.lines().filter(|line| line.contains("cmd=blpop"));
        addresses.extend(blocking.filter_map(|line| line.split(' ').nth(1).map(str::to_owned)));
    }
    assert_eq!(addresses.len(), 1, "{addresses:?}");
}
