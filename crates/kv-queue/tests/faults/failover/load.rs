//! What is done on the servers all the time: producers, workers, plain keys, and a queue that
//! idles.

use std::sync::Arc;
use std::time::Duration;

use kv_core::{Durability, Result, Store};
use kv_queue::{CancellationToken, Delivery, Enqueue, Job, Queue, Worker, WorkerSummary};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::books::{Books, Declared};
use super::fleet::Fleet;
use super::registers::Registers;

/// Enough for each server of a Cluster to have several.
pub(super) const PARTITIONS: u32 = 12;
const PRODUCERS: u64 = 4;
const WORKERS: usize = 2;
/// Longer than a failover takes, so that no lease ends by it.
const LEASE: Duration = Duration::from_secs(10);
/// Between two jobs of a producer: the servers share their cores.
const PACE: Duration = Duration::from_millis(10);
/// How often to look whether all work again.
const LOOK: Duration = Duration::from_millis(5);

/// The queue under load, and what works on it.
pub(super) struct Load {
    pub(super) queue: Queue<u64>,
    pub(super) books: Arc<Books>,
    pub(super) registers: Arc<Registers>,
    idle: Queue<u64>,
    /// What the handlers of the idle queue were told.
    pub(super) idle_books: Arc<Books>,
    /// How many jobs the idle queue has been given.
    probes: u64,
    producers: JoinSet<()>,
    plain: JoinSet<()>,
    workers: JoinSet<Result<WorkerSummary>>,
    enough: CancellationToken,
    all_done: CancellationToken,
}

async fn open(store: &Store, name: &str) -> Queue<u64> {
    Queue::builder(name).partitions(PARTITIONS).lease(LEASE).open(store).await.unwrap()
}

impl Load {
    pub(super) async fn start(fleet: &Fleet) -> Self {
        let (writes, reads) = (fleet.store().await, fleet.store().await);
        let (books, idle_books, registers) = (Arc::default(), Arc::default(), Registers::new());
        let enough = CancellationToken::new();
        let mut load = Self {
            queue: open(&reads, "faults").await,
            idle: open(&reads, "idle").await,
            plain: registers.work((&writes, &reads), &books, &enough),
            books,
            idle_books,
            registers,
            probes: 0,
            producers: JoinSet::new(),
            workers: JoinSet::new(),
            enough,
            all_done: CancellationToken::new(),
        };
        for first in 0..PRODUCERS {
            let queue = open(&writes, "faults").await;
            let (books, enough) = (Arc::clone(&load.books), load.enough.clone());
            // Half of them wait for copies.
            let durability = (first % 2 == 0).then(|| fleet.safe());
            load.producers.spawn(produce(queue, first, durability, books, enough));
        }
        for _ in 0..WORKERS {
            let store = fleet.store().await;
            let (queue, idle) = (open(&store, "faults").await, open(&store, "idle").await);
            load.run_worker(queue, Arc::clone(&load.books));
            load.run_worker(idle, Arc::clone(&load.idle_books));
        }
        load
    }

    fn run_worker(&mut self, queue: Queue<u64>, books: Arc<Books>) {
        let worker = Worker::new(queue).concurrency(8).stop_on(self.all_done.clone());
        let handler = move |delivery| {
            let books = Arc::clone(&books);
            async move {
                handle(&delivery, &books).await;
                Ok::<(), String>(())
            }
        };
        self.workers.spawn(worker.run(handler));
    }

    /// Returns when everything works that was done to all servers: in each partition of both
    /// queues jobs are enqueued and settled, and each key is written and read, since then.
    pub(super) async fn works_since(&mut self, since: Instant) {
        let mut probes = JoinSet::new();
        for _ in 0..PARTITIONS {
            self.probes += 1;
            let (probe, queue) = (2 * PRODUCERS * self.probes, self.idle.clone());
            let books = Arc::clone(&self.idle_books);
            probes.spawn(async move { insist(&queue, Job::new(probe), probe, None, &books).await });
        }
        while !(self.books.works_since(since, PARTITIONS)
            && self.idle_books.works_since(since, PARTITIONS)
            && self.registers.work_since(since))
        {
            self.check_workers();
            sleep(LOOK).await;
        }
        probes.join_all().await;
    }

    /// Returns when so many more jobs have come.
    pub(super) async fn progress(&mut self, jobs: usize) {
        let until = self.books.progress() + jobs;
        while self.books.progress() < until {
            self.check_workers();
            sleep(LOOK).await;
        }
    }

    /// No worker ends before it is told to.
    fn check_workers(&mut self) {
        if let Some(ended) = self.workers.try_join_next() {
            panic!("a worker ended: {ended:?}");
        }
    }

    /// Ends the producers, waits until all is done, and ends the workers.
    pub(super) async fn end(&mut self) {
        self.enough.cancel();
        while self.producers.join_next().await.transpose().unwrap().is_some() {}
        while self.plain.join_next().await.transpose().unwrap().is_some() {}
        for queue in [&self.queue, &self.idle] {
            while !queue.drained().await.unwrap() {
                sleep(LOOK).await;
            }
        }
        self.all_done.cancel();
        while let Some(ended) = self.workers.join_next().await {
            ended.unwrap().unwrap();
        }
    }
}

/// Enqueues numbers that nobody else does, until it is stopped.
async fn produce(
    queue: Queue<u64>,
    first: u64,
    durability: Option<Durability>,
    books: Arc<Books>,
    enough: CancellationToken,
) {
    let mut payload = first;
    while !enough.is_cancelled() {
        let job = Job::new(payload).unique(payload.to_string());
        insist(&queue, job, payload, durability, &books).await;
        payload += PRODUCERS;
        sleep(PACE).await;
    }
}

/// Enqueues until that is acknowledged.
async fn insist(
    queue: &Queue<u64>,
    job: Job<u64>,
    payload: u64,
    durability: Option<Durability>,
    books: &Books,
) {
    let mut is_first = true;
    loop {
        match enqueue(queue, job.clone(), durability).await {
            Ok((enqueue, _)) if is_first && enqueue.is_duplicate() => {
                return books.wrong(format!("{payload} was there before it was enqueued"));
            }
            Ok((enqueue, declared)) => return books.acknowledged(payload, enqueue, declared),
            Err(error) => books.failed("enqueue", &error),
        }
        is_first = false;
        sleep(PACE).await;
    }
}

/// Enqueues, waits for copies if that is wanted, and tells how durable that is.
async fn enqueue(
    queue: &Queue<u64>,
    job: Job<u64>,
    durability: Option<Durability>,
) -> Result<(Enqueue, Declared)> {
    let Some(durability) = durability else {
        return Ok((queue.enqueue(job).await?, Declared::OnPrimary));
    };
    let (enqueue, achieved) = queue.enqueue_durable(job, durability).await?;
    let is_safe = achieved.meets(durability);
    Ok((enqueue, if is_safe { Declared::Replicated } else { Declared::OnPrimary }))
}

/// Works for a moment, and settles every other job by itself; the worker settles the others.
async fn handle(delivery: &Delivery<u64>, books: &Books) {
    books.came(delivery);
    let number = delivery.payload() / PRODUCERS;
    sleep(Duration::from_millis(number % 16)).await;
    if number % 2 == 1 {
        return;
    }
    match delivery.ack().await {
        Ok(()) => books.settled(delivery),
        Err(error) => books.failed("ack", &error),
    }
}
