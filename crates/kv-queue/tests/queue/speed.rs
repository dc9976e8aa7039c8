//! Measurements, run by hand: `cargo test --release -p kv-queue --test queue speed -- --ignored
//! --nocapture --test-threads 1`.

use std::time::Duration;

use kv_core::Store;
use kv_memory::MemoryStore;
use kv_queue::{CancellationToken, Queue, Worker};
use kv_redis::{RedisConfig, RedisStore};
use kv_testbed::RedisServer;
use tokio::sync::mpsc::unbounded_channel;

/// Prints how many jobs without work a worker does in a second.
async fn measure(name: &str, store: &Store, jobs: u32, prefetch: usize, partitions: u32) {
    let queue = Queue::<u32>::builder(&format!("{name}:{prefetch}:{partitions}"));
    let queue = queue.partitions(partitions).open(store).await.unwrap();
    let begun = tokio::time::Instant::now();
    queue.enqueue_many(0..jobs).await.unwrap();
    let filled = begun.elapsed();
    let worker = Worker::new(queue).concurrency(100).prefetch(prefetch).until_drained();
    let (begun, spent) = (tokio::time::Instant::now(), cpu_time());
    let summary = worker.run(|_| async { Ok::<(), String>(()) }).await.unwrap();
    assert_eq!(summary.done, u64::from(jobs));
    let rate = |time: Duration| f64::from(jobs) / time.as_secs_f64();
    let (filled, done) = (rate(filled), rate(begun.elapsed()));
    let each = (cpu_time() - spent) / jobs;
    println!(
        "{name}, prefetch {prefetch}, {partitions} partitions: {filled:.0} enqueued, {done:.0} \
         done a second, {each:?} of this process a job"
    );
}

/// What this process has had of the processors, in steps of 10 ms.
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields = stat.rsplit_once(')').unwrap().1.split_whitespace().skip(11).take(2);
    let ticks: u64 = fields.map(|ticks| ticks.parse::<u64>().unwrap()).sum();
    Duration::from_millis(ticks * 10)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn jobs_a_second_in_memory() {
    let store = Store::new(MemoryStore::new());
    for (prefetch, partitions) in [(0, 1), (100, 1), (0, 16), (100, 16), (0, 1)] {
        measure("memory", &store, 500_000, prefetch, partitions).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn jobs_a_second_on_redis() {
    let server = RedisServer::start().unwrap();
    let config = RedisConfig::from_url(&server.url()).unwrap();
    let store = Store::new(RedisStore::connect(config).await.unwrap());
    for (prefetch, partitions) in [(0, 1), (100, 1), (300, 1), (0, 16), (100, 16), (0, 1)] {
        measure("redis", &store, 200_000, prefetch, partitions).await;
    }
}

/// Prints what single jobs cost, each put into an idle queue.
async fn measure_single(store: &Store, partitions: u32) {
    let queue = Queue::<u32>::builder(&format!("single:{partitions}"));
    let queue = queue.partitions(partitions).open(store).await.unwrap();
    let (stop, (tell, mut ran)) = (CancellationToken::new(), unbounded_channel());
    let worker = Worker::new(queue.clone()).stop_on(stop.clone());
    let run = tokio::spawn(worker.run(move |_| {
        let told = tell.send(());
        async move { told }
    }));
    let jobs = 3_000;
    let spent = cpu_time();
    for number in 0..jobs {
        queue.enqueue(number).await.unwrap();
        ran.recv().await.unwrap();
    }
    let each = (cpu_time() - spent) / jobs;
    println!("single jobs, {partitions} partitions: {each:?} of this process a job");
    stop.cancel();
    run.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn single_jobs_in_memory_and_on_redis() {
    let server = RedisServer::start().unwrap();
    let config = RedisConfig::from_url(&server.url()).unwrap();
    for store in
        [Store::new(MemoryStore::new()), Store::new(RedisStore::connect(config).await.unwrap())]
    {
        for partitions in [1, 16, 1_024] {
            measure_single(&store, partitions).await;
        }
    }
}
