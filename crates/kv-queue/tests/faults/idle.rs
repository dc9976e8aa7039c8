//! Workers that have nothing to do while the server is away.

use std::sync::Arc;
use std::time::Duration;

use kv_core::Result;
use kv_queue::{CancellationToken, Delivery, Queue, Worker, WorkerSummary};
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::bench::{SECOND, builder, durable, in_time, store};

const WORKERS: usize = 3;

/// Within this time of the server's return all work again, on a machine that has nothing else to do:
/// the soak holds to it.
const RESUMED: Duration = Duration::from_secs(5);

/// Workers of one job at a time. Each job waits for as many others as there are workers, so that
/// the jobs end together, when every worker has one.
struct Idlers {
    workers: JoinSet<Result<WorkerSummary>>,
    together: Arc<Barrier>,
    stop: CancellationToken,
}

impl Idlers {
    fn new() -> Self {
        let together = Arc::new(Barrier::new(WORKERS + 1));
        Self { workers: JoinSet::new(), together, stop: CancellationToken::new() }
    }

    fn add(&mut self, queue: Queue<u32>) {
        let together = Arc::clone(&self.together);
        let handler = move |_: Delivery<u32>| {
            let together = Arc::clone(&together);
            async move {
                together.wait().await;
                Ok::<(), String>(())
            }
        };
        let worker = Worker::new(queue).concurrency(1).stop_on(self.stop.clone());
        self.workers.spawn(worker.run(handler));
    }

    /// Gives every worker a job; how long it takes until all have one. Then waits until all are
    /// settled.
    async fn work(&self, queue: &Queue<u32>) -> Duration {
        let start = Instant::now();
        queue.enqueue_many((0..).take(WORKERS)).await.unwrap();
        in_time(self.together.wait()).await;
        let took = start.elapsed();
        let settled = async { while !queue.drained().await.unwrap() {} };
        in_time(settled).await;
        took
    }
}

/// How long workers that were idle take to work again when the server was away for so long.
async fn resume_after(away: Duration) -> Duration {
    let mut server = durable().start().unwrap();
    let mut idlers = Idlers::new();
    for _ in 0..WORKERS {
        idlers.add(builder().open(&store(&server).await).await.unwrap());
    }
    idlers.work(&builder().open(&store(&server).await).await.unwrap()).await;
    server.kill();
    // The outage itself, not a wait for something.
    tokio::time::sleep(away).await;
    server.restart().unwrap();
    let producer = builder().open(&store(&server).await).await.unwrap();
    let took = idlers.work(&producer).await;
    idlers.stop.cancel();
    while let Some(ended) = idlers.workers.join_next().await {
        ended.unwrap().unwrap();
    }
    took
}

#[tokio::test]
async fn idle_workers_resume_by_themselves_when_the_server_is_back() {
    resume_after(SECOND).await;
}

/// For `cargo xtask soak outage`: the seconds of each outage are in a variable, with commas.
#[tokio::test]
#[ignore = "takes minutes: `cargo xtask soak outage` runs it"]
async fn soak() {
    let seconds = std::env::var("OC_KV_SOAK_SECONDS")
        .unwrap_or_else(|_| "1,2,4,7,8,13,20,30,45,60".to_owned());
    let mut outages = JoinSet::new();
    for seconds in seconds.split(',').map(|text| text.trim().parse().unwrap()) {
        outages.spawn(async move { (seconds, resume_after(Duration::from_secs(seconds)).await) });
    }
    let mut worst = Duration::ZERO;
    while let Some(outage) = outages.join_next().await {
        let (seconds, took) = outage.unwrap();
        println!("server away {seconds} s, workers back after {:.2} s", took.as_secs_f64());
        worst = worst.max(took);
    }
    assert!(worst < RESUMED, "it took {worst:?}; expected less than {RESUMED:?}");
}
